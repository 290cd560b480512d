import type { RouteConfig } from '@asteasolutions/zod-to-openapi'
import type { ErrorCode } from '../../errors.ts'
import type { Context } from '../request/context.ts'

/** A page that needs no token, as the router and the document use it. It answers GET. */
export type OpenRoute = {
  readonly id: string
  /** At the root, as OpenAPI writes it. */
  readonly path: string
  readonly summary: string
  readonly params?: NonNullable<NonNullable<RouteConfig['request']>['params']>
  readonly responses: RouteConfig['responses']
  readonly failures?: readonly ErrorCode[]
  /** Absent when another part of the app serves the page. */
  readonly handle?: (c: Context) => Response | Promise<Response>
}
