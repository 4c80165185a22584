/** Child process: enrols every face uniquely, as others do at the same time (GALLERY-19). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { basis, openWorld, sampleOf } from './vault-world.ts'

/** What became of the enrolments of a process. */
export interface UniqueTally {
  readonly enrolled: readonly number[]
  /** Codes of the refusals, with their numbers. */
  readonly refused: Readonly<Record<string, number>>
  /** Calls that were made again because others were faster too often. */
  readonly again: number
}

const [worker = '0', faces = '0', directory = ''] = process.argv.slice(2)
const MOST_TRIES = 20
const world = await openWorld(directory, { gallery: true })
const enrolled: number[] = []
const refused: Record<string, number> = {}
let again = 0
// Everybody has opened the vault before anybody enrols.
writeSync(1, '"open"\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
for (let face = 0; face < Number(faces); face++) await enrol(face)
await world.close()
writeSync(1, `${JSON.stringify({ enrolled, refused, again } satisfies UniqueTally)}\n`)
process.stdin.destroy()

async function enrol(face: number): Promise<void> {
  const subject = `face-${face} by ${worker}`
  for (let attempt = 1; ; attempt++) {
    try {
      await world.vault.enroll({ subject, basis: basis(), unique: true, ...sampleOf(face) })
      enrolled.push(face)
      return
    } catch (error) {
      const { code, retryable } = error as { readonly code?: string; readonly retryable?: boolean }
      if (retryable === true && attempt < MOST_TRIES) {
        again += 1
        continue
      }
      const name = code ?? String(error)
      refused[name] = (refused[name] ?? 0) + 1
      return
    }
  }
}
