import type { Reads } from '../database/statements/reads.ts'
import type { Row } from '../database/statements/rows.ts'
import type { Value } from '../database/statements/statement.ts'
import { question } from '../database/statements/statement.ts'
import type { Fields, OwnedTable, Writes } from '../database/statements/writes.ts'
import { AppError } from '../errors.ts'
import { type Answer, type Encoded, encode } from './answer.ts'
import { notFound } from './input.ts'
import { newId } from './new-id.ts'
import { type Call, type Operation, operation, type Success, type Tag } from './operation.ts'
import { Page } from './page.ts'
import { z } from './schema.ts'

/** A noun of the API: its table, its schemas and its writable fields, each declared once. */
export type Resource = {
  /** In the singular, lower case: `task`. */
  readonly noun: string
  /** Below the base path: `/tasks`. */
  readonly path: string
  readonly tag: Tag
  readonly table: OwnedTable
  /** The schema of the resource in responses. */
  readonly schema: z.ZodObject
  readonly id: z.ZodType<string, string>
  /** The writable fields. Those without an entry in `defaults` are required in a new resource. */
  readonly fields: Readonly<Record<string, z.ZodType>>
  readonly defaults: Readonly<Record<string, Value>>
}

/** The schemas of bodies, and their names in the document: `NewTask`, `TaskPatch`. */
export function bodiesOf({ noun, fields, defaults }: Resource) {
  const name = capital(noun)
  const whenNew = Object.entries(fields).map(([field, schema]) => [
    field,
    Object.hasOwn(defaults, field) ? schema.optional() : schema,
  ])
  const owner_id = z.string({ error: 'must be a string' }).optional().openapi({
    description: "Accepted only when it equals the token's subject. Leave it out.",
    deprecated: true,
  })
  return {
    whole: z
      .object({ ...Object.fromEntries(whenNew), owner_id })
      .strict()
      .openapi(`New${name}`),
    patch: z.object(fields).partial().strict().openapi(`${name}Patch`),
  }
}

export const capital = (noun: string) => `${noun.charAt(0).toUpperCase()}${noun.slice(1)}`

/** The six operations on the caller's own resources of one noun. */
export function operationsOf<const Noun extends string>(
  resource: Resource & { readonly noun: Noun },
  { list, get }: Reads<Noun>,
  { create, put, patch, remove }: Writes<Noun>,
): readonly Operation[] {
  const { noun, path, tag, schema, id } = resource
  const [name, one] = [capital(noun), `${path}/{id}`]
  const params = z.object({ id: id.openapi({ param: { name: 'id', in: 'path' } }) })
  const { whole, patch: partial } = bodiesOf(resource)
  const missing = `${name} not found.`
  const location = { Location: `Where the ${noun} is.` }
  const made: Success = { status: 201, description: `The new ${noun}`, body: schema, headers: location }
  const now: Success = { status: 200, description: `The ${noun} as it is now`, body: schema }
  const at = (row: Row) => `${path}/${row.id}`

  return [
    operation({
      ...{ id: `list${name}s`, method: 'get', path, tag },
      summary: `List own ${noun}s, newest first`,
      description: 'A list ends early at about 1 MB. `Link` then says where it goes on.',
      schemas: { query: Page },
      successes: [
        {
          status: 200,
          description: `Own ${noun}s`,
          body: z.array(schema),
          headers: { Link: 'With `rel="next"`: the rest of a list that ended early (RFC 8288).' },
        },
      ],
      failures: ['validation_failed'],
      statements: [list],
      handle: async ({ ask, input: { query } }): Promise<Answer<unknown>> => {
        const [{ json, cutAfter }] = await ask(question(list, query))
        if (cutAfter === undefined) return { status: 200, body: json }
        return { status: 200, body: json, next: `${path}?skip=${query.skip + cutAfter}&limit=${query.limit}` }
      },
    }),
    operation({
      ...{ id: `create${name}`, method: 'post', path, tag },
      summary: `Create a ${noun}`,
      schemas: { body: whole },
      successes: [made],
      failures: ['quota_exceeded', 'validation_failed'],
      statements: [create],
      handle: async (call) => {
        const [row] = await call.ask(question(create, { id: newId(), given: given(call, noun) }))
        return { status: 201, body: encode(row), location: at(row) }
      },
    }),
    operation({
      ...{ id: `get${name}`, method: 'get', path: one, tag, missing },
      summary: `Read a ${noun}`,
      schemas: { params },
      successes: [{ status: 200, description: `The ${noun}`, body: schema }],
      failures: ['not_found'],
      statements: [get],
      handle: async ({ ask, input: { params } }) => {
        const [json] = await ask(question(get, params))
        return { status: 200, body: found<Encoded<unknown>>(json, missing) }
      },
    }),
    operation({
      ...{ id: `put${name}`, method: 'put', path: one, tag, missing },
      summary: `Create a ${noun} under this id, or write the fields sent`,
      description:
        'Fields that are left out keep their value, or have their default when the resource is new. Repeating it changes nothing more.',
      schemas: { params, body: whole },
      successes: [now, made],
      failures: ['quota_exceeded', 'validation_failed'],
      statements: [put],
      handle: async (call) => {
        const { id } = call.input.params
        const [{ row, made }] = await call.ask(question(put, { id, given: given(call, noun) }))
        if (!made) return { status: 200, body: encode(row) }
        return { status: 201, body: encode(row), location: at(row) }
      },
    }),
    operation({
      ...{ id: `patch${name}`, method: 'patch', path: one, tag, missing },
      summary: `Change some fields of a ${noun}`,
      description: 'JSON merge patch (RFC 7396). Fields that are left out stay. null clears a field.',
      schemas: { params, body: partial },
      bodyTypes: ['application/merge-patch+json'],
      successes: [now],
      failures: ['not_found', 'quota_exceeded', 'validation_failed'],
      statements: [patch],
      handle: async ({ ask, input: { params, body } }) => {
        const [row] = await ask(question(patch, { id: params.id, given: body as Fields }))
        return { status: 200, body: encode(found(row, missing)) }
      },
    }),
    operation({
      ...{ id: `delete${name}`, method: 'delete', path: one, tag, missing },
      summary: `Delete a ${noun}`,
      schemas: { params },
      successes: [{ status: 204, description: 'It is gone' }],
      failures: ['not_found'],
      statements: [remove],
      handle: async ({ ask, input: { params } }) => {
        const [removed] = await ask(question(remove, params))
        if (!removed) throw notFound(missing)
        return { status: 204 }
      },
    }),
  ]
}

function found<T>(row: T | null, missing: string): T {
  if (row === null) throw notFound(missing)
  return row
}

/** Existing clients send `owner_id`. It may name only the caller. */
function given({ caller, input }: Call, noun: string): Fields {
  const { owner_id, ...fields } = input.body as Fields
  if (owner_id !== undefined && owner_id !== caller.id)
    throw new AppError('forbidden', `owner_id names another owner. Leave it out: the ${noun} is yours.`)
  return fields
}
