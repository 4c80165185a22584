/** Rows of the queue: entries under a tag, until they are integrated (SPEC §14.6). @module */

import { fixedLabel, readU32be, u32be } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import type { CallOptions } from '../base/errors.ts'
import { mac, verifyMac } from '../crypto/kdf.ts'

/** The realm's log keys. What `key` lends is valid until the next `await`. */
export interface LogKeys {
  /** The version that new rows use. */
  readonly newestVersion: number
  /** Makes the keys of every version known so far readable. */
  load(options?: CallOptions): Promise<void>
  /** Looks whether there are versions that are not known yet. */
  refresh(options?: CallOptions): Promise<void>
  key(version: number): Uint8Array | undefined
}

const LABEL = 'guise/v1/queue'
const TAG_BYTES = 32

/** Where the entry begins in a row. */
export const ENTRY_AT = 4

/** Completes a row whose entry stands at `ENTRY_AT` and ends at `end`; a window on `room`. */
export function sealQueueRow(room: Uint8Array, end: number, version: number, key: Uint8Array): Uint8Array {
  room[0] = version >>> 24
  room[1] = version >>> 16
  room[2] = version >>> 8
  room[3] = version
  room.set(mac(key, [fixedLabel(LABEL), room.subarray(0, end)]), end)
  return room.subarray(0, end + TAG_BYTES)
}

/** A row of the queue as it was read: nothing of it is authentic before `isGenuine`. */
export interface QueueRow {
  readonly version: number
  readonly entry: Uint8Array
  readonly tag: Uint8Array
}

/** Cuts a row; `undefined` when it is none. */
export function readQueueRow(row: Uint8Array): QueueRow | undefined {
  if (row.length <= ENTRY_AT + TAG_BYTES) return undefined
  return {
    version: readU32be(row),
    entry: row.subarray(ENTRY_AT, row.length - TAG_BYTES),
    tag: row.subarray(row.length - TAG_BYTES),
  }
}

/** True when a holder of the realm's keys wrote the row. */
export function isGenuine({ version, entry, tag }: QueueRow, key: Uint8Array): boolean {
  return verifyMac(key, [fixedLabel(LABEL), u32be(version), entry], tag)
}

/** How every entry of a realm begins, so that those of others are passed over unread. */
export function entryStart(realm: string): Uint8Array {
  const arity = 19
  return Uint8Array.of(0x80 + arity, ...encodeCbor([1, 12, realm]).subarray(1))
}
