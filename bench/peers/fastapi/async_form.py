"""The same on the event loop, with SQLAlchemy's asynchronous engine and asyncpg."""

import os
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import Task, TaskCreate, TaskPublic, TaskUpdate, now
from signed_in import subject_async

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["POOL_SIZE"]),
    max_overflow=0,
)
app = FastAPI()


async def get_session():
    async with AsyncSession(engine, expire_on_commit=False) as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]
Caller = Annotated[str, Depends(subject_async)]


async def own_task(session: AsyncSession, caller: str, id: UUID) -> Task:
    task = (await session.exec(select(Task).where(Task.id == id, Task.owner_id == caller))).first()
    if task is None:
        raise HTTPException(status_code=404, detail="Task not found")
    return task


@app.get("/health")
async def health() -> str:
    return "ok"


@app.get("/tasks", response_model=list[TaskPublic])
async def list_tasks(
    session: SessionDep,
    caller: Caller,
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
):
    newest = select(Task).where(Task.owner_id == caller).order_by(col(Task.created_at).desc(), col(Task.id).desc())
    return (await session.exec(newest.offset(skip).limit(limit))).all()


@app.get("/tasks/{id}", response_model=TaskPublic)
async def get_task(id: UUID, session: SessionDep, caller: Caller):
    return await own_task(session, caller, id)


@app.post("/tasks", response_model=TaskPublic, status_code=201)
async def create_task(task: TaskCreate, session: SessionDep, caller: Caller):
    new = Task.model_validate(task, update={"owner_id": caller})
    session.add(new)
    await session.commit()
    await session.refresh(new)
    return new


@app.patch("/tasks/{id}", response_model=TaskPublic)
async def patch_task(id: UUID, patch: TaskUpdate, session: SessionDep, caller: Caller):
    task = await own_task(session, caller, id)
    task.sqlmodel_update(patch.model_dump(exclude_unset=True), update={"updated_at": now()})
    session.add(task)
    await session.commit()
    await session.refresh(task)
    return task
