import * as modules from 'node:module'
import { fileURLToPath } from 'node:url'
import * as v8 from 'node:v8'

/**
 * Lets Node keep its compiled code for the next start, and find the modules of `drizzle-orm` without its manifest.
 * Node parses that 180 kB file again for each of a hundred modules, which is half of a start and 150 MB. Only the
 * command does this; an app that mounts the API keeps its own settings. Call it before any other import.
 *
 * Bun, Deno and early releases of Node 22 lack one or both, so a start takes longer there.
 */
export function quickenImports(): void {
  const { enableCompileCache, registerHooks }: Partial<typeof modules> = modules
  // Not in the system's temporary folder, where other users could plant code.
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
 * Makes V8 compile WebAssembly once, without optimising. Optimising the embedded Postgres takes 500 MB and both cores
 * for the first minute, and makes its statements no faster. Call it before Postgres is loaded.
 */
export function compileWasmOnce(): void {
  // Bun has another engine.
  const { setFlagsFromString }: Partial<typeof v8> = v8
  setFlagsFromString?.('--no-wasm-tier-up')
  setFlagsFromString?.('--no-wasm-dynamic-tiering')
}
