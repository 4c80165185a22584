/** How far a realm's log has come, counted in its store; nothing is verified (SPEC §11.10). @module */

import type { Realm } from '../base/brand.ts'
import { type CallOptions, GuiseError } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import { decodeEntry } from './entry.ts'
import { decodeHead, headKey } from './log-rows.ts'
import { entryStart, readQueueRow } from './queue.ts'
import { storedLog } from './stored-log.ts'

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
  const entries = (row && (await readable(async () => decodeHead(row.bytes, realm).size))) ?? 0
  const checkpoint = await readable(() => storedLog(store, realm).checkpoint(options))
  const start = entryStart(realm)
  let queued = 0
  let oldestMs: number | undefined
  for await (const { bytes } of store.scan('queue', new Uint8Array(1), options)) {
    const entry = readQueueRow(bytes)?.entry
    if (entry === undefined || !start.every((byte, index) => entry[index] === byte)) continue
    queued += 1
    oldestMs ??= await readable(async () => decodeEntry(entry).timeMs)
  }
  return { entries, signed: checkpoint?.size ?? 0, queued, oldestMs }
}

async function readable<Value>(read: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof GuiseError && error.code === 'ERR_AUDIT_FORMAT') return undefined
    throw error
  }
}
