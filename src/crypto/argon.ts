/** Argon2id (RFC 9106): a key from a passphrase. @module */

import { argon2idAsync } from '@noble/hashes/argon2.js'
import { concatBytes, wipe } from '../base/bytes.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import { rejectInput } from './errors.ts'

/** Cost of one guess: memory in KiB (8 to 2,097,152) and passes over it (1 to 64). One lane. */
export interface ArgonCost {
  readonly memoryKiB: number
  readonly passes: number
}

const KEY_BYTES = 32

/**
 * 32 bytes from a passphrase (0 to 4,096 bytes) and a random salt (8 to 64 bytes; RFC 9106 §3.1 recommends 16),
 * off-heap; the caller wipes them. Yields to the event loop while it works: about 0.2 s for 19 MiB and 2 passes.
 * Which cost is enough is the caller's decision, never that of whoever stored the file. Rejects with
 * `ERR_CRYPTO_INPUT`.
 */
export async function argon2idKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  { memoryKiB, passes }: ArgonCost,
): Promise<Uint8Array<ArrayBuffer>> {
  checkBytes(passphrase, 'passphrase', [0, 4096], rejectInput)
  checkBytes(salt, 'salt', [8, 64], rejectInput)
  checkInteger(memoryKiB, 'memoryKiB', [8, 2_097_152], rejectInput)
  checkInteger(passes, 'passes', [1, 64], rejectInput)
  const maxmem = memoryKiB * 1024 + 1024
  const key = await argon2idAsync(passphrase, salt, {
    m: memoryKiB,
    t: passes,
    p: 1,
    dkLen: KEY_BYTES,
    maxmem,
  })
  const owned = concatBytes(key)
  wipe(key)
  return owned
}
