import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { refusalAdvice } from '../../src/auth/refusal.ts'

const papers = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'])
const ours = papers.filter((paper) => !paper.startsWith('bench/'))

/** The sentences of a document, without code blocks, tables and comments. Code within a line counts as one word. */
function sentencesOf(paper: string): string[] {
  return proseOf(paper)
    .replaceAll(/`[^`\n]+`/g, 'code')
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .split(/\n\s*\n|\n(?=#|\s*[-*] |\d+\. )|(?<=[.!?:;])\**\s+(?=\S)/)
    .map((sentence) => sentence.replaceAll(/^[\s#*-]+|\*/g, '').replaceAll(/\s+/g, ' '))
    .filter(Boolean)
}

const proseOf = (paper: string) =>
  readFileSync(paper, 'utf8')
    .replaceAll(/^```[\s\S]*?^```$|<!--[\s\S]*?-->/gm, '')
    .replaceAll(/^\|.*$/gm, '')

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

test('README.md has at most 700 words without its code', () => {
  expect(proseOf('README.md').split(/\s+/).length).toBeLessThanOrEqual(700)
})

test('README.md mounts the API as the tested app does', () => {
  const route = readFileSync('test/package/apps/next-docket/app/api/v1/[...path]/route.ts', 'utf8')
  expect(readFileSync('README.md', 'utf8')).toContain(`// app/api/v1/[...path]/route.ts\n${route}`)
})

test.each(ours)('no sentence of %s has a clause as its subject', (paper) => {
  const clause = /^(What|Who|Whose|Whoever|Whatever|So (many|much))\b.*[^?]$/
  expect(sentencesOf(paper).filter((sentence) => clause.test(sentence))).toEqual([])
})

test.each(['README.md', 'docs/GUIDE.md'])('no sentence of %s is longer than 22 words', (paper) => {
  expect(sentencesOf(paper).filter((sentence) => sentence.split(' ').length > 22)).toEqual([])
})
