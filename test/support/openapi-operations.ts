import { z } from 'zod'
import { describeApi } from '../../src/app.ts'
import { JsonSchema, sampleOf } from './json-schema.ts'
import { testedOperations } from './tested-operations.ts'

const Content = z.record(z.string(), z.object({ schema: JsonSchema }))
const Parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query']),
  required: z.boolean(),
  schema: JsonSchema,
})
const Described = z.object({
  operationId: z.string(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(Parameter).default([]),
  requestBody: z.object({ content: Content }).optional(),
  responses: z.record(
    z.string(),
    z.object({
      headers: z.record(z.string(), z.object({ required: z.boolean().optional() })).default({}),
      content: Content.optional(),
    }),
  ),
})
const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), Described)),
  components: z.object({ schemas: z.record(z.string(), JsonSchema) }),
})

/** What the OpenAPI document says of one operation, in the terms that tests need. */
export type DocumentedOperation = z.output<typeof Described> & {
  /** In upper case. */
  readonly method: string
  /** With its parameters in braces. */
  readonly path: string
}

const document = Document.parse(describeApi(testedOperations))

/** The named schemas of the document. */
export const { schemas } = document.components

/** Every operation of the document, so that a test over all of them covers a new one without anyone remembering. */
export const operations: readonly DocumentedOperation[] = Object.entries(document.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      ...described,
      method: method.toUpperCase(),
      path,
    })),
)

/** The paths of the document with the methods each takes; HEAD stands wherever GET does. */
export const methodsByPath: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries(document.paths).map(([path, methods]) => [
    path,
    Object.keys(methods).flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()])),
  ]),
)

/** Operations with a UUID in their path: the places where somebody can try another's. */
export const operationsOnIds = operations.filter(({ parameters }) => parameters.some(isId))

/** The path with every id replaced by this one, and what else it takes by its example. */
export function pathOf({ path, parameters }: DocumentedOperation, id: string): string {
  return parameters
    .filter((parameter) => parameter.in === 'path')
    .reduce(
      (filled, each) => filled.replace(`{${each.name}}`, isId(each) ? id : String(sampleOf(each.schema))),
      path,
    )
}

/** The path of the collection that an id in the path of this operation is from. */
export function collectionOf({ path, parameters }: DocumentedOperation): string {
  const name = parameters.find(isId)?.name ?? ''
  return path.slice(0, path.indexOf(`/{${name}}`))
}

/** A body that the operation takes, made from its schema; undefined when it takes none. */
export function bodyOf(operation: DocumentedOperation): Record<string, unknown> | undefined {
  const schema = operation.requestBody?.content['application/json']?.schema
  return schema && z.record(z.string(), z.unknown()).parse(sampleOf(schema, schemas))
}

function isId(parameter: z.output<typeof Parameter>): boolean {
  return parameter.in === 'path' && parameter.schema.format === 'uuid'
}
