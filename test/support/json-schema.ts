import { z } from 'zod'

/**
 * The part of JSON Schema 2020-12 that our document uses. A keyword that is not here does not parse, so nothing
 * the document says goes unchecked by accident.
 */
export const JsonSchema = z.strictObject({
  $ref: z.string().startsWith('#/components/schemas/').optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), JsonSchema).optional()
  },
  get additionalProperties(): z.ZodOptional<z.ZodUnion<readonly [z.ZodBoolean, typeof JsonSchema]>> {
    return z.union([z.boolean(), JsonSchema]).optional()
  },
  get items() {
    return JsonSchema.optional()
  },
  minLength: z.int().optional(),
  maxLength: z.int().optional(),
  pattern: z.string().optional(),
  format: z.enum(['uuid', 'date-time']).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  deprecated: z.boolean().optional(),
  example: z.unknown().optional(),
  default: z.unknown().optional(),
})
export type JsonSchema = z.output<typeof JsonSchema>

/** The named schemas that a `$ref` can mean. */
export type Named = Readonly<Record<string, JsonSchema>>

const formats = {
  uuid: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
}

/**
 * Where a value of an answer is not what the schema says; empty when all is well. Stricter than JSON Schema: a
 * property beside those listed is a fault unless `additionalProperties` allows it, a UUID is in lower case, and an
 * instant is UTC with milliseconds.
 */
export function mismatches(schema: JsonSchema, value: unknown, named: Named, at = '$'): string[] {
  if (schema.$ref !== undefined) return mismatches(target(schema.$ref, named), value, named, at)
  const type = typeOf(value)
  const types = schema.type === undefined ? undefined : [schema.type].flat()
  if (types && !types.includes(type) && !(type === 'integer' && types.includes('number')))
    return [`${at} is ${type}, not ${types.join(' or ')}`]
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is none of its values`]
  if (typeof value === 'string') return ofText(schema, value).map((fault) => `${at} ${fault}`)
  if (typeof value === 'number')
    return value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity)
      ? [`${at} is out of range`]
      : []
  const { items } = schema
  if (Array.isArray(value))
    return items ? value.flatMap((each, index) => mismatches(items, each, named, `${at}[${index}]`)) : []
  return typeof value === 'object' && value !== null ? ofObject(schema, value, named, at) : []
}

function ofText(schema: JsonSchema, value: string): string[] {
  const length = [...value].length
  return [
    length < (schema.minLength ?? 0) && 'is too short',
    length > (schema.maxLength ?? Infinity) && 'is too long',
    schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value) && 'is not of its pattern',
    schema.format !== undefined && !formats[schema.format].test(value) && `is no ${schema.format}`,
  ].filter((fault) => fault !== false)
}

function ofObject(schema: JsonSchema, value: object, named: Named, at: string): string[] {
  const missing = (schema.required ?? []).filter((name) => !Object.hasOwn(value, name))
  return [
    ...missing.map((name) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, each]) => {
      const property = schema.properties?.[name] ?? schema.additionalProperties ?? !schema.properties
      if (property === false) return [`${at}.${name} is not documented`]
      return property === true ? [] : mismatches(property, each, named, `${at}.${name}`)
    }),
  ]
}

/** A value of the schema: its example where it has one. An object has all its properties but the deprecated. */
export function sampleOf(schema: JsonSchema, named: Named = {}): unknown {
  if (schema.$ref !== undefined) return sampleOf(target(schema.$ref, named), named)
  if (schema.example !== undefined) return schema.example
  if (schema.enum !== undefined) return schema.enum.at(-1)
  if (schema.properties === undefined) throw new Error('A schema without properties needs an example')
  const properties = Object.entries(schema.properties).filter(([, each]) => each.deprecated !== true)
  return Object.fromEntries(properties.map(([name, each]) => [name, sampleOf(each, named)]))
}

function target(reference: string, named: Named): JsonSchema {
  const schema = named[reference.replace('#/components/schemas/', '')]
  if (schema === undefined) throw new Error(`${reference} is not in the document`)
  return schema
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
