#!/usr/bin/env node
/**
 * What `npx docket` and `npm start` run: plain JavaScript, so that a Node that cannot read the rest says what to do.
 * The package holds `dist/`, for the reader's own Node. A clone runs the source, by the Node that `npm ci` brings.
 */
import { existsSync } from 'node:fs'

const clone = existsSync(new URL('../src/cli.ts', import.meta.url))
const installed = !clone || existsSync(new URL('../node_modules', import.meta.url))
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const newEnough = clone ? major >= 24 : major > 22 || (major === 22 && minor >= 12)
if (newEnough && installed) await import(clone ? '../src/cli.ts' : '../dist/cli.js')
else {
  const wrong = installed ? `This is Node ${process.versions.node}, and Docket` : 'Docket'
  const advice = clone
    ? 'needs Node 24 and its packages: run npm ci, which brings both, then npm start or npx docket.'
    : 'needs Node 22.12 or newer: install it from https://nodejs.org, then try again.'
  process.stderr.write(`${wrong} ${advice}\n`)
  process.exitCode = 78
}
