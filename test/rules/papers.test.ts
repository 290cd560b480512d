import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { refusalAdvice } from '../../src/auth/refusal.ts'

const papers = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'])

test.each(papers)('every file that %s names is there', (paper) => {
  const text = readFileSync(paper, 'utf8')
  const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)/g)].map(([, path = '']) =>
    join(dirname(paper), path),
  )
  const named = [...text.matchAll(/`((?:src|test|docs|scripts|migrations)\/[\w./-]+\.(?:ts|md|sql))`/g)].map(
    ([, path = '']) => path,
  )
  expect([...links, ...named].filter((path) => !existsSync(path))).toEqual([])
})

test('CONTRIBUTING.md gives a reason for every dependency, and for none that is gone', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  const table = /\| package \| why \|\n[\s\S]+?\n\n/.exec(readFileSync('CONTRIBUTING.md', 'utf8'))?.[0] ?? ''
  const named = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) => cell.match(/[^`, ]+/g))
  expect(named.sort()).toEqual(Object.keys({ ...dependencies, ...peerDependencies }).sort())
})

test('docs/SECURITY.md explains every refusal that has advice', () => {
  const text = readFileSync('docs/SECURITY.md', 'utf8')
  for (const reason of Object.keys(refusalAdvice)) expect(text).toContain(`\`${reason}\``)
})
