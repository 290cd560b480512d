import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { TodoApi } from './todo-api.ts'

/**
 * The API as a request listener for Node's HTTP server and frameworks on it: `createServer(toNodeHandler(api))`. In
 * Express: `app.all('/api/v1/*path', toNodeHandler(api))`, before any middleware that reads bodies.
 */
export function toNodeHandler(
  api: Pick<TodoApi, 'fetch'>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const listener = getRequestListener(
    (request, { incoming, outgoing }) =>
      // HTTP/2 has other classes. The API uses only their common part.
      api.fetch(request, { incoming: incoming as IncomingMessage, outgoing: outgoing as ServerResponse }),
    // The global objects belong to the app.
    { overrideGlobalObjects: false, errorHandler: unserved },
  )
  return (request, response) => {
    // Express removes the path at which a handler is mounted.
    if ('originalUrl' in request && typeof request.originalUrl === 'string') request.url = request.originalUrl
    return listener(request, response)
  }
}

/** `fetch` never rejects. So this answers only a request target or Host header that makes no URL. */
async function unserved(): Promise<Response> {
  const [{ AppError }, { problemUnseen }] = await Promise.all([
    import('./errors.ts'),
    import('./http/answer/problem.ts'),
  ])
  const detail = 'The request target or the Host header cannot be read.'
  const { body, ...head } = problemUnseen(new AppError('malformed_request', detail), false)
  return new Response(body, head)
}
