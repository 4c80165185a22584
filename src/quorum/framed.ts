/** A header, and a secret number behind it: secrets stay out of CBOR, whose codec keeps copies (SPEC §13.1). @module */

import { concatBytes, readU32be, u32be } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { SCALAR_BYTES } from '../crypto/ristretto.ts'
import { malformed, rejectInput } from './errors.ts'
import { MAX_KEY_BYTES } from './key.ts'

const LENGTH_BYTES = 4
const MAX_BYTES = LENGTH_BYTES + MAX_KEY_BYTES + 64 + SCALAR_BYTES

/** `u32be(length of header) ‖ header ‖ scalar`, off-heap; as secret as the scalar, and wiped by the caller. */
export function frame(header: Uint8Array, scalar: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(u32be(header.length), header, scalar)
}

/** Both parts, borrowed. Throws `ERR_QUORUM_FORMAT`. */
export function unframe(bytes: Uint8Array): { readonly header: Uint8Array; readonly scalar: Uint8Array } {
  checkBytes(bytes, 'bytes', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  if (bytes.length < LENGTH_BYTES + SCALAR_BYTES || bytes.length > MAX_BYTES)
    throw malformed('expected a header and a scalar')
  const end = bytes.length - SCALAR_BYTES
  if (readU32be(bytes) !== end - LENGTH_BYTES) throw malformed('the header has another length')
  return { header: bytes.subarray(LENGTH_BYTES, end), scalar: bytes.subarray(end) }
}
