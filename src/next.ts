type Handler = (request: Request) => Promise<Response>

/** Every method that Next.js knows. Without `OPTIONS`, Next.js would answer it itself, without our CORS headers. */
type Handlers = Readonly<Record<'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS', Handler>>

/**
 * The exports of a route handler in a Next.js app, `app/api/v1/[...path]/route.ts`.
 * https://nextjs.org/docs/app/api-reference/file-conventions/route
 */
export function toNextJsHandler(api: { fetch: Handler }): Handlers {
  const handle: Handler = (request) => api.fetch(request)
  return {
    GET: handle,
    POST: handle,
    PUT: handle,
    PATCH: handle,
    DELETE: handle,
    HEAD: handle,
    OPTIONS: handle,
  }
}
