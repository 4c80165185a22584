/** What the tests of commands share: recorded output, and a folder that goes away. @module */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'

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

export const D = 64

/** A folder with embeddings and labels of synthetic people, whose names tell a reader of a report nothing. */
export async function writePeople(
  path: string,
  options: { readonly subjects: number; readonly samples: number; readonly groups?: boolean },
): Promise<string> {
  const { subjects, samples, groups = false } = options
  mkdirSync(path)
  const floats: number[] = []
  const labels = [groups ? 'row,subject,group' : 'row,subject']
  const people = syntheticPeople({ seed: 'people of a test', subjects, samples, dimensions: D })
  for await (const { row, subject, vector } of people.read()) {
    floats.push(...vector)
    const group = Math.floor(row / samples) % 2 === 0 ? 'even <&>' : 'odd'
    labels.push(groups ? `${row},${subject},${group}` : `${row},${subject}`)
  }
  writeFileSync(`${path}/embeddings.f32`, new Uint8Array(Float32Array.from(floats).buffer))
  writeFileSync(`${path}/labels.csv`, labels.join('\n'))
  return path
}
