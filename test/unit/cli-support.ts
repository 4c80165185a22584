/** What the tests of commands share: recorded output, and a folder that goes away. @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Io } from '../../src/cli/io.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command with its words. */
export async function ran(
  command: (argv: readonly string[], io: Io) => Promise<number>,
  argv: readonly string[],
  interactive = false,
): Promise<Ran> {
  let out = ''
  let err = ''
  const io: Io = {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    interactive,
  }
  const code = await command(argv, io)
  return { code, out, err }
}

/** A folder for the tests of one file. */
export function temporaryFolder(): { path: string; at(name: string): string } {
  const folder = { path: '', at: (name: string): string => join(folder.path, name) }
  beforeAll(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'guise-command-'))
  })
  afterAll(() => rmSync(folder.path, { recursive: true, force: true }))
  return folder
}
