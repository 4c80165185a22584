/** Which rows the log says are the newest: subject → tags of its state and attempts rows, compactly (SPEC §14.8). @module */

/** Bytes of a handle that find a subject, and of a tag that are compared: both are random to whoever lacks the keys. */
const NAME_WORDS = 3
const TAG_WORDS = 2
const WORDS = NAME_WORDS + 2 * TAG_WORDS
const SHARDS = 256
const LEAST_SLOTS = 8
const MOST_LOAD = 0.88
const GROWTH = 1.2

/** Which of a subject's rows a tag is of. */
export type RowKind = 'state' | 'attempts'

const PLACE: Readonly<Record<RowKind, number>> = { state: NAME_WORDS, attempts: NAME_WORDS + TAG_WORDS }

/**
 * An open-addressed table in 256 parts, each of which grows by a fifth when it is nearly full: at most 40 bytes a subject. It holds
 * 12 bytes of the handle and 8 of each tag.
 */
export class LastChanges {
  readonly #shards: Uint32Array[] = Array.from({ length: SHARDS }, () => new Uint32Array(LEAST_SLOTS * WORDS))
  readonly #counts: number[] = Array.from({ length: SHARDS }, () => 0)
  #size = 0

  /** How many subjects are known. */
  get size(): number {
    return this.#size
  }

  /** Memory of the tables, in bytes. */
  get bytes(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.byteLength, 0)
  }

  /** Takes over what an entry says of a row: the first bytes of its tag, 16 bytes. */
  set(handle: Uint8Array, kind: RowKind, tag: Uint8Array): void {
    const number = shardOf(handle)
    let shard = this.#shards[number] as Uint32Array
    let at = find(shard, word(handle, 0), word(handle, 4), word(handle, 8))
    if (isFree(shard, at)) {
      const count = (this.#counts[number] as number) + 1
      if (count * WORDS > shard.length * MOST_LOAD) {
        shard = grown(shard)
        this.#shards[number] = shard
        at = find(shard, word(handle, 0), word(handle, 4), word(handle, 8))
      }
      for (let i = 0; i < NAME_WORDS; i++) shard[at + i] = word(handle, 4 * i)
      this.#counts[number] = count
      this.#size += 1
    }
    for (let i = 0; i < TAG_WORDS; i++) shard[at + PLACE[kind] + i] = word(tag, 4 * i)
  }

  /** True when the row with this tag is the one that the last entry about it names. */
  isLast(handle: Uint8Array, kind: RowKind, tag: Uint8Array): boolean {
    const shard = this.#shards[shardOf(handle)] as Uint32Array
    const at = find(shard, word(handle, 0), word(handle, 4), word(handle, 8))
    if (isFree(shard, at)) return false
    for (let i = 0; i < TAG_WORDS; i++) if (shard[at + PLACE[kind] + i] !== word(tag, 4 * i)) return false
    return true
  }

  /** True when an entry named the subject. */
  has(handle: Uint8Array): boolean {
    const shard = this.#shards[shardOf(handle)] as Uint32Array
    return !isFree(shard, find(shard, word(handle, 0), word(handle, 4), word(handle, 8)))
  }

  /** What is known, as words: for each subject three of its handle, two of each tag. A copy for each part. */
  *export(): Generator<Uint32Array> {
    for (const [number, shard] of this.#shards.entries()) {
      const words = new Uint32Array((this.#counts[number] as number) * WORDS)
      let to = 0
      for (let at = 0; at < shard.length; at += WORDS) {
        if (isFree(shard, at)) continue
        words.set(shard.subarray(at, at + WORDS), to)
        to += WORDS
      }
      if (to > 0) yield words
    }
  }

  /** Takes back what `export` gave. */
  import(words: Uint32Array): void {
    const row = new Uint8Array(4 * WORDS)
    const view = new DataView(row.buffer)
    for (let at = 0; at + WORDS <= words.length; at += WORDS) {
      for (let i = 0; i < WORDS; i++) view.setUint32(4 * i, words[at + i] as number)
      this.set(row, 'state', row.subarray(4 * PLACE.state))
      this.set(row, 'attempts', row.subarray(4 * PLACE.attempts))
    }
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}

function shardOf(handle: Uint8Array): number {
  return handle[11] as number
}

/** Handles are random: 96 zero bits never name a subject. */
function isFree(shard: Uint32Array, at: number): boolean {
  return shard[at] === 0 && shard[at + 1] === 0 && shard[at + 2] === 0
}

/** Where a subject stands, or would. */
function find(shard: Uint32Array, a: number, b: number, c: number): number {
  const slots = shard.length / WORDS
  let at = Math.floor((a / 2 ** 32) * slots) * WORDS
  while (!isFree(shard, at) && (shard[at] !== a || shard[at + 1] !== b || shard[at + 2] !== c)) {
    at += WORDS
    if (at === shard.length) at = 0
  }
  return at
}

function grown(shard: Uint32Array): Uint32Array {
  const slots = shard.length / WORDS
  const next = new Uint32Array(Math.ceil(slots * GROWTH + 1) * WORDS)
  for (let at = 0; at < shard.length; at += WORDS) {
    if (isFree(shard, at)) continue
    const to = find(next, shard[at] as number, shard[at + 1] as number, shard[at + 2] as number)
    next.set(shard.subarray(at, at + WORDS), to)
  }
  return next
}
