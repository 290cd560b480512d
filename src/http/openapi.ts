import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Env } from './context.ts'

export const openapiPath = '/openapi.json'

const description = `A to-do API in which every task belongs to the user in the token, and nobody can reach another's.

Send \`Authorization: Bearer <JWT>\`, a token of the Better Auth that this server trusts (\`GET /api/auth/token\`).
A task that is missing, one that is somebody else's and an id that is no UUID give the same 404;
\`PUT\`, which could create it, answers 422 to an id that is no UUID.
Errors are RFC 9457 problem JSON; switch on \`code\`.

The version of this document is that of the API, whose paths begin with \`/api/v1\`, not that of the program.`

/** The OpenAPI 3.1 document of everything that was added to the app. */
export function openapiDocument(app: OpenAPIHono<Env>): object {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearerAuth', {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: "A JWT from Better Auth's `jwt` plugin.",
  })
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Docket',
      version: '1.0.0',
      description,
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'Tasks', description: "The caller's own tasks." },
      { name: 'Caller', description: 'Who the token says is calling.' },
      { name: 'Server', description: 'Health and documentation; no token needed.' },
    ],
  })
}
