#!/usr/bin/env node
/** What `npx docket` and `npm start` run: plain JavaScript, so that a Node that cannot read the source says what to do. */
import { existsSync } from 'node:fs'

const [major = 0] = process.versions.node.split('.').map(Number)
const installed = existsSync(new URL('../node_modules', import.meta.url))
if (major >= 24 && installed) await import('../src/cli.ts')
else {
  const wrong = installed ? `This is Node ${process.versions.node}, and Docket` : 'Docket'
  process.stderr.write(
    `${wrong} needs Node 24 and its packages: run npm ci, which brings both, then npm start or npx docket.\n`,
  )
  process.exitCode = 78
}
