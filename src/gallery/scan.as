/**
 * A probe against the codes of shards, in AssemblyScript (SPEC §16.5, step 3). `npm run kernels` compiles it with the
 * rotation of the transform into scan.generated.ts; scan.ts is the same in JavaScript, member by member.
 *
 * The steps of a probe become bits: the signs, and three planes of what |q| has of 4, 2 and 1. With W = Σ |q| a score is
 * S = 2 · Σ 2^p · |plane p AND (code XOR mask XOR signs)| − W, a few population counts a word.
 */

import { rotate } from '../transform/kernel'
import { twoStreams } from './keccak'

/** For tests, which compare it with another implementation. */
export { twoStreams }

/** What all threads read of a search, in 4 bytes each but for the last two. */
const LEVELS: usize = 0
const ROUNDS: usize = 4
const BITS: usize = 8
const STEP: usize = 12
const CAPACITY: usize = 16
const BLOCK_SHARDS: usize = 20
const BLOCKS: usize = 24
const BLOCK_BYTES: usize = 28
const OCCUPIED: usize = 32
const KEYS: usize = 36
const STREAMS: usize = 40
const STREAM_BYTES: usize = 44
const STREAM_BLOCKS: usize = 48
const INTEGERS: usize = 52
/** T² · m, a double. */
const NEAR: usize = 56
const LABEL: usize = 64

/** Where a thread keeps what it works with. */
const FOUND: usize = 0
const ENERGY: usize = 4
const STEPS: usize = 8
const HITS: usize = 16
const PLANES: usize = 1088
const ROOM: usize = 2048
const VALUES: usize = 4096
const FIRST_STREAM: usize = 20480
const SECOND_STREAM: usize = 42240

const MOST_HITS: i32 = 64

/** An empty list of hits. */
export function begin(own: usize): void {
  store<i32>(own, 0, FOUND)
}

/**
 * Takes `count` shards from `first`, counted from 0: every slot in use whose code accepts the probe goes to the list, which keeps
 * the 64 of the highest rank, the highest first, of equal ones those that came first.
 */
export function scan(job: usize, own: usize, first: u32, count: u32): void {
  const levels = load<i32>(job, LEVELS), rounds = load<i32>(job, ROUNDS), bits = load<i32>(job, BITS)
  const cached = load<u32>(job, STREAMS)
  const values = own + VALUES
  const size: usize = (<usize>4) << levels
  const maskAt = <usize>rounds * (((<usize>levels) << (levels - 4)) + ((<usize>1) << (levels - 3)))
  const end = first + count
  for (let shard = first; shard < end; shard++) {
    const occupied = load<u32>(placeOf(job, shard, OCCUPIED, 4))
    if (cached == 0 && ((shard - first) & 1) == 0) {
      const other = shard + 1 < end ? shard + 1 : shard
      twoStreams(
        job + LABEL, placeOf(job, shard, KEYS, 32), placeOf(job, other, KEYS, 32),
        own + FIRST_STREAM, own + SECOND_STREAM, load<i32>(job, STREAM_BLOCKS), own + ROOM,
      )
    }
    if (occupied == 0) continue
    const stream = cached != 0
      ? placeOf(job, shard, STREAMS, load<u32>(job, STREAM_BYTES))
      : own + (((shard - first) & 1) == 0 ? FIRST_STREAM : SECOND_STREAM)
    const integers = load<u32>(job, INTEGERS)
    for (let at: usize = 0; at < size; at += 32) {
      v128.store(values + at, v128.load(integers + at))
      v128.store(values + at, v128.load(integers + at, 16), 16)
    }
    rotate(values, stream, levels, rounds)
    makePlanes(own, stream + maskAt, bits, load<i32>(job, STEP))
    const codes = blockOf(job, shard) +
      (<usize>(shard % load<u32>(job, BLOCK_SHARDS)) * load<u32>(job, CAPACITY)) * (bits >> 3)
    scoreAll(own, codes, occupied, bits, load<f64>(job, NEAR), shard)
  }
}

@inline
function blockOf(job: usize, shard: u32): usize {
  return load<u32>(job, BLOCKS) + (shard / load<u32>(job, BLOCK_SHARDS)) * load<u32>(job, BLOCK_BYTES)
}

/** Where something of a shard lies, of which a block has a list. */
@inline
function placeOf(job: usize, shard: u32, list: usize, length: u32): usize {
  return blockOf(job, shard) + load<u32>(job + list) + (shard % load<u32>(job, BLOCK_SHARDS)) * length
}

/** The bits of 16 masks. */
@inline
function sixteen(a: v128, b: v128, c: v128, d: v128): u16 {
  return <u16>i8x16.bitmask(i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)))
}

@inline
function magnitude(value: v128): v128 {
  return i32x4.shl(i32x4.abs(value), 1)
}

/**
 * The planes of a probe, a quarter of 512 bytes each: mask XOR signs, then what |q| has of 4, 2 and 1; with W and Q. Digits of |q|
 * as kernel.ts finds them, by comparisons with 7Δ, 3Δ and Δ.
 */
function makePlanes(own: usize, mask: usize, bits: i32, step: i32): void {
  const values = own + VALUES, planes = own + PLANES
  const seven = i32x4.splat(7 * step), three = i32x4.splat(3 * step), one = i32x4.splat(step)
  const eight = i32x4.splat(8 * step), four = i32x4.splat(4 * step)
  for (let i: usize = 0; i < <usize>bits; i += 16) {
    const at = values + (i << 2), out = planes + (i >> 3)
    const v0 = v128.load(at), v1 = v128.load(at, 16), v2 = v128.load(at, 32), v3 = v128.load(at, 48)
    store<u16>(out, sixteen(v0, v1, v2, v3) ^ load<u16>(mask + (i >> 3)))
    let r0 = magnitude(v0), r1 = magnitude(v1), r2 = magnitude(v2), r3 = magnitude(v3)
    let m0 = i32x4.ge_s(r0, seven), m1 = i32x4.ge_s(r1, seven), m2 = i32x4.ge_s(r2, seven), m3 = i32x4.ge_s(r3, seven)
    store<u16>(out, sixteen(m0, m1, m2, m3), 128)
    r0 = i32x4.sub(r0, v128.and(m0, eight)); r1 = i32x4.sub(r1, v128.and(m1, eight))
    r2 = i32x4.sub(r2, v128.and(m2, eight)); r3 = i32x4.sub(r3, v128.and(m3, eight))
    m0 = i32x4.ge_s(r0, three); m1 = i32x4.ge_s(r1, three); m2 = i32x4.ge_s(r2, three); m3 = i32x4.ge_s(r3, three)
    store<u16>(out, sixteen(m0, m1, m2, m3), 256)
    r0 = i32x4.sub(r0, v128.and(m0, four)); r1 = i32x4.sub(r1, v128.and(m1, four))
    r2 = i32x4.sub(r2, v128.and(m2, four)); r3 = i32x4.sub(r3, v128.and(m3, four))
    m0 = i32x4.ge_s(r0, one); m1 = i32x4.ge_s(r1, one); m2 = i32x4.ge_s(r2, one); m3 = i32x4.ge_s(r3, one)
    store<u16>(out, sixteen(m0, m1, m2, m3), 384)
  }
  let steps: u64 = 0, energy: u64 = 0
  for (let at = planes; at < planes + (<usize>bits >> 3); at += 8) {
    const a = load<u64>(at, 128), b = load<u64>(at, 256), c = load<u64>(at, 384)
    const ones = popcnt(a), twos = popcnt(b), units = popcnt(c)
    steps += 4 * ones + 2 * twos + units
    energy += 16 * ones + 4 * twos + units + 16 * popcnt(a & b) + 8 * popcnt(a & c) + 4 * popcnt(b & c)
  }
  store<i32>(own, <i32>steps, STEPS)
  store<i32>(own, <i32>energy, ENERGY)
}

/** What one word of a code adds to half of S + W. */
@inline
function share(code: usize, planes: usize): u64 {
  const bits = load<u64>(code) ^ load<u64>(planes)
  return 4 * popcnt(bits & load<u64>(planes, 128)) + 2 * popcnt(bits & load<u64>(planes, 256)) +
    popcnt(bits & load<u64>(planes, 384))
}

/** Scores the slots in use of a shard. */
function scoreAll(own: usize, codes: usize, occupied: u32, bits: i32, near: f64, shard: u32): void {
  const planes = own + PLANES
  const codeBytes = <usize>bits >> 3
  const steps = load<i32>(own, STEPS), energy = <f64>load<i32>(own, ENERGY)
  const least = near * energy
  for (; occupied != 0; occupied &= occupied - 1) {
    const slot = ctz(occupied)
    const code = codes + slot * codeBytes
    let half: u64 = 0
    if (codeBytes == 64) {
      half = share(code, planes) + share(code + 8, planes + 8) + share(code + 16, planes + 16) +
        share(code + 24, planes + 24) + share(code + 32, planes + 32) + share(code + 40, planes + 40) +
        share(code + 48, planes + 48) + share(code + 56, planes + 56)
    } else {
      for (let at: usize = 0; at < codeBytes; at += 8) half += share(code + at, planes + at)
    }
    const sum = 2 * <i32>half - steps
    const positive = <f64>sum
    if (sum > 0 && positive * positive * 1e8 >= least) insert(own, positive / Math.sqrt(energy), shard, slot | (<u32>sum << 8))
  }
}

/** Adds a hit behind those that are as high. `slot`: with S above its eight bits. */
function insert(own: usize, rank: f64, shard: u32, slot: u32): void {
  const hits = own + HITS
  const found = load<i32>(own, FOUND)
  if (found == MOST_HITS && load<f64>(hits + 16 * (MOST_HITS - 1)) >= rank) return
  const grown = found < MOST_HITS ? found + 1 : found
  let at = hits + 16 * <usize>(grown - 1)
  while (at > hits && load<f64>(at - 16) < rank) {
    v128.store(at, v128.load(at - 16))
    at -= 16
  }
  store<f64>(at, rank)
  store<u32>(at, shard, 8)
  store<u32>(at, slot, 12)
  store<i32>(own, grown, FOUND)
}
