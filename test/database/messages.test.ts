import fc from 'fast-check'
import { serialize } from 'pg-protocol'
import { describe, expect, test } from 'vitest'
import { BatchQuery, batchOf, encodeNamed, prepareAll } from '../../src/database/batch/batch.ts'
import { batch, preparation } from '../../src/database/batch/messages.ts'
import type { Access, Question, Value } from '../../src/database/statements/statement.ts'
import { taskStatements } from '../../src/tasks/statements.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'Grüße, 世界 👩‍👩‍👧', '\u0000', '\\', "'; drop table", 'ÿ'.repeat(40_000)),
)
const value: fc.Arbitrary<Value> = fc.oneof(text, fc.constant(null), fc.integer(), fc.boolean(), fc.double())
const name = fc.stringMatching(/^[a-z_é]{1,40}$/)
const call = fc.record({ name, values: fc.array(value, { maxLength: 12 }) })

/** What `pg` would send, from its own serializer, with the formats in their short spelling. */
function bindAndExecute({ name, values }: { name: string; values: readonly Value[] }): Buffer[] {
  const texts = values.map((each) => (each === null ? null : String(each)))
  return [withoutFormats(serialize.bind({ statement: name, values: texts }), name), serialize.execute()]
}

/**
 * `pg` says "text" once for each value and once for the results; "no formats" says the same of all of them.
 * Every byte but those and the length stays.
 */
function withoutFormats(bind: Buffer, name: string): Buffer {
  const formats = 1 + 4 + 1 + Buffer.byteLength(name) + 1
  const values = formats + 2 + 2 * bind.readInt16BE(formats)
  const results = bind.length - 4
  expect(bind.subarray(formats + 2, values).every((byte) => byte === 0)).toBe(true)
  expect(bind.subarray(results)).toEqual(Buffer.from([0, 1, 0, 0]))
  const none = Buffer.from([0, 0])
  const short = Buffer.concat([bind.subarray(0, formats), none, bind.subarray(values, results), none])
  short.writeInt32BE(short.length - 1, 1)
  return short
}

describe('the bytes on the wire', () => {
  test('of a batch are those that pg itself would send, whatever the values', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 4 }), (calls) => {
        const expected = Buffer.concat([...calls.flatMap(bindAndExecute), serialize.sync()])
        expect(batch(calls).equals(expected)).toBe(true)
      }),
    )
  })

  test('of a preparation are Parse for each statement around the calls, closed by one Sync', () => {
    const parse = fc.record({ name, text: fc.string() })
    fc.assert(
      fc.property(parse, fc.array(call, { maxLength: 2 }), fc.array(parse), (first, calls, rest) => {
        const expected = Buffer.concat([
          serialize.parse({ ...first, types: [] }),
          ...calls.flatMap(bindAndExecute),
          ...rest.map((each) => serialize.parse({ ...each, types: [] })),
          serialize.sync(),
        ])
        expect(preparation(first, calls, rest).equals(expected)).toBe(true)
      }),
    )
  })

  test('of a batch enter as the owner first, then run its statements, then Sync: nothing else', () => {
    const known = fc.record({ values: fc.array(value), prepared: fc.boolean() })
    fc.assert(
      fc.property(text.filter(Boolean), fc.array(known, { minLength: 1, maxLength: 4 }), (owner, asked) => {
        const questions = asked.map(({ values, prepared }, i): Question => {
          const statement = { name: `statement_${i}`, access: 'read', prepared, text: `select ${i}` } as const
          return { statement, weight: 1, values: () => values, rows: () => undefined }
        })
        const expected = Buffer.concat([
          ...bindAndExecute({ name: 'enter', values: [owner] }),
          ...questions.flatMap(({ statement: { name, prepared, text }, values }) =>
            prepared
              ? bindAndExecute({ name, values: values(owner) })
              : [serialize.parse({ text }), ...bindAndExecute({ name: '', values: values(owner) })],
          ),
          serialize.sync(),
        ])
        expect(encodeNamed(batchOf(owner, questions)).equals(expected)).toBe(true)
      }),
    )
  })

  test('are never made without an owner', () => {
    expect(() => batchOf('', [])).toThrow(/needs an owner/)
  })

  test('of a batch say the strictest access and the sum of the weights', () => {
    const asked = (access: Access, weight: number): Question => ({
      statement: { name: 'any', access, prepared: true, text: '' },
      ...{ weight, values: () => [], rows: () => undefined },
    })
    const of = (...questions: Question[]) => batchOf('ann', questions)
    expect(of(asked('read', 2), asked('read', 3))).toMatchObject({ access: 'read', weight: 5 })
    expect(of(asked('repeatable-write', 1), asked('read', 1)).access).toBe('repeatable-write')
    expect(of(asked('read', 1), asked('write', Infinity))).toMatchObject({
      access: 'write',
      weight: Infinity,
    })
  })

  test('of the preparation name every statement once', () => {
    const bytes = prepareAll(taskStatements).toString('latin1')
    for (const { name } of taskStatements) expect(bytes.split(`${name}\0`)).toHaveLength(2)
  })
})

describe('a batch settles exactly once', () => {
  type Event = 'error' | 'row' | 'complete' | 'ready'
  const settledBy = (events: readonly Event[]) => {
    const settled: unknown[] = []
    const batch = new BatchQuery(Buffer.alloc(0), (error, results) => settled.push(error ?? results))
    for (const event of events) {
      if (event === 'error') batch.handleError(new Error('refused'))
      if (event === 'row') batch.handleDataRow({ fields: [`row ${events.indexOf(event)}`] })
      if (event === 'complete') batch.handleCommandComplete()
      if (event === 'ready') batch.handleReadyForQuery()
    }
    return settled
  }

  test.each<[what: string, events: Event[], settled: unknown[]]>([
    [
      'with all rows of each statement when Postgres is ready',
      ['row', 'row', 'complete', 'complete', 'row', 'complete', 'ready'],
      [[[['row 0'], ['row 0']], [], [['row 0']]]],
    ],
    ['without a row', ['complete', 'ready'], [[[]]]],
    ['not before Postgres is ready, since nothing is committed', ['row', 'complete'], []],
    [
      'with the error of a commit, though the row was there',
      ['row', 'complete', 'error'],
      [new Error('refused')],
    ],
    ['with the first error alone', ['error', 'error', 'ready'], [new Error('refused')]],
    [
      'and nothing that comes later changes it',
      ['row', 'complete', 'ready', 'error', 'ready'],
      [[[['row 0']]]],
    ],
  ])('%s', (_what, events, settled) => {
    expect(settledBy(events)).toEqual(settled)
  })
})

test('batches of one turn leave in the order they came, a few in each write, those of other connections apart', async () => {
  const written: string[][] = [[], []]
  const streams = written.map((writes) => ({
    write: (bytes: Buffer) => writes.push(bytes.toString()),
  })) as unknown as NodeJS.WritableStream[]
  const submit = (text: string, stream = streams[0]) => {
    if (stream !== undefined) new BatchQuery(Buffer.from(text), () => undefined).submit({ stream })
  }
  for (const text of '123456789') submit(text)
  submit('a', streams[1])
  expect(written).toEqual([['1234', '5678'], []])
  await new Promise(setImmediate)
  expect(written).toEqual([['1234', '5678', '9'], ['a']])
  for (const text of '1234') submit(text)
  await new Promise(setImmediate)
  submit('5')
  await new Promise(setImmediate)
  expect(written[0]).toEqual(['1234', '5678', '9', '1234', '5'])
})
