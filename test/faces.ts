/** Made-up vectors and keys that depend on a label only, for tests. @module */
import { turboshake128 } from '../src/crypto/xof.ts'

/** Bytes that look random; needs `cryptoReady()`. */
export function bytesOf(label: string, length: number): Uint8Array {
  return turboshake128(new TextEncoder().encode(label), length)
}

/** A vector of about normal, centred values: sums of four uniform ones. */
export function faceOf(label: string, dimensions: number): Float32Array {
  const words = new DataView(bytesOf(label, 8 * dimensions).buffer)
  return Float32Array.from({ length: dimensions }, (_, i) => {
    let sum = 0
    for (let k = 0; k < 4; k++) sum += words.getUint16(8 * i + 2 * k, true)
    return (sum - 2 * 0xffff) / 0xffff
  })
}

/** Another capture of the same face: the more noise, the less alike. */
export function captureOf(label: string, dimensions: number, capture: string, noise: number): Float32Array {
  const other = faceOf(`${label} ${capture}`, dimensions)
  return faceOf(label, dimensions).map((value, i) => value + noise * (other[i] ?? 0))
}
