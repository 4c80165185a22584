/** Where things lie in the memory that the threads of a scan share (SPEC §16.4). @module */

import type { Bits } from '../policy/operating-point.ts'
import { rotationBytes, rotationSize } from '../transform/suite.ts'
import { GALLERY_SUITE, MOST_THREADS } from './declaration.ts'

const PAGE_BYTES = 65_536

/** The first page: a few words that threads count with, the search, and the integers of the probe. */
export const CONTROL_AT = 2048
export const JOB_AT = 4096
export const INTEGERS_AT = 8192
/** A page for each thread to work in, then the blocks of the index. */
export const OWN_AT: number = PAGE_BYTES
export const OWN_BYTES: number = PAGE_BYTES
export const BLOCKS_AT: number = OWN_AT + MOST_THREADS * OWN_BYTES

/** What one output of TurboSHAKE128 takes from each permutation. */
const RATE_BYTES = 168
const KEY_BYTES = 32
const OCCUPIED_BYTES = 4

/** A block of 1,024 shards of 32 members of 512 bits takes 2.1 MB. */
export const BLOCK_SHARDS = 1024

/** How the index of one gallery is laid out: blocks of shards, one list behind the other. */
export interface Layout {
  readonly bits: Bits
  /** Slots of a shard. */
  readonly capacity: number
  readonly codeBytes: number
  /** Shards of a block. */
  readonly perBlock: number
  readonly blockBytes: number
  /** Within a block: a bit for each slot in use, keys, and key streams, 0 where they are made anew for each search. */
  readonly occupiedAt: number
  readonly keysAt: number
  readonly streamsAt: number
  /** From one key stream to the next. */
  readonly streamBytes: number
}

/** `dimensions`: of the model, where key streams are kept. */
export function layoutOf(
  capacity: number,
  bits: Bits,
  perBlock: number,
  dimensions: number | undefined,
): Layout {
  const codeBytes = bits / 8
  const occupiedAt = perBlock * capacity * codeBytes
  const keysAt = occupiedAt + perBlock * OCCUPIED_BYTES
  const behind = keysAt + perBlock * KEY_BYTES
  const streamBytes = dimensions === undefined ? 0 : 8 * Math.ceil((keyStreamBytes(dimensions, bits) + 3) / 8)
  return {
    bits,
    capacity,
    codeBytes,
    perBlock,
    blockBytes: behind + perBlock * streamBytes,
    occupiedAt,
    keysAt,
    streamsAt: streamBytes === 0 ? 0 : behind,
    streamBytes,
  }
}

/** Shards that one memory of 4 GiB holds. */
export function mostShards({ perBlock, blockBytes }: Layout): number {
  return perBlock * Math.floor((2 ** 32 - BLOCKS_AT) / blockBytes)
}

/** Bytes of the key stream of a shard with its mask. */
export function keyStreamBytes(dimensions: number, bits: Bits): number {
  return rotationBytes(GALLERY_SUITE, rotationSize(dimensions, bits)) + bits / 8
}

/** Permutations that give so many bytes. */
export function streamBlocks(bytes: number): number {
  return Math.ceil(bytes / RATE_BYTES)
}
