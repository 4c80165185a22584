/** A folder that goes away with the command, also when the command is interrupted. @module */
/// <reference types="node" />

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A new folder, readable by its owner only; `remove` removes it and everything in it. */
export function temporaryFolder(prefix: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix))
  const remove = (): void => {
    for (const signal of SIGNALS) process.off(signal, interrupt)
    rmSync(path, { recursive: true, force: true })
  }
  const interrupt = (signal: NodeJS.Signals): void => {
    remove()
    // Nobody listens any more: the process ends as the signal says.
    process.kill(process.pid, signal)
  }
  for (const signal of SIGNALS) process.on(signal, interrupt)
  return { path, remove }
}
