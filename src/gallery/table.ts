/** The codes of a gallery in memory: shard by shard in blocks, off the heap, wiped (SPEC §16.4). @module */

import { secretBytes, wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import { keyStream } from '../transform/stream.ts'
import { rotationSize } from '../transform/suite.ts'
import { type ScanModule, startScan } from './assembly.ts'
import { GALLERY_SUITE } from './declaration.ts'
import { ScanEngine } from './engine.ts'
import { BLOCK_SHARDS, BLOCKS_AT, type Layout, layoutOf } from './layout.ts'

const KEY_BYTES = 32
const HANDLE_BYTES = 16
const PAGE_BYTES = 65_536

/** What a process keeps of one stretch of shards. */
interface Block {
  /** Codes, a bit for each slot in use, keys, and key streams where they are kept: one behind the other as the layout says. */
  readonly shared: Uint8Array
  readonly occupied: Int32Array
  /** How many slots of each shard are filled, holes included. */
  readonly fills: Uint8Array
  readonly handles: Uint8Array
}

/** What a scan sees of one shard: views that live until the next change. */
export interface ShardView {
  readonly number: number
  readonly key: Uint8Array
  readonly fill: number
  /** The code of a slot; `undefined` for a hole. */
  code(slot: number): Uint8Array | undefined
}

/** How an index is kept and searched. */
export interface TableOptions {
  /** Keeps the key streams of shards for rotations of this many dimensions. */
  readonly cacheStreams?: number | undefined
  /** Threads that search, the caller's included. */
  readonly threads?: number
  /** Shards of a block of memory. */
  readonly blockShards?: number
  /** The kernel; `undefined` for none. */
  readonly start?: () => ScanModule | undefined
}

/** Codes, handles and keys of all shards. Shards are added in the order of their numbers. */
export class GalleryTable {
  readonly #layout: Layout
  readonly #cacheStreams: number | undefined
  readonly #threads: number
  readonly #start: () => ScanModule | undefined
  #blocks: Block[] = []
  #scan: ScanModule | undefined
  #engine: ScanEngine | undefined
  #shards = 0
  #members = 0

  constructor(capacity: number, bits: Bits, options: TableOptions = {}) {
    this.#cacheStreams = options.cacheStreams
    this.#threads = options.threads ?? 1
    this.#start = options.start ?? startScan
    this.#layout = layoutOf(capacity, bits, options.blockShards ?? BLOCK_SHARDS, options.cacheStreams)
  }

  /** Shards known: those with the numbers from 1 to this. */
  get shards(): number {
    return this.#shards
  }

  get members(): number {
    return this.#members
  }

  /** Memory of the table, in bytes. */
  get bytes(): number {
    return this.#blocks.reduce(
      (sum, { shared, fills, handles }) => sum + shared.byteLength + fills.byteLength + handles.byteLength,
      0,
    )
  }

  /** Searches the shards in their memory; `undefined` where a scan reads them one by one. */
  get engine(): ScanEngine | undefined {
    return this.#engine
  }

  /** How many slots of a shard are filled. */
  fill(number: number): number {
    const { block, at } = this.#locate(number)
    return block.fills[at] as number
  }

  /** Adds the next shard. @param key 32 bytes, copied */
  addShard(key: Uint8Array): void {
    if (this.#shards % this.#layout.perBlock === 0) this.#blocks.push(this.#newBlock())
    this.#shards += 1
    const { block, at } = this.#locate(this.#shards)
    block.shared.set(key, this.#layout.keysAt + at * KEY_BYTES)
    if (this.#cacheStreams !== undefined) this.#keepStream(block, at, key, this.#cacheStreams)
  }

  /** Fills the next slot of a shard; without a member it is a hole. Both are copied. */
  addSlot(
    number: number,
    member: { readonly handle: Uint8Array; readonly code: Uint8Array } | undefined,
  ): void {
    const { block, at } = this.#locate(number)
    const slot = block.fills[at] as number
    block.fills[at] = slot + 1
    if (member === undefined) return
    this.#codeAt(block, at, slot).set(member.code)
    this.#handleAt(block, at, slot).set(member.handle)
    Atomics.or(block.occupied, at, 1 << slot)
    this.#members += 1
  }

  /** Whose slot it is; `undefined` for a hole. A copy. */
  handle(number: number, slot: number): Uint8Array | undefined {
    const { block, at } = this.#locate(number)
    return isOccupied(block, at, slot) ? this.#handleAt(block, at, slot).slice() : undefined
  }

  /** Wipes a slot: its member has gone. */
  clear(number: number, slot: number): void {
    if (number > this.#shards || slot >= this.fill(number)) return
    const { block, at } = this.#locate(number)
    if (!isOccupied(block, at, slot)) return
    Atomics.and(block.occupied, at, ~(1 << slot))
    wipe(this.#codeAt(block, at, slot), this.#handleAt(block, at, slot))
    this.#members -= 1
  }

  /** What a scan reads of a shard. */
  view(number: number): ShardView {
    const { block, at } = this.#locate(number)
    const keyAt = this.#layout.keysAt + at * KEY_BYTES
    return {
      number,
      key: block.shared.subarray(keyAt, keyAt + KEY_BYTES),
      fill: block.fills[at] as number,
      code: (slot) => (isOccupied(block, at, slot) ? this.#codeAt(block, at, slot) : undefined),
    }
  }

  /** Overwrites everything, and ends the threads that searched it. No search may be under way. */
  async wipe(): Promise<void> {
    for (const { shared, fills, handles } of this.#blocks) wipe(shared, fills, handles)
    const engine = this.#engine
    this.#blocks = []
    this.#scan = undefined
    this.#engine = undefined
    this.#shards = 0
    this.#members = 0
    await engine?.close()
  }

  toString(): string {
    return '[GalleryTable]'
  }

  #newBlock(): Block {
    const { blockBytes, occupiedAt, capacity, perBlock } = this.#layout
    const shared = this.#newMemory(blockBytes)
    return {
      shared,
      occupied: new Int32Array(shared.buffer, shared.byteOffset + occupiedAt, perBlock),
      fills: secretBytes(perBlock),
      handles: new Uint8Array(new ArrayBuffer(perBlock * capacity * HANDLE_BYTES)),
    }
  }

  /** In the memory of the kernel; in a buffer where there is none. One gallery lies in one of both. */
  #newMemory(length: number): Uint8Array {
    if (this.#blocks.length === 0) {
      this.#scan = this.#start()
      if (this.#scan !== undefined) this.#engine = new ScanEngine(this.#scan, this.#layout, this.#threads)
    }
    if (this.#scan === undefined) return new Uint8Array(new ArrayBuffer(length))
    const { memory } = this.#scan
    const from = BLOCKS_AT + this.#blocks.length * length
    const missing = Math.ceil((from + length - memory.buffer.byteLength) / PAGE_BYTES)
    if (missing > 0) memory.grow(missing)
    return new Uint8Array(memory.buffer, from, length)
  }

  #keepStream(block: Block, at: number, key: Uint8Array, dimensions: number): void {
    const { bits, streamsAt, streamBytes } = this.#layout
    const stream = keyStream(GALLERY_SUITE, key, rotationSize(dimensions, bits), bits)
    block.shared.set(stream, streamsAt + at * streamBytes)
    wipe(stream)
  }

  #codeAt(block: Block, at: number, slot: number): Uint8Array {
    const { capacity, codeBytes } = this.#layout
    const place = at * capacity + slot
    return block.shared.subarray(place * codeBytes, (place + 1) * codeBytes)
  }

  #handleAt(block: Block, at: number, slot: number): Uint8Array {
    const place = at * this.#layout.capacity + slot
    return block.handles.subarray(place * HANDLE_BYTES, (place + 1) * HANDLE_BYTES)
  }

  #locate(number: number): { readonly block: Block; readonly at: number } {
    const { perBlock } = this.#layout
    const block = this.#blocks[Math.floor((number - 1) / perBlock)] as Block
    return { block, at: (number - 1) % perBlock }
  }
}

function isOccupied({ occupied }: Block, at: number, slot: number): boolean {
  return (((occupied[at] as number) >>> slot) & 1) === 1
}
