/** Child process: verifies against rows that others revoke and issue again, and tells what it saw (I-20). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { RevocationEvent } from '../../src/store/revocation-history.ts'
import type { StoredRow } from '../../src/store/store.ts'
import { seeded } from './driver.ts'

const [directory = '', name = '', subjects = '1', variant = ''] = process.argv.slice(2)
const CACHE_MS = 50
const TELL_MS = 50
const store = await lmdbStore({ path: directory })
const random = seeded(Number(name.slice(1)) + 1)
const cache = new Map<number, { readonly row: StoredRow | undefined; readonly at: number }>()

/** CLOCK_MONOTONIC, which all processes of a machine share, in milliseconds. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** The row that is there at one instant between call and return, as a vault sees it: read, then checked in a commit. */
async function look(subject: number): Promise<StoredRow | undefined> {
  const key = Uint8Array.of(subject)
  if (variant === 'cached') {
    const kept = cache.get(subject)
    if (kept !== undefined && now() - kept.at < CACHE_MS) return kept.row
    const row = await store.get('states', key)
    cache.set(subject, { row, at: now() })
    return row
  }
  for (;;) {
    const row = await store.get('states', key)
    try {
      await store.commit([{ step: 'check', table: 'states', key, expected: row?.version ?? null }])
      return row
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STORE_CONFLICT')) throw error
      await setImmediate()
    }
  }
}

/** Of like answers the one that ended first shows most, and the one that began last has most to show. */
const first = new Map<string, RevocationEvent>()
const last = new Map<string, RevocationEvent>()
let verifies = 0

function note(event: RevocationEvent): void {
  const like = `${event.subject} ${event.generation} ${event.outcome}`
  verifies += 1
  if (event.end < (first.get(like)?.end ?? Number.POSITIVE_INFINITY)) first.set(like, event)
  if (event.start > (last.get(like)?.start ?? Number.NEGATIVE_INFINITY)) last.set(like, event)
}

function tell(): void {
  const events = [...new Set([...first.values(), ...last.values()])]
  writeSync(1, `${JSON.stringify({ verifies, events })}\n`)
  first.clear()
  last.clear()
  verifies = 0
}

process.stdin.on('end', () => {
  tell()
  process.exit(0)
})
process.stdin.resume()
writeSync(1, '{"verifies":0,"events":[]}\n')
for (let told = now(); ; ) {
  const subject = Math.floor(random() * Number(subjects))
  const start = now()
  const row = await look(subject)
  const generation = row === undefined ? 0 : new DataView(row.bytes.buffer, row.bytes.byteOffset).getUint32(0)
  const outcome = row === undefined ? 'nonmatch' : row.bytes[4] === 1 ? 'revoked' : 'match'
  note({
    process: name,
    subject: String(subject),
    operation: 'verify',
    generation,
    start,
    end: now(),
    outcome,
  })
  if (now() - told > TELL_MS) {
    tell()
    told = now()
    await setImmediate()
  }
}
