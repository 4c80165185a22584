/** The .npy format of NumPy, as far as one vector needs it (NumPy enhancement proposal 1). @module */

import { EmbeddingError } from './errors.ts'
import { float16 } from './float16.ts'

/** Headers that NumPy writes for vectors have 128 bytes; nothing longer is a vector's. */
const MAX_HEADER_BYTES = 1024
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const

/** What NumPy writes, to the letter: `(d,)` or `(1, d)`, in C order, then spaces and one line feed as padding. */
const HEADER =
  /^\{'descr': '<f([248])', 'fortran_order': False, 'shape': \((?:([1-9]\d{0,8}),|1, ([1-9]\d{0,8}))\), \} *\n$/

/** The most bytes that a file with one vector of `dimensions` values can have. */
export function maxNpyBytes(dimensions: number): number {
  return MAX_HEADER_BYTES + 8 * dimensions
}

/**
 * Decodes a file that holds one vector, of shape (d,) or (1, d), in little-endian float16, float32 or float64.
 *
 * @param bytes a copy that nobody else changes, at most `maxNpyBytes(dimensions)`
 * @param into receives the values; its length is the number of dimensions
 */
export function decodeNpy(bytes: Uint8Array, into: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { width, count, offset } = readHeader(bytes, view)
  if (count !== into.length)
    throw new EmbeddingError('ERR_EMBEDDING_LENGTH', 'the .npy array has another length')
  if (bytes.length !== offset + width * count) throw malformed()
  for (let i = 0; i < count; i++) {
    const at = offset + width * i
    if (width === 2) into[i] = float16(view.getUint16(at, true))
    else if (width === 4) into[i] = view.getFloat32(at, true)
    else into[i] = view.getFloat64(at, true)
  }
}

function readHeader(bytes: Uint8Array, view: DataView): { width: number; count: number; offset: number } {
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed()
  const version = view.getUint16(6, true) // major, then minor
  if (version !== 1 && version !== 2) throw malformed()
  const start = version === 1 ? 10 : 12
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > MAX_HEADER_BYTES - start || start + length > bytes.length) throw malformed()
  const header = HEADER.exec(String.fromCharCode(...bytes.subarray(start, start + length)))
  if (header === null) throw malformed()
  return { width: Number(header[1]), count: Number(header[2] ?? header[3]), offset: start + length }
}

function malformed(): EmbeddingError {
  return new EmbeddingError('ERR_EMBEDDING_FORMAT', 'not a .npy file of one little-endian float vector')
}
