"""Who calls: the subject of a token that the issuer signed, by PyJWT and its client for key sets."""

import os
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

keys = jwt.PyJWKClient(os.environ["JWKS_URL"], cache_keys=True)
bearer = HTTPBearer()


def subject(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    token = credentials.credentials
    try:
        key = keys.get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=os.environ["AUDIENCE"],
            issuer=os.environ["ISSUER"],
            options={"require": ["exp", "sub"]},
        )
    except jwt.PyJWTError:
        raise HTTPException(
            status_code=401,
            detail="Could not validate credentials",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return claims["sub"]


async def subject_async(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> str:
    """The same without a thread: once the keys are there nothing in it waits."""
    return subject(credentials)
