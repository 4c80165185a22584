/** Eight processes write one log; what it holds in the end, by the library and by an independent verifier (I-45). @module */
/// <reference types="node" />

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { storedLog, verifyLog } from 'guise/audit'
import { lmdbStore } from 'guise/lmdb'
import { rowsOf } from '../support/rows.ts'
import { actorsOf } from './vault-log-driver.ts'
import { basis, openWorld, REALM, sampleOf, worldSigner } from './vault-world.ts'

export interface ChainTally {
  readonly entries: number
  readonly writers: number
  /** Entries of the processes that are missing, or there more than once. */
  readonly faults: readonly string[]
  readonly left: number
  /** What the verifier in Python ended with: 0 when the log holds. */
  readonly python: number | null
}

const PEOPLE = 8

export async function manyWriters(options: {
  readonly compiled: string
  readonly processes: number
  readonly each: number
}): Promise<ChainTally> {
  const { compiled, processes, each } = options
  const base = mkdtempSync(join(tmpdir(), 'guise-writers-'))
  const directory = join(base, 'store')
  mkdirSync(directory, { mode: 0o700 })
  try {
    const world = await openWorld(directory)
    for (let face = 0; face < PEOPLE; face++) {
      await world.vault.enroll({ ...sampleOf(face), subject: `person-${face}`, basis: basis() })
    }
    await world.close()
    const script = join(compiled, 'test', 'fault', 'vault-log-child.js')
    const codes = await Promise.all(
      Array.from({ length: processes }, async (_, i) => {
        const args = [script, directory, `writer-${i}`, String(each), String(PEOPLE)]
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
        const [code] = (await once(child, 'close')) as [number | null]
        return code
      }),
    )
    const ended = codes.filter((code) => code !== 0).map((code) => `a process ended with ${code}`)
    const looked = await look(base, directory, processes, each)
    return { ...looked, faults: [...ended, ...looked.faults] }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

async function look(base: string, directory: string, processes: number, each: number): Promise<ChainTally> {
  const world = await openWorld(directory)
  await world.close()
  await using store = await lmdbStore({ path: directory })
  const { verifierKey } = await worldSigner()
  const { checkpoint, writers } = await verifyLog(storedLog(store, REALM).export(), { logKey: verifierKey })
  const parts: Uint8Array[] = []
  for await (const part of storedLog(store, REALM).export()) parts.push(part)
  const file = join(base, 'export')
  writeFileSync(file, Buffer.concat(parts))
  const verifier = fileURLToPath(new URL('../reference/audit_verify.py', import.meta.url))
  const { status } = spawnSync('python3', [verifier, file, verifierKey], { stdio: 'inherit' })
  const told = await actorsOf(store)
  const faults: string[] = []
  for (let i = 0; i < processes; i++) {
    for (let n = 0; n < each; n++) {
      const times = told.get(`writer-${i}-${n}`) ?? 0
      if (times !== 1) faults.push(`writer-${i}-${n} is there ${times} times`)
    }
  }
  const left = (await rowsOf(store, 'queue')).length
  return { entries: checkpoint.size, writers, faults, left, python: status }
}
