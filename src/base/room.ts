/** Room for secrets that live as long as one call, kept from one to the next. @module */

import { secretBytes, wipe } from './bytes.ts'

const ROOM_BYTES = 1024
const MOST_KEPT = 8

const kept: ArrayBuffer[] = []

/**
 * Zeroed room off the heap, as `secretBytes`, for a secret that ends with the call that asks for it: a buffer of its own for each
 * costs as much as a fifth of the cipher that fills it. Give it back in `finally`.
 *
 * @param length in bytes
 */
export function takeRoom(length: number): Uint8Array<ArrayBuffer> {
  if (length > ROOM_BYTES) return secretBytes(length)
  return new Uint8Array(kept.pop() ?? new ArrayBuffer(ROOM_BYTES), 0, length)
}

/** Wipes a room and keeps it for others: no view of it may be used any more. Given back once at most. */
export function giveRoom(room: Uint8Array<ArrayBuffer>): void {
  wipe(room)
  if (room.buffer.byteLength === ROOM_BYTES && kept.length < MOST_KEPT) kept.push(room.buffer)
}
