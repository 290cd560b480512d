import * as modules from 'node:module'
import { fileURLToPath } from 'node:url'
import * as v8 from 'node:v8'

/**
 * Has Node keep what it compiled for the next start, and find the modules of `drizzle-orm` without its manifest:
 * Node parses that file's 180 kB again for each of a hundred modules, which is half of a start and 150 MB. Only
 * the command does this; an app that mounts the API keeps its own ways. To be called before anything is imported.
 *
 * Bun, Deno and early releases of Node 22 lack one or both; there a start takes longer.
 */
export function quickenImports(): void {
  const { enableCompileCache, registerHooks }: Partial<typeof modules> = modules
  // Not in the system's temporary folder, where somebody else could put code in our way.
  enableCompileCache?.(fileURLToPath(new URL('../../node_modules/.cache/docket', import.meta.url)))
  registerHooks?.({
    resolve(specifier, context, next) {
      const { parentURL } = context
      const within = parentURL !== undefined && /\/node_modules\/drizzle-orm\/.*\.js$/.test(parentURL)
      if (!within || !/^\.{1,2}\/.*\.js$/.test(specifier)) return next(specifier, context)
      return { url: new URL(specifier, parentURL).href, format: 'module', shortCircuit: true }
    },
  })
}

/**
 * Has V8 compile WebAssembly once and leave it at that: optimising the embedded Postgres takes 500 MB and both
 * cores for the first minute, and its statements get no faster by it. To be called before it is loaded.
 */
export function compileWasmOnce(): void {
  // Bun has another engine.
  const { setFlagsFromString }: Partial<typeof v8> = v8
  setFlagsFromString?.('--no-wasm-tier-up')
  setFlagsFromString?.('--no-wasm-dynamic-tiering')
}
