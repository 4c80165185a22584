/** The arithmetic of a template over integers, without branches on key bits or values (SPEC §5, §6). @module */

import { secretBytes } from '../base/bytes.ts'

/** What a rotation works on. */
export interface Workspace {
  /** n integers, zero at first. */
  readonly values: Int32Array
  /** The key stream of the suite and the mask behind it. */
  readonly stream: Uint8Array<ArrayBuffer>
}

/** Every kernel computes the same integers; kernels differ in speed only. Sizes are checked by whoever calls. */
export interface Kernel {
  /**
   * Buffers where `rotate` is fastest. There may be one set only: whoever asks twice has finished with the first.
   *
   * @param n a power of two from 64 to 4096
   */
  workspace(n: number, streamLength: number): Workspace
  /**
   * Rotates `values` in place. One round is a keyed butterfly, keyed signs, a Walsh–Hadamard transform and a rounding
   * shift.
   *
   * @param values n 32-bit integers, n a power of two from 64 to 4096; sums wrap around
   * @param rounds number of rounds
   * @param stream the key stream, of which the first rounds · (n/2 · log2 n + n) / 8 bytes are read
   */
  rotate(values: Int32Array, rounds: number, stream: Uint8Array): void
  /** Fills `q` with the steps of Δ = `step` of as many first values as it holds, a multiple of 4. */
  quantize(values: Int32Array, step: number, q: Int8Array): void
  /** Fills `bits` with the signs of 8 values a byte, as `signBits` gives them; a multiple of 2. */
  signs(values: Int32Array, bits: Uint8Array): void
}

/**
 * The kernel in plain JavaScript.
 *
 * A key bit becomes a mask of 32 equal bits, and `t = (a ^ b) & mask; a ^= t; b ^= t` exchanges a and b, or does
 * not, with the same instructions and the same addresses. The time goes into loads and stores, so three stages at
 * a time run on eight values held in registers, and from n = 512 on the last stages of a round run together with
 * the first of the next.
 */
export const portableKernel: Kernel = { workspace, rotate, quantize, signs }

function workspace(n: number, streamLength: number): Workspace {
  return { values: new Int32Array(new ArrayBuffer(4 * n)), stream: secretBytes(streamLength) }
}

/**
 * Instead of dividing, 2|v| is compared with 7Δ, then what is left with 3Δ, then with Δ: the three bits of the
 * result, most significant first. The values are biometric: no branch, no address and no division depends on them.
 */
function quantize(values: Int32Array, step: number, q: Int8Array): void {
  for (let j = 0; j < q.length; j++) {
    const value = values[j] as number
    const sign = value >> 31
    let rest = ((value ^ sign) - sign) << 1
    const four = ~((rest - 7 * step) >> 31)
    rest = (rest - (four & (8 * step))) | 0
    const two = ~((rest - 3 * step) >> 31)
    rest = (rest - (two & (4 * step))) | 0
    const one = ~((rest - step) >> 31)
    q[j] = (((four & 4) | (two & 2) | (one & 1)) ^ sign) - sign
  }
}

function signs(values: Int32Array, bits: Uint8Array): void {
  for (let j = 0; j < 8 * bits.length; j++) {
    bits[j >> 3] = (bits[j >> 3] as number) | ((~(values[j] as number) >>> 31) << (j & 7))
  }
}

function rotate(values: Int32Array, rounds: number, stream: Uint8Array): void {
  const n = values.length
  const levels = 31 - Math.clz32(n)
  const stageBytes = n >> 4
  const roundBytes = stageBytes * levels + (n >> 3)
  const bits = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  const fused = n >= 512
  const outer = fused ? 3 : 0
  const far = levels - 6 - outer
  if (fused) exchangeEight(values, bits, 0, n >> 3)
  for (let round = 1, at = 0; round <= rounds; round++, at += roundBytes) {
    const shift = ((round * levels) >> 1) - (((round - 1) * levels) >> 1)
    exchangeFar(values, bits, at + outer * stageBytes, far)
    exchangeMiddle(values, bits, at + (levels - 6) * stageBytes)
    turnNear(values, bits, at + (levels - 3) * stageBytes)
    hadamardEight(values, 8, n === 64 ? shift : 0)
    hadamardFar(values, far, fused ? 0 : shift)
    if (fused && round < rounds) turnEight(values, bits, at + roundBytes, n >> 3, shift)
    else if (fused) hadamardEight(values, n >> 3, shift)
  }
}

/** The last `stages` stages of exchanges, three at most, down to distance 64. */
function exchangeFar(values: Int32Array, bits: DataView, at: number, stages: number): void {
  if (stages === 3) exchangeEight(values, bits, at, 64)
  else if (stages === 2) exchangeFour(values, bits, at)
  else if (stages === 1) exchangeTwo(values, bits, at)
}

/** The first `stages` Walsh–Hadamard stages, three at most, from distance 64 up, then the shift. */
function hadamardFar(values: Int32Array, stages: number, shift: number): void {
  if (stages === 3) hadamardEight(values, 64, shift)
  else if (stages === 2) hadamardFour(values, shift)
  else if (stages === 1) hadamardTwo(values, shift)
}

/** The exchanges at distance 64: 32 pairs share a word of key bits. */
function exchangeTwo(values: Int32Array, bits: DataView, at: number): void {
  for (let block = 0; block < values.length; block += 128) {
    for (let from = 0; from < 64; from += 32) {
      const word = bits.getInt32(at + (((block >> 1) + from) >> 3), true)
      for (let left = 31; left >= 0; left--) {
        const i = block + from + 31 - left
        const x0 = values[i] as number
        const x1 = values[i + 64] as number
        const t = (x0 ^ x1) & ((word << left) >> 31)
        values[i] = x0 ^ t
        values[i + 64] = x1 ^ t
      }
    }
  }
}

/** The exchanges at distances 128 and 64. */
function exchangeFour(values: Int32Array, bits: DataView, at: number): void {
  const stageBytes = values.length >> 4
  for (let block = 0; block < values.length; block += 256) {
    // biome-ignore format: one line is one node of the network
    for (let from = 0; from < 64; from += 32) {
      const first = at + (((block >> 1) + from) >> 3)
      const second = first + stageBytes
      const a0 = bits.getInt32(first, true); const a1 = bits.getInt32(first + 8, true)
      const b0 = bits.getInt32(second, true); const b1 = bits.getInt32(second + 8, true)
      for (let left = 31; left >= 0; left--) {
        const i = block + from + 31 - left
        let x0 = values[i] as number; let x1 = values[i + 64] as number
        let x2 = values[i + 128] as number; let x3 = values[i + 192] as number
        let t = (x0 ^ x2) & ((a0 << left) >> 31); x0 ^= t; x2 ^= t
        t = (x1 ^ x3) & ((a1 << left) >> 31); x1 ^= t; x3 ^= t
        t = (x0 ^ x1) & ((b0 << left) >> 31); values[i] = x0 ^ t; values[i + 64] = x1 ^ t
        t = (x2 ^ x3) & ((b1 << left) >> 31); values[i + 128] = x2 ^ t; values[i + 192] = x3 ^ t
      }
    }
  }
}

/** Three stages of exchanges, at distances 4h, 2h and h, h >= 64. */
function exchangeEight(values: Int32Array, bits: DataView, at: number, h: number): void {
  const stageBytes = values.length >> 4
  const step = h >> 3
  for (let block = 0; block < values.length; block += 8 * h) {
    // biome-ignore format: one line is one node of the network
    for (let from = 0; from < h; from += 32) {
      const first = at + (((block >> 1) + from) >> 3)
      const second = first + stageBytes
      const third = second + stageBytes
      const a0 = bits.getInt32(first, true); const a1 = bits.getInt32(first + step, true)
      const a2 = bits.getInt32(first + 2 * step, true); const a3 = bits.getInt32(first + 3 * step, true)
      const b0 = bits.getInt32(second, true); const b1 = bits.getInt32(second + step, true)
      const b2 = bits.getInt32(second + 2 * step, true); const b3 = bits.getInt32(second + 3 * step, true)
      const c0 = bits.getInt32(third, true); const c1 = bits.getInt32(third + step, true)
      const c2 = bits.getInt32(third + 2 * step, true); const c3 = bits.getInt32(third + 3 * step, true)
      for (let left = 31; left >= 0; left--) {
        const i = block + from + 31 - left
        let x0 = values[i] as number; let x4 = values[i + 4 * h] as number
        let x1 = values[i + h] as number; let x5 = values[i + 5 * h] as number
        let x2 = values[i + 2 * h] as number; let x6 = values[i + 6 * h] as number
        let x3 = values[i + 3 * h] as number; let x7 = values[i + 7 * h] as number
        let t = (x0 ^ x4) & ((a0 << left) >> 31); x0 ^= t; x4 ^= t
        t = (x1 ^ x5) & ((a1 << left) >> 31); x1 ^= t; x5 ^= t
        t = (x2 ^ x6) & ((a2 << left) >> 31); x2 ^= t; x6 ^= t
        t = (x3 ^ x7) & ((a3 << left) >> 31); x3 ^= t; x7 ^= t
        t = (x0 ^ x2) & ((b0 << left) >> 31); x0 ^= t; x2 ^= t
        t = (x1 ^ x3) & ((b1 << left) >> 31); x1 ^= t; x3 ^= t
        t = (x4 ^ x6) & ((b2 << left) >> 31); x4 ^= t; x6 ^= t
        t = (x5 ^ x7) & ((b3 << left) >> 31); x5 ^= t; x7 ^= t
        t = (x0 ^ x1) & ((c0 << left) >> 31); values[i] = x0 ^ t; values[i + h] = x1 ^ t
        t = (x2 ^ x3) & ((c1 << left) >> 31); values[i + 2 * h] = x2 ^ t; values[i + 3 * h] = x3 ^ t
        t = (x4 ^ x5) & ((c2 << left) >> 31); values[i + 4 * h] = x4 ^ t; values[i + 5 * h] = x5 ^ t
        t = (x6 ^ x7) & ((c3 << left) >> 31); values[i + 6 * h] = x6 ^ t; values[i + 7 * h] = x7 ^ t
      }
    }
  }
}

/** The exchanges at distances 32, 16 and 8: within 64 values each stage takes one word of key bits. */
function exchangeMiddle(values: Int32Array, bits: DataView, at: number): void {
  const stageBytes = values.length >> 4
  for (let block = 0; block < values.length; block += 64) {
    const first = at + (block >> 4)
    let a = bits.getInt32(first, true)
    let b = bits.getInt32(first + stageBytes, true)
    let c = bits.getInt32(first + 2 * stageBytes, true)
    // biome-ignore format: one line is one node of the network
    for (let i = block; i < block + 8; i++) {
      let x0 = values[i] as number; let x4 = values[i + 32] as number
      let x1 = values[i + 8] as number; let x5 = values[i + 40] as number
      let x2 = values[i + 16] as number; let x6 = values[i + 48] as number
      let x3 = values[i + 24] as number; let x7 = values[i + 56] as number
      let t = (x0 ^ x4) & ((a << 31) >> 31); x0 ^= t; x4 ^= t
      t = (x1 ^ x5) & ((a << 23) >> 31); x1 ^= t; x5 ^= t
      t = (x2 ^ x6) & ((a << 15) >> 31); x2 ^= t; x6 ^= t
      t = (x3 ^ x7) & ((a << 7) >> 31); x3 ^= t; x7 ^= t
      t = (x0 ^ x2) & ((b << 31) >> 31); x0 ^= t; x2 ^= t
      t = (x1 ^ x3) & ((b << 23) >> 31); x1 ^= t; x3 ^= t
      t = (x4 ^ x6) & ((b << 15) >> 31); x4 ^= t; x6 ^= t
      t = (x5 ^ x7) & ((b << 7) >> 31); x5 ^= t; x7 ^= t
      t = (x0 ^ x1) & ((c << 31) >> 31); values[i] = x0 ^ t; values[i + 8] = x1 ^ t
      t = (x2 ^ x3) & ((c << 23) >> 31); values[i + 16] = x2 ^ t; values[i + 24] = x3 ^ t
      t = (x4 ^ x5) & ((c << 15) >> 31); values[i + 32] = x4 ^ t; values[i + 40] = x5 ^ t
      t = (x6 ^ x7) & ((c << 7) >> 31); values[i + 48] = x6 ^ t; values[i + 56] = x7 ^ t
      a >>= 1; b >>= 1; c >>= 1
    }
  }
}

/** The exchanges at distances 4, 2 and 1, the signs, and the Walsh–Hadamard stages at distances 4, 2 and 1. */
function turnNear(values: Int32Array, bits: DataView, at: number): void {
  const stageBytes = values.length >> 4
  for (let block = 0; block < values.length; block += 32) {
    const first = at + (block >> 4)
    let a = bits.getInt16(first, true)
    let b = bits.getInt16(first + stageBytes, true)
    let c = bits.getInt16(first + 2 * stageBytes, true)
    let signs = bits.getInt32(at + 3 * stageBytes + (block >> 3), true)
    // biome-ignore format: one line is one node of the network
    for (let i = block; i < block + 32; i += 8) {
      let x0 = values[i] as number; let x4 = values[i + 4] as number
      let x1 = values[i + 1] as number; let x5 = values[i + 5] as number
      let x2 = values[i + 2] as number; let x6 = values[i + 6] as number
      let x3 = values[i + 3] as number; let x7 = values[i + 7] as number
      let t = (x0 ^ x4) & ((a << 31) >> 31); x0 ^= t; x4 ^= t
      t = (x1 ^ x5) & ((a << 30) >> 31); x1 ^= t; x5 ^= t
      t = (x2 ^ x6) & ((a << 29) >> 31); x2 ^= t; x6 ^= t
      t = (x3 ^ x7) & ((a << 28) >> 31); x3 ^= t; x7 ^= t
      t = (x0 ^ x2) & ((b << 31) >> 31); x0 ^= t; x2 ^= t
      t = (x1 ^ x3) & ((b << 30) >> 31); x1 ^= t; x3 ^= t
      t = (x4 ^ x6) & ((b << 29) >> 31); x4 ^= t; x6 ^= t
      t = (x5 ^ x7) & ((b << 28) >> 31); x5 ^= t; x7 ^= t
      t = (x0 ^ x1) & ((c << 31) >> 31); x0 ^= t; x1 ^= t
      t = (x2 ^ x3) & ((c << 30) >> 31); x2 ^= t; x3 ^= t
      t = (x4 ^ x5) & ((c << 29) >> 31); x4 ^= t; x5 ^= t
      t = (x6 ^ x7) & ((c << 28) >> 31); x6 ^= t; x7 ^= t
      a >>= 4; b >>= 4; c >>= 4
      t = (signs << 31) >> 31; x0 = ((x0 ^ t) - t) | 0
      t = (signs << 30) >> 31; x1 = ((x1 ^ t) - t) | 0
      t = (signs << 29) >> 31; x2 = ((x2 ^ t) - t) | 0
      t = (signs << 28) >> 31; x3 = ((x3 ^ t) - t) | 0
      t = (signs << 27) >> 31; x4 = ((x4 ^ t) - t) | 0
      t = (signs << 26) >> 31; x5 = ((x5 ^ t) - t) | 0
      t = (signs << 25) >> 31; x6 = ((x6 ^ t) - t) | 0
      t = (signs << 24) >> 31; x7 = ((x7 ^ t) - t) | 0
      signs >>= 8
      const d0 = (x0 + x4) | 0; const d4 = (x0 - x4) | 0; const d1 = (x1 + x5) | 0; const d5 = (x1 - x5) | 0
      const d2 = (x2 + x6) | 0; const d6 = (x2 - x6) | 0; const d3 = (x3 + x7) | 0; const d7 = (x3 - x7) | 0
      const e0 = (d0 + d2) | 0; const e2 = (d0 - d2) | 0; const e1 = (d1 + d3) | 0; const e3 = (d1 - d3) | 0
      const e4 = (d4 + d6) | 0; const e6 = (d4 - d6) | 0; const e5 = (d5 + d7) | 0; const e7 = (d5 - d7) | 0
      values[i] = e0 + e1; values[i + 1] = e0 - e1
      values[i + 2] = e2 + e3; values[i + 3] = e2 - e3
      values[i + 4] = e4 + e5; values[i + 5] = e4 - e5
      values[i + 6] = e6 + e7; values[i + 7] = e6 - e7
    }
  }
}

/** Three Walsh–Hadamard stages, at distances 4h, 2h and h, then the rounding shift, which is none for 0. */
function hadamardEight(values: Int32Array, h: number, shift: number): void {
  const half = (1 << shift) >> 1
  for (let block = 0; block < values.length; block += 8 * h) {
    // biome-ignore format: one line is one node of the network
    for (let i = block; i < block + h; i++) {
      const x0 = values[i] as number; const x4 = values[i + 4 * h] as number
      const x1 = values[i + h] as number; const x5 = values[i + 5 * h] as number
      const x2 = values[i + 2 * h] as number; const x6 = values[i + 6 * h] as number
      const x3 = values[i + 3 * h] as number; const x7 = values[i + 7 * h] as number
      const d0 = (x0 + x4 + half) | 0; const d4 = (x0 - x4 + half) | 0; const d1 = (x1 + x5) | 0; const d5 = (x1 - x5) | 0
      const d2 = (x2 + x6) | 0; const d6 = (x2 - x6) | 0; const d3 = (x3 + x7) | 0; const d7 = (x3 - x7) | 0
      const e0 = (d0 + d2) | 0; const e2 = (d0 - d2) | 0; const e1 = (d1 + d3) | 0; const e3 = (d1 - d3) | 0
      const e4 = (d4 + d6) | 0; const e6 = (d4 - d6) | 0; const e5 = (d5 + d7) | 0; const e7 = (d5 - d7) | 0
      values[i] = (e0 + e1) >> shift; values[i + h] = (e0 - e1) >> shift
      values[i + 2 * h] = (e2 + e3) >> shift; values[i + 3 * h] = (e2 - e3) >> shift
      values[i + 4 * h] = (e4 + e5) >> shift; values[i + 5 * h] = (e4 - e5) >> shift
      values[i + 6 * h] = (e6 + e7) >> shift; values[i + 7 * h] = (e6 - e7) >> shift
    }
  }
}

/** `hadamardEight` of one round and `exchangeEight` of the next in one pass, h >= 64. */
function turnEight(values: Int32Array, bits: DataView, at: number, h: number, shift: number): void {
  const stageBytes = values.length >> 4
  const step = h >> 3
  const half = (1 << shift) >> 1
  for (let block = 0; block < values.length; block += 8 * h) {
    // biome-ignore format: one line is one node of the network
    for (let from = 0; from < h; from += 32) {
      const first = at + (((block >> 1) + from) >> 3)
      const second = first + stageBytes
      const third = second + stageBytes
      const a0 = bits.getInt32(first, true); const a1 = bits.getInt32(first + step, true)
      const a2 = bits.getInt32(first + 2 * step, true); const a3 = bits.getInt32(first + 3 * step, true)
      const b0 = bits.getInt32(second, true); const b1 = bits.getInt32(second + step, true)
      const b2 = bits.getInt32(second + 2 * step, true); const b3 = bits.getInt32(second + 3 * step, true)
      const c0 = bits.getInt32(third, true); const c1 = bits.getInt32(third + step, true)
      const c2 = bits.getInt32(third + 2 * step, true); const c3 = bits.getInt32(third + 3 * step, true)
      for (let left = 31; left >= 0; left--) {
        const i = block + from + 31 - left
        const y0 = values[i] as number; const y4 = values[i + 4 * h] as number
        const y1 = values[i + h] as number; const y5 = values[i + 5 * h] as number
        const y2 = values[i + 2 * h] as number; const y6 = values[i + 6 * h] as number
        const y3 = values[i + 3 * h] as number; const y7 = values[i + 7 * h] as number
        const d0 = (y0 + y4 + half) | 0; const d4 = (y0 - y4 + half) | 0; const d1 = (y1 + y5) | 0; const d5 = (y1 - y5) | 0
        const d2 = (y2 + y6) | 0; const d6 = (y2 - y6) | 0; const d3 = (y3 + y7) | 0; const d7 = (y3 - y7) | 0
        const e0 = (d0 + d2) | 0; const e2 = (d0 - d2) | 0; const e1 = (d1 + d3) | 0; const e3 = (d1 - d3) | 0
        const e4 = (d4 + d6) | 0; const e6 = (d4 - d6) | 0; const e5 = (d5 + d7) | 0; const e7 = (d5 - d7) | 0
        let x0 = (e0 + e1) >> shift; let x1 = (e0 - e1) >> shift
        let x2 = (e2 + e3) >> shift; let x3 = (e2 - e3) >> shift
        let x4 = (e4 + e5) >> shift; let x5 = (e4 - e5) >> shift
        let x6 = (e6 + e7) >> shift; let x7 = (e6 - e7) >> shift
        let t = (x0 ^ x4) & ((a0 << left) >> 31); x0 ^= t; x4 ^= t
        t = (x1 ^ x5) & ((a1 << left) >> 31); x1 ^= t; x5 ^= t
        t = (x2 ^ x6) & ((a2 << left) >> 31); x2 ^= t; x6 ^= t
        t = (x3 ^ x7) & ((a3 << left) >> 31); x3 ^= t; x7 ^= t
        t = (x0 ^ x2) & ((b0 << left) >> 31); x0 ^= t; x2 ^= t
        t = (x1 ^ x3) & ((b1 << left) >> 31); x1 ^= t; x3 ^= t
        t = (x4 ^ x6) & ((b2 << left) >> 31); x4 ^= t; x6 ^= t
        t = (x5 ^ x7) & ((b3 << left) >> 31); x5 ^= t; x7 ^= t
        t = (x0 ^ x1) & ((c0 << left) >> 31); values[i] = x0 ^ t; values[i + h] = x1 ^ t
        t = (x2 ^ x3) & ((c1 << left) >> 31); values[i + 2 * h] = x2 ^ t; values[i + 3 * h] = x3 ^ t
        t = (x4 ^ x5) & ((c2 << left) >> 31); values[i + 4 * h] = x4 ^ t; values[i + 5 * h] = x5 ^ t
        t = (x6 ^ x7) & ((c3 << left) >> 31); values[i + 6 * h] = x6 ^ t; values[i + 7 * h] = x7 ^ t
      }
    }
  }
}

/** The Walsh–Hadamard stage at distance 64, then the shift. */
function hadamardTwo(values: Int32Array, shift: number): void {
  const half = (1 << shift) >> 1
  for (let block = 0; block < values.length; block += 128) {
    for (let i = block; i < block + 64; i++) {
      const x0 = ((values[i] as number) + half) | 0
      const x1 = values[i + 64] as number
      values[i] = (x0 + x1) >> shift
      values[i + 64] = (x0 - x1) >> shift
    }
  }
}

/** The Walsh–Hadamard stages at distances 128 and 64, then the shift. */
function hadamardFour(values: Int32Array, shift: number): void {
  const half = (1 << shift) >> 1
  for (let block = 0; block < values.length; block += 256) {
    // biome-ignore format: one line is one node of the network
    for (let i = block; i < block + 64; i++) {
      const x0 = values[i] as number; const x1 = values[i + 64] as number
      const x2 = values[i + 128] as number; const x3 = values[i + 192] as number
      const d0 = (x0 + x2 + half) | 0; const d2 = (x0 - x2 + half) | 0
      const d1 = (x1 + x3) | 0; const d3 = (x1 - x3) | 0
      values[i] = (d0 + d1) >> shift; values[i + 64] = (d0 - d1) >> shift
      values[i + 128] = (d2 + d3) >> shift; values[i + 192] = (d2 - d3) >> shift
    }
  }
}
