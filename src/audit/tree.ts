/** The Merkle tree: hashing, the frontier of a growing tree, proofs from stored hashes (SPEC §14.1, RFC 9162 §2.1). @module */

import { joinBytes, secretBytes } from '../base/bytes.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import { sha256Public } from '../crypto/hash.ts'
import { AuditError, rejectInput } from './errors.ts'

export const HASH_BYTES = 32
const LEAF: Uint8Array = Uint8Array.of(0)
const NODE: Uint8Array = Uint8Array.of(1)
const NOTHING: Uint8Array = new Uint8Array(0)

/** The hash of an entry: `SHA-256(0x00 ‖ entry)`. */
export function hashLeaf(entry: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256Public(joinBytes(LEAF, entry))
}

/** The hash over two subtrees: `SHA-256(0x01 ‖ left ‖ right)`. */
export function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256Public(joinBytes(NODE, left, right))
}

/**
 * The roots of the full subtrees that a tree of some size consists of: all that is needed to append and to tell the
 * root. At most 53 hashes.
 */
export class Frontier {
  #size: number
  readonly #roots: Uint8Array[]

  /** @param roots of the full subtrees, the largest first; as many as `size` has bits set */
  constructor(size = 0, roots: readonly Uint8Array[] = []) {
    this.#size = size
    this.#roots = [...roots]
  }

  get size(): number {
    return this.#size
  }

  /** The roots of the full subtrees, the largest first; a copy of the list. */
  get roots(): readonly Uint8Array[] {
    return [...this.#roots]
  }

  /** A frontier of its own at the same place. */
  clone(): Frontier {
    return new Frontier(this.#size, this.#roots)
  }

  /**
   * Adds an entry by its hash. Returns the hashes that the tree gained, in the order in which they are kept: the entry's, then one
   * for each subtree that it filled.
   */
  append(leaf: Uint8Array): readonly Uint8Array[] {
    const gained = [leaf]
    let hash = leaf
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      hash = hashNode(this.#roots.pop() as Uint8Array, hash)
      gained.push(hash)
    }
    this.#roots.push(hash)
    this.#size += 1
    return gained
  }

  /** The root of the tree as it is now, in a new buffer. */
  root(): Uint8Array {
    return foldRight(this.#roots)
  }
}

/**
 * Where the hashes of full subtrees are kept: one growing list, entry by entry, each entry's hash followed by those of the
 * subtrees that it fills, the smallest first. Nothing in it ever changes. 64 bytes an entry.
 */
export interface TreeHashes {
  append(hashes: readonly Uint8Array[]): void | Promise<void>
  /** The hashes at these places of the list, from 0, in the order asked. */
  read(places: readonly number[]): readonly Uint8Array[] | Promise<readonly Uint8Array[]>
}

/** Hashes in memory, in blocks that are never copied. */
export function memoryTreeHashes(): TreeHashes {
  const blocks: Uint8Array[] = []
  let length = 0
  return {
    append: (hashes) => {
      for (const hash of hashes) {
        if (length % BLOCK_HASHES === 0) blocks.push(secretBytes(BLOCK_HASHES * HASH_BYTES))
        blocks.at(-1)?.set(hash, (length % BLOCK_HASHES) * HASH_BYTES)
        length += 1
      }
    },
    read: (places) =>
      places.map((place) => {
        const at = (place % BLOCK_HASHES) * HASH_BYTES
        const block = place < length ? blocks[Math.floor(place / BLOCK_HASHES)] : undefined
        return Uint8Array.from(block?.subarray(at, at + HASH_BYTES) ?? NOTHING)
      }),
  }
}

const BLOCK_HASHES = 16_384

/** A tree that grows, over hashes that are kept somewhere. One writer: whoever appends must be alone. */
export class MerkleTree {
  readonly #hashes: TreeHashes
  readonly #frontier: Frontier
  #failed = false

  constructor(hashes: TreeHashes, frontier: Frontier) {
    this.#hashes = hashes
    this.#frontier = frontier
  }

  get size(): number {
    return this.#frontier.size
  }

  root(): Uint8Array {
    return this.#frontier.root()
  }

  /**
   * Adds entries in order. When the hashes cannot be kept the tree takes no more: open it again at the size that is known to be
   * kept.
   */
  async append(entries: readonly Uint8Array[]): Promise<void> {
    if (this.#failed) throw rejectInput('the tree could not be kept: open it again')
    for (const entry of entries) checkBytes(entry, 'entry', [0, Number.MAX_SAFE_INTEGER], rejectInput)
    const gained: Uint8Array[] = []
    for (const entry of entries) gained.push(...this.#frontier.append(hashLeaf(entry)))
    try {
      await this.#hashes.append(gained)
    } catch (error) {
      this.#failed = true
      throw error
    }
  }

  /** The root that the tree had at `size`. */
  async rootAt(size: number): Promise<Uint8Array> {
    checkInteger(size, 'size', [0, this.size], rejectInput)
    return foldRight(await readHashes(this.#hashes, cover(0, size)))
  }

  /** The inclusion proof of the entry at `index` in the tree of `size` (RFC 9162 §2.1.3.1). */
  async inclusion(index: number, size: number = this.size): Promise<readonly Uint8Array[]> {
    checkInteger(size, 'size', [1, this.size], rejectInput)
    checkInteger(index, 'index', [0, size - 1], rejectInput)
    const plan: (readonly number[])[] = []
    for (let from = 0, to = size; to - from > 1; ) {
      const middle = from + powerBelow(to - from)
      if (index < middle) {
        plan.push(cover(middle, to))
        to = middle
      } else {
        plan.push(cover(from, middle))
        from = middle
      }
    }
    return this.#carryOut(plan)
  }

  /** The proof that the tree of `from` entries begins the one of `to` (RFC 9162 §2.1.4.1); none is needed from 0 or to itself. */
  async consistency(from: number, to: number = this.size): Promise<readonly Uint8Array[]> {
    checkInteger(to, 'to', [0, this.size], rejectInput)
    checkInteger(from, 'from', [0, to], rejectInput)
    const plan: (readonly number[])[] = []
    let start = 0
    let end = to
    // Down to the subtree that ends where the older tree did.
    for (let inside = from > 0 && from < end; inside; inside = from < end) {
      const middle = start + powerBelow(end - start)
      if (from <= middle) {
        plan.push(cover(middle, end))
        end = middle
      } else {
        plan.push(cover(start, middle))
        start = middle
      }
    }
    if (start > 0) plan.push(cover(start, end))
    return this.#carryOut(plan)
  }

  /** Reads everything that a proof needs at once; the plan is from the root down, a proof from the entry up. */
  async #carryOut(plan: readonly (readonly number[])[]): Promise<readonly Uint8Array[]> {
    const read = await readHashes(this.#hashes, plan.flat())
    let next = 0
    const proof = plan.map((places) => {
      next += places.length
      return foldRight(read.slice(next - places.length, next))
    })
    return proof.reverse()
  }
}

/** Opens the tree of `size` entries over the hashes that were kept for exactly as many. */
export async function openTree(hashes: TreeHashes, size = 0): Promise<MerkleTree> {
  checkInteger(size, 'size', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  return new MerkleTree(hashes, new Frontier(size, await readHashes(hashes, cover(0, size))))
}

async function readHashes(hashes: TreeHashes, places: readonly number[]): Promise<readonly Uint8Array[]> {
  if (places.length === 0) return []
  const read = await hashes.read(places)
  if (read.length !== places.length || read.some((hash) => hash.length !== HASH_BYTES)) {
    throw new AuditError('ERR_AUDIT_FORMAT', 'the hashes of the tree are not all there')
  }
  return read
}

/** The root over neighbouring subtrees, the largest first; of nothing it is the hash of the empty string. */
function foldRight(roots: readonly Uint8Array[]): Uint8Array {
  let root: Uint8Array | undefined
  for (let i = roots.length - 1; i >= 0; i--) {
    const left = roots[i] as Uint8Array
    root = root === undefined ? left : hashNode(left, root)
  }
  return root === undefined ? sha256Public(NOTHING) : Uint8Array.from(root)
}

/** Places of the full subtrees that make up the entries from `from` to `to`, the largest first. */
function cover(from: number, to: number): number[] {
  const places: number[] = []
  for (let start = from; start < to; ) {
    let span = 1
    let level = 0
    while (span * 2 <= to - start) {
      span *= 2
      level += 1
    }
    places.push(placeOf(start + span - 1, level))
    start += span
  }
  return places
}

/** Where the root of the subtree of 2^level entries that ends with the entry `last` is kept: after all that earlier entries gained. */
function placeOf(last: number, level: number): number {
  let ones = 0
  for (let rest = last; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2
  return 2 * last - ones + level
}

/** The largest power of two below `n`, for n of at least 2. */
function powerBelow(n: number): number {
  let power = 1
  while (power * 2 < n) power *= 2
  return power
}
