/** Verification of inclusion and consistency proofs, step by step as RFC 9162 §2.1.3.2 and §2.1.4.2 (SPEC §14.1). @module */

import { equalBytes } from '../base/bytes.ts'
import { checkBytes, checkInteger } from '../base/check.ts'
import { openCheckpoint } from './checkpoint.ts'
import { AuditError, rejectInput } from './errors.ts'
import { HASH_BYTES, hashLeaf, hashNode } from './tree.ts'

/** Shows that an entry is in the log that `checkpoint` names. */
export interface InclusionProof {
  readonly index: number
  readonly size: number
  readonly hashes: readonly Uint8Array[]
  /** A signed note. */
  readonly checkpoint: string
}

/** A root and how many entries stand under it. */
export interface TreeHead {
  readonly size: number
  readonly root: Uint8Array
}

/** No tree of fewer than 2^53 entries has a longer proof. */
export const MOST_PROOF_HASHES = 63

/**
 * Throws unless the checkpoint is signed by the log's key and the proof leads from the entry to its root:
 * `ERR_AUDIT_KEY`, `ERR_AUDIT_FORMAT` or `ERR_AUDIT_PROOF`.
 *
 * @param logKey the log's verifier key, as text: it names the origin too
 */
export function verifyInclusion(entry: Uint8Array, proof: InclusionProof, logKey: string): void {
  checkBytes(entry, 'entry', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  const { size, root } = openCheckpoint(proof.checkpoint, logKey)
  if (size !== proof.size) throw broken('the proof is for another size than its checkpoint')
  checkInclusion(hashLeaf(entry), proof.index, { size, root }, proof.hashes)
}

/** RFC 9162 §2.1.3.2. Throws `ERR_AUDIT_PROOF`. */
export function checkInclusion(
  leaf: Uint8Array,
  index: number,
  { size, root }: TreeHead,
  proof: readonly Uint8Array[],
): void {
  checkHashes([leaf, root, ...proof])
  checkInteger(size, 'size', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  checkInteger(index, 'index', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  if (index >= size) throw broken('the entry lies behind the end of the tree')
  const walk = new Walk(index, size - 1)
  let hash = leaf
  for (const step of proof) hash = walk.isLeft() ? hashNode(step, hash) : hashNode(hash, step)
  if (!walk.isDone() || !equalBytes(hash, root)) throw broken('the proof does not lead to the root')
}

/** RFC 9162 §2.1.4.2; from an empty tree and between trees of one size the proof is empty. Throws `ERR_AUDIT_PROOF`. */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): void {
  checkHashes([older.root, newer.root, ...proof])
  checkInteger(newer.size, 'size', [0, Number.MAX_SAFE_INTEGER], rejectInput)
  checkInteger(older.size, 'size', [0, newer.size], rejectInput)
  const same = older.size === newer.size
  if (same || older.size === 0) {
    if (proof.length > 0 || (same && !equalBytes(older.root, newer.root)))
      throw broken('the trees are not consistent')
    return
  }
  const [first, ...rest] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof
  if (first === undefined || proof.length === 0) throw broken('the trees are not consistent')
  const walk = new Walk(older.size - 1, newer.size - 1)
  walk.skipOdd()
  let olderHash = first
  let newerHash = first
  for (const step of rest) {
    if (walk.isLeft()) {
      olderHash = hashNode(step, olderHash)
      newerHash = hashNode(step, newerHash)
    } else newerHash = hashNode(newerHash, step)
  }
  if (!walk.isDone() || !equalBytes(olderHash, older.root) || !equalBytes(newerHash, newer.root))
    throw broken('the trees are not consistent')
}

/** The two numbers, `fn` and `sn`, that say on which side each hash of a proof belongs. */
class Walk {
  #first: number
  #second: number

  constructor(first: number, second: number) {
    this.#first = first
    this.#second = second
  }

  /** Goes one step up; true when the hash stands to the left. */
  isLeft(): boolean {
    if (this.#second === 0) throw broken('the proof is too long')
    const left = this.#first % 2 === 1 || this.#first === this.#second
    if (left) while (this.#first % 2 === 0 && this.#first > 0) this.#shift()
    this.#shift()
    return left
  }

  skipOdd(): void {
    while (this.#first % 2 === 1) this.#shift()
  }

  isDone(): boolean {
    return this.#second === 0
  }

  #shift(): void {
    this.#first = Math.floor(this.#first / 2)
    this.#second = Math.floor(this.#second / 2)
  }
}

function isPowerOfTwo(n: number): boolean {
  let rest = n
  while (rest % 2 === 0) rest /= 2
  return rest === 1
}

function checkHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.length > MOST_PROOF_HASHES + 2) throw broken('the proof is too long')
  for (const hash of hashes) checkBytes(hash, 'hash', HASH_BYTES, rejectInput)
}

function broken(why: string): AuditError {
  return new AuditError('ERR_AUDIT_PROOF', why)
}
