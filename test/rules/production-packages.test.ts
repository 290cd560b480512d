import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'

const Names = z.record(z.string(), z.unknown()).default({})
const Package = z.object({
  dev: z.boolean().optional(),
  devOptional: z.boolean().optional(),
  dependencies: Names,
  optionalDependencies: Names,
  peerDependencies: Names,
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean().optional() })).default({}),
})

const packages = new Map(
  Object.entries(
    z
      .object({ packages: z.record(z.string(), Package) })
      .parse(JSON.parse(readFileSync('package-lock.json', 'utf8'))).packages,
  ),
)
const below = 'node_modules/'

/** Where Node finds a package by this name: beside the one that imports it, or nearer to the root. */
function placeOf(name: string, importer: string): string | undefined {
  const place = `${importer === '' ? '' : `${importer}/`}${below}${name}`
  if (packages.has(place)) return place
  return importer === ''
    ? undefined
    : placeOf(name, importer.slice(0, importer.lastIndexOf(below)).slice(0, -1))
}

/** Every package that production can reach. A peer counts unless it is optional. */
function neededInProduction(): Set<string> {
  const needed = new Set([''])
  for (const place of needed) {
    const found = packages.get(place)
    if (found === undefined) continue
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = found
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
    for (const name of [...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers]) {
      const at = placeOf(name, place)
      if (at !== undefined) needed.add(at)
    }
  }
  return needed
}

const kept = [...packages].filter(([, { dev }]) => dev !== true).map(([place]) => place)

test('npm ci --omit=dev leaves out every package that only tests need', () => {
  expect(kept.sort()).toEqual([...neededInProduction()].sort())
  expect([...packages.values()].filter(({ devOptional }) => devOptional)).toEqual([])
  const named = kept.filter((place) => /vitest|rolldown|vite$|@types|typescript|biome|fast-check/.test(place))
  expect(named).toEqual([])
  expect(kept.length).toBeGreaterThan(40)
})

test('npm does not bring a development package back through an optional peer', () => {
  // npm ci works the flags of the lock file out anew, from the same peers.
  expect(readFileSync('.npmrc', 'utf8')).toMatch(/^legacy-peer-deps=true$/m)
})

test('every peer that is not optional is there, since npm does not look', () => {
  const missing = [...packages].flatMap(([place, { peerDependencies, peerDependenciesMeta }]) =>
    Object.keys(peerDependencies)
      .filter((name) => !peerDependenciesMeta[name]?.optional && placeOf(name, place) === undefined)
      .map((name) => `${place} lacks ${name}`),
  )
  expect(missing).toEqual([])
})
