import { randomUUID } from 'node:crypto'
import type { Database } from '../../src/database/database.ts'
import type { Statement } from '../../src/database/statements/statement.ts'
import { createTask, deleteTask, getTask, listTasks, patchTask, putTask } from '../../src/tasks/statements.ts'
import { askOne } from '../support/ask.ts'
import { failAtCommit, whoAmI, writeThenDivide } from './failing.ts'
import { createForOther } from './unlocked.ts'

/** What a run came to. `wrong` holds a line for each answer that was not the one its caller had to get. */
export type Report = {
  settled: number
  failedInside: number
  readonly wrong: string[]
  /** Owner, id and title of every row that has to be there now, and no other. */
  readonly rows: string[]
}

const fields = { description: null, status: 'Todo' }

/**
 * Many owners at once, each with several workers that ask one thing after another and know what the answer has
 * to be, to the byte where it has a canary: the id and title of a task name its owner, its worker and the request.
 * Every fifth request is made to fail inside Postgres, in one of six ways, some after having written.
 */
export async function runWorkload(
  database: Database,
  { owners, workers, requests }: { owners: number; workers: number; requests: number },
): Promise<Report> {
  const report: Report = { settled: 0, failedInside: 0, wrong: [], rows: [] }
  const names = Array.from({ length: owners }, (_, i) => `owner-${i}-${randomUUID()}`)
  const everyone = names.flatMap((name) =>
    Array.from({ length: workers }, (_, i) => new Worker({ database, report, names, name, salt: i })),
  )
  await Promise.all(everyone.map((worker) => worker.work(requests)))
  for (const worker of everyone) report.rows.push(...worker.rows())
  report.rows.sort()
  return report
}

type Duty = { database: Database; report: Report; names: readonly string[]; name: string; salt: number }

class Worker {
  readonly #duty: Duty
  readonly #mine = new Map<string, string>()
  /** A task of somebody else to ask for: every worker leaves the last one it made here. */
  static #foreign = { owner: '', id: randomUUID() as string }

  constructor(duty: Duty) {
    this.#duty = duty
  }

  rows(): string[] {
    return [...this.#mine].map(([id, title]) => `${this.#duty.name} ${id} ${title}`)
  }

  async work(requests: number): Promise<void> {
    for (let i = 0; i < requests; i++) {
      const step = i + this.#duty.salt
      await (i % 5 === 4 ? this.#fail(Math.floor(step / 5) % 6, i) : this.#succeed(step % 8, i))
      this.#duty.report.settled++
    }
  }

  async #succeed(kind: number, i: number): Promise<void> {
    const { name, salt } = this.#duty
    const title = `${name}/${salt}/${i}`
    const [id] = [...this.#mine.keys()].slice(i % 3)
    if (kind === 0 || kind === 3 || id === undefined) return this.#create(title)
    if (kind === 1) {
      const json = await this.#ask(getTask, { id })
      if (json !== undefined) this.#checkTask(json, id, this.#mine.get(id) ?? '')
    } else if (kind === 2) {
      const { owner, id: foreign } = Worker.#foreign
      const json = owner === name ? null : await this.#ask(getTask, { id: foreign })
      if (json !== null && json !== undefined) this.#wrong(`a foreign task: ${json}`)
    } else if (kind === 4) {
      const row = await this.#ask(patchTask, { id, given: { title } })
      if (row !== undefined) this.#checkTask(JSON.stringify(row), id, title)
    } else if (kind === 5) {
      const list = await this.#ask(listTasks, { limit: 500, skip: 0 })
      if (list !== undefined) this.#checkList(list.json)
    } else if (kind === 6) {
      const put = await this.#ask(putTask, { id, given: { title, ...fields } })
      if (put !== undefined) this.#checkTask(JSON.stringify(put.row), id, title)
      if (put?.made === true) this.#wrong('put made a task that was there')
    } else {
      const deleted = await this.#ask(deleteTask, { id })
      if (deleted === false) this.#wrong('delete found nothing')
      this.#mine.delete(id)
      const said = await this.#ask(whoAmI, { word: title })
      const expected = `${name} ${name} docket_app ${title}`
      if (said !== undefined && said !== expected) this.#wrong(`${said} instead of ${expected}`)
    }
  }

  async #create(title: string): Promise<void> {
    const id = randomUUID()
    const row = await this.#ask(createTask, { id, given: { title, ...fields } })
    if (row !== undefined) this.#checkTask(JSON.stringify(row), id, title)
    Worker.#foreign = { owner: this.#duty.name, id }
  }

  /** Each with the SQLSTATE it has to fail with. */
  #fail(kind: number, i: number): Promise<void> {
    const { name, names } = this.#duty
    const id = randomUUID()
    const other = names[(names.indexOf(name) + 1) % names.length] ?? ''
    const [known] = this.#mine.keys()
    if (kind === 0 && known)
      return this.#expect('23505', createTask, { id: known, given: { title: 'again', ...fields } })
    if (kind === 1) return this.#expect('23514', createTask, { id, given: { title: '', ...fields } })
    if (kind === 2) return this.#expect('22P02', getTask, { id: `no uuid ${i}` })
    if (kind === 3) return this.#expect('22012', writeThenDivide, { id })
    if (kind === 4) return this.#expect('42501', createForOther, { id, title: 'planted', other })
    return this.#expect('23505', failAtCommit, { id })
  }

  /** The answer, or `undefined` when there was none though there had to be. */
  async #ask<Input, Result>(statement: Statement<Input, Result>, input: Input): Promise<Result | undefined> {
    try {
      return await askOne(this.#duty.database, this.#duty.name, statement, input)
    } catch (error) {
      this.#wrong(`${statement.name} failed: ${causeOf(error)}`)
      return undefined
    }
  }

  async #expect<Input, Result>(
    state: string,
    statement: Statement<Input, Result>,
    input: Input,
  ): Promise<void> {
    try {
      const answer = await askOne(this.#duty.database, this.#duty.name, statement, input)
      this.#wrong(`${statement.name} answered ${JSON.stringify(answer)} instead of failing with ${state}`)
    } catch (error) {
      if (causeOf(error) === state) this.#duty.report.failedInside++
      else this.#wrong(`${statement.name} failed with ${causeOf(error)} instead of ${state}`)
    }
  }

  #checkTask(json: string | null, id: string, title: string): void {
    this.#mine.set(id, title)
    const [task] = tasksIn(json)
    if (task?.id !== id || task.title !== title || task.owner_id !== this.#duty.name)
      this.#wrong(`${json} instead of ${id} ${title}`)
  }

  #checkList(json: string): void {
    const listed = tasksIn(json)
    const { name } = this.#duty
    for (const task of listed)
      if (task.owner_id !== name || !task.title?.startsWith(`${name}/`))
        this.#wrong(`listed ${JSON.stringify(task)}`)
    const titles = new Map(listed.map((task) => [task.id, task.title]))
    for (const [id, title] of this.#mine) if (titles.get(id) !== title) this.#wrong(`did not list ${title}`)
  }

  #wrong(what: string): void {
    this.#duty.report.wrong.push(`${this.#duty.name}: ${what}`)
  }
}

/** The tasks of an answer, which may be one that was meant for another statement. */
function tasksIn(answer: string | null): { id?: string; title?: string; owner_id?: string }[] {
  if (answer === null || !/^[[{]/.test(answer)) return []
  const json = JSON.parse(answer)
  return Array.isArray(json) ? json : [json]
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
