import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export type SourceFile = { readonly path: string; readonly text: string }

/** An import or re-export: `to` is a path from the repository's root for our own files, else a package. */
export type Import = { readonly to: string; readonly line: number; readonly typeOnly: boolean }

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Paths of all files below a folder of the repository, from its root and with `/`; none if it has no such folder. */
export const pathsBelow = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    : []

export const sourcesBelow = (folder: string): SourceFile[] =>
  pathsBelow(folder)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

/** `path:line` of each line that matches and is no comment. */
export const linesWith = ({ path, text }: SourceFile, pattern: RegExp): string[] =>
  text
    .split('\n')
    .flatMap((line, index) =>
      pattern.test(line) && !/^\s*(\/\/|\/?\*)/.test(line) ? [`${path}:${index + 1}`] : [],
    )

const importPattern =
  /^[ \t]*(?:import|export)\b(?<clause>[^'"`;=]*?)\bfrom\s*['"](?<from>[^'"]+)['"]|^[ \t]*import\s*['"](?<bare>[^'"]+)['"]|\bimport\(\s*['"](?<dynamic>[^'"]+)['"]/gm

export const importsOf = ({ path, text }: SourceFile): Import[] =>
  [...text.matchAll(importPattern)].map(({ groups = {}, index }) => {
    const target = groups.from ?? groups.bare ?? groups.dynamic ?? ''
    return {
      to: target.startsWith('.') ? posix.join(posix.dirname(path), target) : target,
      line: text.slice(0, index).split('\n').length,
      typeOnly: groups.clause?.trim().startsWith('type ') ?? false,
    }
  })
