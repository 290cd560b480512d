/** The caller: `id` is the token's `sub`, `expiresAt` its `exp` in epoch seconds. */
export type Principal = { readonly id: string; readonly issuer: string; readonly expiresAt: number }
