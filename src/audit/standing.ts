/** How far a realm's log has come, counted in its store; nothing is verified (SPEC §11.10). @module */

import type { Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store, StoredRow } from '../store/store.ts'
import { readCheckpoint } from './checkpoint.ts'
import { decodeEntry } from './entry.ts'
import { checkpointKey, decodeHead, headKey } from './log-rows.ts'
import { entryStart, readQueueRow } from './queue.ts'

export interface LogStanding {
  /** Entries that are integrated. */
  readonly entries: number
  /** Of these, how many the newest checkpoint signs. */
  readonly signed: number
  /** Entries that wait to be integrated. */
  readonly queued: number
  /** When the oldest of them was made, as it says; `undefined` when none waits. */
  readonly oldestMs: number | undefined
}

/** Reads head, checkpoint and queue. What cannot be read counts as nothing. */
export async function logStanding(
  store: Pick<Store, 'get' | 'scan'>,
  realm: Realm,
  options?: CallOptions,
): Promise<LogStanding> {
  const row = await store.get('log', headKey(realm), options)
  const note = await store.get('log', checkpointKey(realm), options)
  const entries = sizeOf(row, (bytes) => decodeHead(bytes, realm).size)
  const signed = sizeOf(note, (bytes) => readCheckpoint(TEXT.decode(bytes)).size)
  const start = entryStart(realm)
  let queued = 0
  let oldestMs: number | undefined
  for await (const { bytes } of store.scan('queue', new Uint8Array(1), options)) {
    const entry = readQueueRow(bytes)?.entry
    if (entry === undefined || !start.every((byte, index) => entry[index] === byte)) continue
    queued += 1
    oldestMs ??= timeOf(entry)
  }
  return { entries, signed, queued, oldestMs }
}

const TEXT = new TextDecoder()

/** What cannot be read has no size. */
function sizeOf(row: StoredRow | undefined, read: (bytes: Uint8Array) => number): number {
  try {
    return row === undefined ? 0 : read(row.bytes)
  } catch {
    return 0
  }
}

function timeOf(entry: Uint8Array): number | undefined {
  try {
    return decodeEntry(entry).timeMs
  } catch {
    return undefined
  }
}
