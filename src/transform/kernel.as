/**
 * The keyed rotation in AssemblyScript, four values at a time (SPEC §5). `npm run kernels` compiles it into
 * kernel.generated.ts; kernel.ts is the same in JavaScript, value by value.
 *
 * Where a pair of vectors lies and which bytes of the key stream belong to it depends on sizes only. Four bits of the
 * stream become four lanes of equal bits, and `t = (a ^ b) & mask; a ^= t; b ^= t` exchanges a and b, or does not,
 * by the same instructions. Distances and sizes are in bytes: a value has four.
 *
 * A mask is read by a load of four bytes of which one or two count: up to three bytes behind the stream are read.
 */

/**
 * Vectors of the inner loops. An engine builds a constant anew wherever it is used, which takes longer than to load it.
 */
const LANES: usize = memory.data<i32>([
  1, 2, 4, 8, 16, 32, 64, 128, 1, 4, 16, 64, 2, 8, 32, 128,
  1, 16, 256, 4096, 2, 32, 512, 8192, 4, 64, 1024, 16384, 8, 128, 2048, 32768,
  17, 34, 68, 136,
], 16)

/** Lane k is all ones when bit k of `lanes` is set in the stream at `at`. */
@inline
function mask(at: usize, lanes: v128): v128 {
  return i32x4.eq(v128.and(v128.load_splat<u32>(at), lanes), lanes)
}

/**
 * Rotates in place.
 *
 * @param values n 32-bit integers
 * @param stream the key stream
 * @param levels log2 n, from 6 to 12
 */
export function rotate(values: usize, stream: usize, levels: i32, rounds: i32): void {
  const size: usize = (<usize>4) << levels
  const stage = size >> 6
  const fours = levels % 3 == 0 ? 1 : levels % 3 == 2 ? 2 : 0
  const eights = (levels - 4 - 2 * fours) / 3
  for (let round = 1; round <= rounds; round++) {
    let distance = size
    for (let i = 0; i < eights; i++) {
      distance >>= 3
      exchangeEight(values, size, stream, stage, distance)
      stream += 3 * stage
    }
    for (let i = 0; i < fours; i++) {
      distance >>= 2
      exchangeFour(values, size, stream, stage, distance)
      stream += 2 * stage
    }
    turnSixteen(values, size, stream, stage)
    stream += 4 * stage + (size >> 5)
    const shift = ((round * levels) >> 1) - (((round - 1) * levels) >> 1)
    for (let i = 0; i < fours; i++) {
      if (i + 1 == fours && eights == 0) hadamardFour(values, size, distance, shift)
      else sumFour(values, size, distance)
      distance <<= 2
    }
    for (let i = 0; i < eights; i++) {
      hadamardEight(values, size, distance, i + 1 == eights ? shift : 0)
      distance <<= 3
    }
  }
}

/** Three stages of exchanges, at distances 4h, 2h and h. */
function exchangeEight(values: usize, size: usize, stream: usize, stage: usize, h: usize): void {
  const step = h >> 5
  const end = values + size
  let lanes = i32x4(1, 2, 4, 8)
  for (let block = values; block < end; block += 8 * h) {
    const first = stream + ((block - values) >> 6)
    for (let from: usize = 0; from < h; from += 16) {
      const a = first + (from >> 5)
      const b = a + stage
      const c = b + stage
      const p = block + from
      const p4 = p + 4 * h
      let x0 = v128.load(p), x4 = v128.load(p4)
      let x1 = v128.load(p + h), x5 = v128.load(p4 + h)
      let x2 = v128.load(p + 2 * h), x6 = v128.load(p4 + 2 * h)
      let x3 = v128.load(p + 3 * h), x7 = v128.load(p4 + 3 * h)
      let t = v128.and(v128.xor(x0, x4), mask(a, lanes)); x0 = v128.xor(x0, t); x4 = v128.xor(x4, t)
      t = v128.and(v128.xor(x1, x5), mask(a + step, lanes)); x1 = v128.xor(x1, t); x5 = v128.xor(x5, t)
      t = v128.and(v128.xor(x2, x6), mask(a + 2 * step, lanes)); x2 = v128.xor(x2, t); x6 = v128.xor(x6, t)
      t = v128.and(v128.xor(x3, x7), mask(a + 3 * step, lanes)); x3 = v128.xor(x3, t); x7 = v128.xor(x7, t)
      t = v128.and(v128.xor(x0, x2), mask(b, lanes)); x0 = v128.xor(x0, t); x2 = v128.xor(x2, t)
      t = v128.and(v128.xor(x1, x3), mask(b + step, lanes)); x1 = v128.xor(x1, t); x3 = v128.xor(x3, t)
      t = v128.and(v128.xor(x4, x6), mask(b + 2 * step, lanes)); x4 = v128.xor(x4, t); x6 = v128.xor(x6, t)
      t = v128.and(v128.xor(x5, x7), mask(b + 3 * step, lanes)); x5 = v128.xor(x5, t); x7 = v128.xor(x7, t)
      t = v128.and(v128.xor(x0, x1), mask(c, lanes)); v128.store(p, v128.xor(x0, t)); v128.store(p + h, v128.xor(x1, t))
      t = v128.and(v128.xor(x2, x3), mask(c + step, lanes)); v128.store(p + 2 * h, v128.xor(x2, t)); v128.store(p + 3 * h, v128.xor(x3, t))
      t = v128.and(v128.xor(x4, x5), mask(c + 2 * step, lanes)); v128.store(p4, v128.xor(x4, t)); v128.store(p4 + h, v128.xor(x5, t))
      t = v128.and(v128.xor(x6, x7), mask(c + 3 * step, lanes)); v128.store(p4 + 2 * h, v128.xor(x6, t)); v128.store(p4 + 3 * h, v128.xor(x7, t))
      lanes = v128.xor(lanes, v128.load(LANES, 128))
    }
  }
}

/** Two stages of exchanges, at distances 2h and h. */
function exchangeFour(values: usize, size: usize, stream: usize, stage: usize, h: usize): void {
  const step = h >> 5
  const end = values + size
  let lanes = i32x4(1, 2, 4, 8)
  for (let block = values; block < end; block += 4 * h) {
    const first = stream + ((block - values) >> 6)
    for (let from: usize = 0; from < h; from += 16) {
      const a = first + (from >> 5)
      const b = a + stage
      const p = block + from
      let x0 = v128.load(p), x1 = v128.load(p + h), x2 = v128.load(p + 2 * h), x3 = v128.load(p + 3 * h)
      let t = v128.and(v128.xor(x0, x2), mask(a, lanes)); x0 = v128.xor(x0, t); x2 = v128.xor(x2, t)
      t = v128.and(v128.xor(x1, x3), mask(a + step, lanes)); x1 = v128.xor(x1, t); x3 = v128.xor(x3, t)
      t = v128.and(v128.xor(x0, x1), mask(b, lanes)); v128.store(p, v128.xor(x0, t)); v128.store(p + h, v128.xor(x1, t))
      t = v128.and(v128.xor(x2, x3), mask(b + step, lanes)); v128.store(p + 2 * h, v128.xor(x2, t)); v128.store(p + 3 * h, v128.xor(x3, t))
      lanes = v128.xor(lanes, v128.load(LANES, 128))
    }
  }
}

/**
 * Within 16 values: the exchanges at distances 8, 4, 2 and 1, the signs, the first four Walsh–Hadamard stages. For
 * distances 2 and 1 the four vectors are turned, so that a lane of each makes four neighbours.
 */
function turnSixteen(values: usize, size: usize, stream: usize, stage: usize): void {
  const end = values + size
  let signs = stream + 4 * stage
  for (let p = values; p < end; p += 64) {
    let x0 = v128.load(p), x1 = v128.load(p, 16), x2 = v128.load(p, 32), x3 = v128.load(p, 48)
    const low = v128.load(LANES), high = v128.load(LANES, 16)
    let t = v128.and(v128.xor(x0, x2), mask(stream, low)); x0 = v128.xor(x0, t); x2 = v128.xor(x2, t)
    t = v128.and(v128.xor(x1, x3), mask(stream, high)); x1 = v128.xor(x1, t); x3 = v128.xor(x3, t)
    t = v128.and(v128.xor(x0, x1), mask(stream + stage, low)); x0 = v128.xor(x0, t); x1 = v128.xor(x1, t)
    t = v128.and(v128.xor(x2, x3), mask(stream + stage, high)); x2 = v128.xor(x2, t); x3 = v128.xor(x3, t)

    let a0 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5), a1 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7)
    let a2 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5), a3 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7)
    x0 = v128.shuffle<i64>(a0, a2, 0, 2); x1 = v128.shuffle<i64>(a0, a2, 1, 3)
    x2 = v128.shuffle<i64>(a1, a3, 0, 2); x3 = v128.shuffle<i64>(a1, a3, 1, 3)

    const even = v128.load(LANES, 32), odd = v128.load(LANES, 48)
    t = v128.and(v128.xor(x0, x2), mask(stream + 2 * stage, even)); x0 = v128.xor(x0, t); x2 = v128.xor(x2, t)
    t = v128.and(v128.xor(x1, x3), mask(stream + 2 * stage, odd)); x1 = v128.xor(x1, t); x3 = v128.xor(x3, t)
    t = v128.and(v128.xor(x0, x1), mask(stream + 3 * stage, even)); x0 = v128.xor(x0, t); x1 = v128.xor(x1, t)
    t = v128.and(v128.xor(x2, x3), mask(stream + 3 * stage, odd)); x2 = v128.xor(x2, t); x3 = v128.xor(x3, t)

    t = mask(signs, v128.load(LANES, 64)); x0 = i32x4.sub(v128.xor(x0, t), t)
    t = mask(signs, v128.load(LANES, 80)); x1 = i32x4.sub(v128.xor(x1, t), t)
    t = mask(signs, v128.load(LANES, 96)); x2 = i32x4.sub(v128.xor(x2, t), t)
    t = mask(signs, v128.load(LANES, 112)); x3 = i32x4.sub(v128.xor(x3, t), t)

    a0 = i32x4.add(x0, x1); a1 = i32x4.sub(x0, x1); a2 = i32x4.add(x2, x3); a3 = i32x4.sub(x2, x3)
    x0 = i32x4.add(a0, a2); x2 = i32x4.sub(a0, a2); x1 = i32x4.add(a1, a3); x3 = i32x4.sub(a1, a3)

    a0 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5); a1 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7)
    a2 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5); a3 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7)
    x0 = v128.shuffle<i64>(a0, a2, 0, 2); x1 = v128.shuffle<i64>(a0, a2, 1, 3)
    x2 = v128.shuffle<i64>(a1, a3, 0, 2); x3 = v128.shuffle<i64>(a1, a3, 1, 3)

    a0 = i32x4.add(x0, x1); a1 = i32x4.sub(x0, x1); a2 = i32x4.add(x2, x3); a3 = i32x4.sub(x2, x3)
    v128.store(p, i32x4.add(a0, a2)); v128.store(p, i32x4.add(a1, a3), 16)
    v128.store(p, i32x4.sub(a0, a2), 32); v128.store(p, i32x4.sub(a1, a3), 48)
    stream++
    signs += 2
  }
}

/** Two Walsh–Hadamard stages, at distances 2h and h. */
function sumFour(values: usize, size: usize, h: usize): void {
  const end = values + size
  for (let block = values; block < end; block += 4 * h) {
    for (let p = block; p < block + h; p += 16) {
      const x0 = v128.load(p), x1 = v128.load(p + h), x2 = v128.load(p + 2 * h), x3 = v128.load(p + 3 * h)
      const d0 = i32x4.add(x0, x2), d2 = i32x4.sub(x0, x2), d1 = i32x4.add(x1, x3), d3 = i32x4.sub(x1, x3)
      v128.store(p, i32x4.add(d0, d1)); v128.store(p + h, i32x4.sub(d0, d1))
      v128.store(p + 2 * h, i32x4.add(d2, d3)); v128.store(p + 3 * h, i32x4.sub(d2, d3))
    }
  }
}

/** Two Walsh–Hadamard stages, at distances 2h and h, then the rounding shift. */
function hadamardFour(values: usize, size: usize, h: usize, shift: i32): void {
  const half = i32x4.splat((1 << shift) >> 1)
  const end = values + size
  for (let block = values; block < end; block += 4 * h) {
    for (let p = block; p < block + h; p += 16) {
      const x0 = i32x4.add(v128.load(p), half), x1 = v128.load(p + h)
      const x2 = v128.load(p + 2 * h), x3 = v128.load(p + 3 * h)
      const d0 = i32x4.add(x0, x2), d2 = i32x4.sub(x0, x2), d1 = i32x4.add(x1, x3), d3 = i32x4.sub(x1, x3)
      v128.store(p, i32x4.shr_s(i32x4.add(d0, d1), shift)); v128.store(p + h, i32x4.shr_s(i32x4.sub(d0, d1), shift))
      v128.store(p + 2 * h, i32x4.shr_s(i32x4.add(d2, d3), shift)); v128.store(p + 3 * h, i32x4.shr_s(i32x4.sub(d2, d3), shift))
    }
  }
}

/** Three Walsh–Hadamard stages, at distances 4h, 2h and h, then the rounding shift, which is none for 0. */
function hadamardEight(values: usize, size: usize, h: usize, shift: i32): void {
  const half = i32x4.splat((1 << shift) >> 1)
  const end = values + size
  for (let block = values; block < end; block += 8 * h) {
    for (let p = block; p < block + h; p += 16) {
      const p4 = p + 4 * h
      const x0 = i32x4.add(v128.load(p), half), x1 = v128.load(p + h), x2 = v128.load(p + 2 * h), x3 = v128.load(p + 3 * h)
      const x4 = v128.load(p4), x5 = v128.load(p4 + h), x6 = v128.load(p4 + 2 * h), x7 = v128.load(p4 + 3 * h)
      const d0 = i32x4.add(x0, x4), d4 = i32x4.sub(x0, x4), d1 = i32x4.add(x1, x5), d5 = i32x4.sub(x1, x5)
      const d2 = i32x4.add(x2, x6), d6 = i32x4.sub(x2, x6), d3 = i32x4.add(x3, x7), d7 = i32x4.sub(x3, x7)
      const e0 = i32x4.add(d0, d2), e2 = i32x4.sub(d0, d2), e1 = i32x4.add(d1, d3), e3 = i32x4.sub(d1, d3)
      const e4 = i32x4.add(d4, d6), e6 = i32x4.sub(d4, d6), e5 = i32x4.add(d5, d7), e7 = i32x4.sub(d5, d7)
      v128.store(p, i32x4.shr_s(i32x4.add(e0, e1), shift)); v128.store(p + h, i32x4.shr_s(i32x4.sub(e0, e1), shift))
      v128.store(p + 2 * h, i32x4.shr_s(i32x4.add(e2, e3), shift)); v128.store(p + 3 * h, i32x4.shr_s(i32x4.sub(e2, e3), shift))
      v128.store(p4, i32x4.shr_s(i32x4.add(e4, e5), shift)); v128.store(p4 + h, i32x4.shr_s(i32x4.sub(e4, e5), shift))
      v128.store(p4 + 2 * h, i32x4.shr_s(i32x4.add(e6, e7), shift)); v128.store(p4 + 3 * h, i32x4.shr_s(i32x4.sub(e6, e7), shift))
    }
  }
}

/** The first `count` values in steps from −7 to 7, a byte each: as kernel.ts does it, by the same subtractions. */
export function quantize(values: usize, out: usize, count: i32, step: i32): void {
  const seven = i32x4.splat(7 * step), three = i32x4.splat(3 * step), one = i32x4.splat(step)
  const eight = i32x4.splat(8 * step), four = i32x4.splat(4 * step)
  for (let i = 0; i < count; i += 4) {
    const value = v128.load(values)
    const sign = i32x4.shr_s(value, 31)
    let rest = i32x4.shl(i32x4.sub(v128.xor(value, sign), sign), 1)
    const notFour = i32x4.shr_s(i32x4.sub(rest, seven), 31)
    rest = i32x4.sub(rest, v128.andnot(eight, notFour))
    const notTwo = i32x4.shr_s(i32x4.sub(rest, three), 31)
    rest = i32x4.sub(rest, v128.andnot(four, notTwo))
    const notOne = i32x4.shr_s(i32x4.sub(rest, one), 31)
    // A mask of ones is −1: 7 − 4 − 2 − 1 when all three hold.
    let steps = i32x4.add(i32x4.add(i32x4.splat(7), i32x4.shl(notFour, 2)), i32x4.add(i32x4.shl(notTwo, 1), notOne))
    steps = i32x4.sub(v128.xor(steps, sign), sign)
    const words = i16x8.narrow_i32x4_s(steps, steps)
    store<i32>(out, i32x4.extract_lane(i8x16.narrow_i16x8_s(words, words), 0))
    values += 16
    out += 4
  }
}

/** The signs of the first `count` values, 1 for zero and above, `count` rounded up to 16. */
export function signs(values: usize, out: usize, count: i32): void {
  for (let i = 0; i < count; i += 16) {
    const low = i16x8.narrow_i32x4_s(v128.load(values), v128.load(values, 16))
    const high = i16x8.narrow_i32x4_s(v128.load(values, 32), v128.load(values, 48))
    store<u16>(out, <u16>~i8x16.bitmask(i8x16.narrow_i16x8_s(low, high)))
    values += 64
    out += 2
  }
}
