import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { TodoApi } from './todo-api.ts'

/**
 * The API as a listener of Node's HTTP server, and of what is built on it: `createServer(toNodeHandler(api))`, or in
 * Express `app.all('/api/v1/*path', toNodeHandler(api))`, before anything that reads bodies.
 */
export function toNodeHandler(
  api: Pick<TodoApi, 'fetch'>,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const listener = getRequestListener(
    (request, { incoming, outgoing }) =>
      // HTTP/2 has other classes, of which the API uses what both have.
      api.fetch(request, { incoming: incoming as IncomingMessage, outgoing: outgoing as ServerResponse }),
    // They are the app's.
    { overrideGlobalObjects: false, errorHandler: unserved },
  )
  return (request, response) => {
    // Express cuts off the path at which a handler is mounted.
    if ('originalUrl' in request && typeof request.originalUrl === 'string') request.url = request.originalUrl
    return listener(request, response)
  }
}

/** `fetch` never rejects: the request target or the Host header makes no URL. */
async function unserved(): Promise<Response> {
  const [{ AppError }, { problemUnseen }] = await Promise.all([
    import('./errors.ts'),
    import('./http/answer/problem.ts'),
  ])
  const detail = 'The request target or the Host header cannot be read.'
  const { body, ...head } = problemUnseen(new AppError('malformed_request', detail), false)
  return new Response(body, head)
}
