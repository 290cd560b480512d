import { readdir, readFile } from 'node:fs/promises'

export type MigrationFile = { readonly name: string; readonly sql: string }

const folder = new URL('../../../migrations/', import.meta.url)

/**
 * The numbered SQL files, in order. `scripts/build.ts` replaces this module with one that contains their text,
 * because a bundler follows imports, not folders.
 */
export async function migrationFiles(): Promise<readonly MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(new URL(name, folder), 'utf8') })),
  )
}
