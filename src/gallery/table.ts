/** The codes of a gallery in memory: shard by shard in blocks, off the heap, wiped (SPEC §16.4). @module */

import { wipe } from '../base/bytes.ts'

const KEY_BYTES = 32
const HANDLE_BYTES = 16
/** A block of 1,024 shards of 32 members of 512 bits takes 2.6 MB. */
const MOST_BLOCK_SHARDS = 1024

/** What a process keeps of one stretch of shards. */
interface Block {
  readonly keys: Uint8Array
  /** How many slots of each shard are filled, holes included. */
  readonly fills: Uint8Array
  readonly codes: Uint8Array
  /** Sixteen zero bytes in a hole. */
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

/** Codes, handles and keys of all shards. Shards are added in the order of their numbers. */
export class GalleryTable {
  readonly #capacity: number
  readonly #codeBytes: number
  readonly #blocks: Block[] = []
  readonly #perBlock: number
  #shards = 0
  #members = 0

  constructor(capacity: number, bits: number, perBlock: number = MOST_BLOCK_SHARDS) {
    this.#capacity = capacity
    this.#codeBytes = bits / 8
    this.#perBlock = perBlock
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
      (sum, { keys, fills, codes, handles }) =>
        sum + keys.byteLength + fills.byteLength + codes.byteLength + handles.byteLength,
      0,
    )
  }

  /** How many slots of a shard are filled. */
  fill(number: number): number {
    const { block, at } = this.#locate(number)
    return block.fills[at] as number
  }

  /** Adds the next shard. @param key 32 bytes, copied */
  addShard(key: Uint8Array): void {
    if (this.#shards % this.#perBlock === 0) this.#blocks.push(this.#newBlock())
    this.#shards += 1
    const { block, at } = this.#locate(this.#shards)
    block.keys.set(key, at * KEY_BYTES)
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
    const place = at * this.#capacity + slot
    block.codes.set(member.code, place * this.#codeBytes)
    block.handles.set(member.handle, place * HANDLE_BYTES)
    this.#members += 1
  }

  /** Whose slot it is; `undefined` for a hole. A copy. */
  handle(number: number, slot: number): Uint8Array | undefined {
    const { block, at } = this.#locate(number)
    const from = (at * this.#capacity + slot) * HANDLE_BYTES
    const handle = block.handles.slice(from, from + HANDLE_BYTES)
    return handle.every((byte) => byte === 0) ? undefined : handle
  }

  /** Wipes a slot: its member has gone. */
  clear(number: number, slot: number): void {
    if (number > this.#shards || slot >= this.fill(number)) return
    if (this.handle(number, slot) === undefined) return
    const { block, at } = this.#locate(number)
    const place = at * this.#capacity + slot
    wipe(
      block.codes.subarray(place * this.#codeBytes, (place + 1) * this.#codeBytes),
      block.handles.subarray(place * HANDLE_BYTES, (place + 1) * HANDLE_BYTES),
    )
    this.#members -= 1
  }

  /** What a scan reads of a shard. */
  view(number: number): ShardView {
    const { block, at } = this.#locate(number)
    const first = at * this.#capacity
    return {
      number,
      key: block.keys.subarray(at * KEY_BYTES, (at + 1) * KEY_BYTES),
      fill: block.fills[at] as number,
      code: (slot) => {
        const place = first + slot
        const handle = block.handles.subarray(place * HANDLE_BYTES, (place + 1) * HANDLE_BYTES)
        if (handle.every((byte) => byte === 0)) return undefined
        return block.codes.subarray(place * this.#codeBytes, (place + 1) * this.#codeBytes)
      },
    }
  }

  /** Overwrites everything. */
  wipe(): void {
    for (const { keys, fills, codes, handles } of this.#blocks) wipe(keys, fills, codes, handles)
    this.#blocks.length = 0
    this.#shards = 0
    this.#members = 0
  }

  toString(): string {
    return '[GalleryTable]'
  }

  #newBlock(): Block {
    const slots = this.#perBlock * this.#capacity
    return {
      keys: new Uint8Array(new ArrayBuffer(this.#perBlock * KEY_BYTES)),
      fills: new Uint8Array(new ArrayBuffer(this.#perBlock)),
      codes: new Uint8Array(new ArrayBuffer(slots * this.#codeBytes)),
      handles: new Uint8Array(new ArrayBuffer(slots * HANDLE_BYTES)),
    }
  }

  #locate(number: number): { readonly block: Block; readonly at: number } {
    const block = this.#blocks[Math.floor((number - 1) / this.#perBlock)] as Block
    return { block, at: (number - 1) % this.#perBlock }
  }
}
