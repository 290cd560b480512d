import type { Operation } from './api/operation.ts'
import { callerOperations } from './caller/operations.ts'
import { taskOperations } from './tasks/operations.ts'

/**
 * Every operation behind a token. The router, the OpenAPI document, the prepared statements and the tests over all
 * operations come from this list.
 */
export const operations: readonly Operation[] = [...taskOperations, ...callerOperations]
