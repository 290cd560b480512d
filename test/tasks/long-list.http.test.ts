import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, Caller, TestApi } from '../support/api.ts'
import { startDocumentedApi } from '../support/documented-api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startDocumentedApi()
})
afterAll(() => api.close())

const listBytes = 1_000_000
/** The longest that JSON makes of a task. */
const taskBytes = 62_000

async function ownerOf(count: number, description: string): Promise<Caller> {
  const owner = await api.newOwner()
  for (let i = 0; i < count; i++) await owner.call('/tasks', { body: { title: `Task ${i}`, description } })
  return owner
}

const next = (answer: Answer) => /<\/api\/v1([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]

test.each([
  ['three bytes a character', '語'.repeat(10_000), 60],
  ['six bytes a character in JSON only', '\u0001'.repeat(10_000), 40],
  ['one byte a character', 'x'.repeat(10_000), 130],
])(
  'a list of long texts, %s, ends at about 1 MB and says where it goes on',
  async (_, description, count) => {
    const ann = await ownerOf(count, description)
    const seen: string[] = []
    let path: string | undefined = '/tasks?limit=500'
    let pages = 0
    while (path !== undefined) {
      const answer: Answer = await ann.call(path)
      const bytes = Buffer.byteLength(answer.text)
      expect(bytes).toBeLessThan(listBytes + taskBytes)
      path = next(answer)
      if (path !== undefined) expect(bytes).toBeGreaterThan(listBytes - taskBytes)
      seen.push(...answer.json<{ title: string }[]>().map(({ title }) => title))
      pages++
    }
    expect(pages).toBeGreaterThan(1)
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => `Task ${count - 1 - i}`))
  },
)

test('a list that ends at its limit, or with the last task, names no next page', async () => {
  const ann = await ownerOf(30, 'x'.repeat(10_000))
  for (const path of ['/tasks?limit=500', '/tasks?limit=20', '/tasks?skip=10&limit=20'])
    expect((await ann.call(path)).headers.get('link')).toBeNull()
})

test('the same bytes of a task stand in a long list and alone', async () => {
  const ann = await ownerOf(20, '\u0001"\\語'.repeat(2_500))
  const answer = await ann.call('/tasks?limit=3')
  const ids = answer.json<{ id: string }[]>().map(({ id }) => id)
  const each = await Promise.all(ids.map((id) => ann.call(`/tasks/${id}`)))
  expect(answer.text).toBe(`[${each.map(({ text }) => text).join(',')}]`)
})
