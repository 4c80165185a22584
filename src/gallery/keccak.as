/**
 * TurboSHAKE128 for two short messages at once, in AssemblyScript: a lane of each in one vector (RFC 9861).
 *
 * Primitives come from libsodium and noble everywhere else. Here they do not: a search makes the key stream of every shard,
 * 31,250 of them for a million members, and libsodium takes 3 µs for each, as long as the rotation that it steers; two at
 * once take 1.4, and other threads need no libsodium of their own. It decides who is found and protects nothing by itself:
 * streams that are stored or sealed under never come from here. A test compares it with libsodium's, a known answer is
 * asked for before it is used, and it has neither branches nor addresses that depend on its input.
 */

/** The constants of the last twelve rounds of Keccak-f[1600]. */
const IOTA: usize = memory.data<u64>([
  0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
  0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
  0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
], 16)

/** Bytes of the state that take input or give output. */
const RATE: usize = 168

@inline
function turn(lane: v128, left: i32): v128 {
  return v128.or(i64x2.shl(lane, left), i64x2.shr_u(lane, 64 - left))
}

/** One step of χ: `lane` with the two that follow it in its row. */
@inline
function chi(lane: v128, next: v128, second: v128): v128 {
  return v128.xor(lane, v128.andnot(second, next))
}

/** Vectors of a state, one for each of its 25 lanes. */
const STATE: usize = 400

/**
 * One round from a state to another, row by row: the rows that are not at work stay in memory, as a processor has 16
 * vectors.
 */
@inline
function round(from: usize, to: usize, constant: usize): void {
  let c0 = v128.load(from, 0)
  let c1 = v128.load(from, 16)
  let c2 = v128.load(from, 32)
  let c3 = v128.load(from, 48)
  let c4 = v128.load(from, 64)
  c0 = v128.xor(c0, v128.load(from, 80))
  c1 = v128.xor(c1, v128.load(from, 96))
  c2 = v128.xor(c2, v128.load(from, 112))
  c3 = v128.xor(c3, v128.load(from, 128))
  c4 = v128.xor(c4, v128.load(from, 144))
  c0 = v128.xor(c0, v128.load(from, 160))
  c1 = v128.xor(c1, v128.load(from, 176))
  c2 = v128.xor(c2, v128.load(from, 192))
  c3 = v128.xor(c3, v128.load(from, 208))
  c4 = v128.xor(c4, v128.load(from, 224))
  c0 = v128.xor(c0, v128.load(from, 240))
  c1 = v128.xor(c1, v128.load(from, 256))
  c2 = v128.xor(c2, v128.load(from, 272))
  c3 = v128.xor(c3, v128.load(from, 288))
  c4 = v128.xor(c4, v128.load(from, 304))
  c0 = v128.xor(c0, v128.load(from, 320))
  c1 = v128.xor(c1, v128.load(from, 336))
  c2 = v128.xor(c2, v128.load(from, 352))
  c3 = v128.xor(c3, v128.load(from, 368))
  c4 = v128.xor(c4, v128.load(from, 384))
  const d0 = v128.xor(c4, turn(c1, 1))
  const d1 = v128.xor(c0, turn(c2, 1))
  const d2 = v128.xor(c1, turn(c3, 1))
  const d3 = v128.xor(c2, turn(c4, 1))
  const d4 = v128.xor(c3, turn(c0, 1))
  let b0 = v128.xor(v128.load(from, 0), d0)
  let b1 = turn(v128.xor(v128.load(from, 96), d1), 44)
  let b2 = turn(v128.xor(v128.load(from, 192), d2), 43)
  let b3 = turn(v128.xor(v128.load(from, 288), d3), 21)
  let b4 = turn(v128.xor(v128.load(from, 384), d4), 14)
  v128.store(to, v128.xor(chi(b0, b1, b2), v128.load_splat<u64>(constant)), 0)
  v128.store(to, chi(b1, b2, b3), 16)
  v128.store(to, chi(b2, b3, b4), 32)
  v128.store(to, chi(b3, b4, b0), 48)
  v128.store(to, chi(b4, b0, b1), 64)
   b0 = turn(v128.xor(v128.load(from, 48), d3), 28)
   b1 = turn(v128.xor(v128.load(from, 144), d4), 20)
   b2 = turn(v128.xor(v128.load(from, 160), d0), 3)
   b3 = turn(v128.xor(v128.load(from, 256), d1), 45)
   b4 = turn(v128.xor(v128.load(from, 352), d2), 61)
  v128.store(to, chi(b0, b1, b2), 80)
  v128.store(to, chi(b1, b2, b3), 96)
  v128.store(to, chi(b2, b3, b4), 112)
  v128.store(to, chi(b3, b4, b0), 128)
  v128.store(to, chi(b4, b0, b1), 144)
   b0 = turn(v128.xor(v128.load(from, 16), d1), 1)
   b1 = turn(v128.xor(v128.load(from, 112), d2), 6)
   b2 = turn(v128.xor(v128.load(from, 208), d3), 25)
   b3 = turn(v128.xor(v128.load(from, 304), d4), 8)
   b4 = turn(v128.xor(v128.load(from, 320), d0), 18)
  v128.store(to, chi(b0, b1, b2), 160)
  v128.store(to, chi(b1, b2, b3), 176)
  v128.store(to, chi(b2, b3, b4), 192)
  v128.store(to, chi(b3, b4, b0), 208)
  v128.store(to, chi(b4, b0, b1), 224)
   b0 = turn(v128.xor(v128.load(from, 64), d4), 27)
   b1 = turn(v128.xor(v128.load(from, 80), d0), 36)
   b2 = turn(v128.xor(v128.load(from, 176), d1), 10)
   b3 = turn(v128.xor(v128.load(from, 272), d2), 15)
   b4 = turn(v128.xor(v128.load(from, 368), d3), 56)
  v128.store(to, chi(b0, b1, b2), 240)
  v128.store(to, chi(b1, b2, b3), 256)
  v128.store(to, chi(b2, b3, b4), 272)
  v128.store(to, chi(b3, b4, b0), 288)
  v128.store(to, chi(b4, b0, b1), 304)
   b0 = turn(v128.xor(v128.load(from, 32), d2), 62)
   b1 = turn(v128.xor(v128.load(from, 128), d3), 55)
   b2 = turn(v128.xor(v128.load(from, 224), d4), 39)
   b3 = turn(v128.xor(v128.load(from, 240), d0), 41)
   b4 = turn(v128.xor(v128.load(from, 336), d1), 2)
  v128.store(to, chi(b0, b1, b2), 320)
  v128.store(to, chi(b1, b2, b3), 336)
  v128.store(to, chi(b2, b3, b4), 352)
  v128.store(to, chi(b3, b4, b0), 368)
  v128.store(to, chi(b4, b0, b1), 384)
}

/** Keccak-p[1600, 12] on two states; behind them lies room for two more. */
function permute(state: usize): void {
  for (let at = IOTA; at < IOTA + 96; at += 16) {
    round(state, state + STATE, at)
    round(state + STATE, state, at + 8)
  }
}

/**
 * The outputs for two messages of 44 bytes: 12 that they share, and a key of 32.
 *
 * @param label 12 bytes
 * @param first where the first output goes: `blocks` times 168 bytes
 * @param room 864 bytes to work in; they keep secrets
 */
export function twoStreams(
  label: usize, firstKey: usize, secondKey: usize, first: usize, second: usize, blocks: i32, room: usize,
): void {
  const state = room + 64
  for (let at = state; at < state + STATE; at += 16) v128.store(at, i64x2.splat(0))
  absorb(label, firstKey, room, state)
  absorb(label, secondKey, room, state + 8)
  for (let block = 0; block < blocks; block++) {
    permute(state)
    for (let at: usize = 0; at < RATE; at += 8) {
      const lanes = v128.load(state + 2 * at)
      v128.store_lane<i64>(first + at, lanes, 0)
      v128.store_lane<i64>(second + at, lanes, 1)
    }
    first += RATE
    second += RATE
  }
}

/** Label, key and padding as the lanes of one state, which are 16 bytes apart: they fill less than one block. */
function absorb(label: usize, key: usize, room: usize, state: usize): void {
  store<u64>(room, load<u64>(label))
  store<u32>(room + 8, load<u32>(label, 8))
  v128.store(room + 12, v128.load(key))
  v128.store(room + 28, v128.load(key, 16))
  store<u32>(room + 44, 0x1f)
  for (let at: usize = 0; at < 48; at += 8) store<u64>(state + 2 * at, load<u64>(room + at))
  store<u64>(state + 2 * (RATE - 8), 0x8000000000000000)
}
