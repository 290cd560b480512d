import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const apps = join(import.meta.dirname, 'apps')

/** How many lines a reader writes, by file, to get from one app to the next. Blank lines and comments do not count. */
export async function ownLines(from: string, to: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const file of globSync('**/*.ts', { cwd: join(apps, to) })) {
    const there = await linesOf(join(apps, from, file))
    const added = (await linesOf(join(apps, to, file))).filter((line) => {
      const at = there.indexOf(line)
      if (at !== -1) there.splice(at, 1)
      return at === -1
    })
    counts[file] = added.length
  }
  return counts
}

async function linesOf(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').filter((line) => line.trim() !== '' && !/^\s*(\/\/|\/?\*)/.test(line))
}
