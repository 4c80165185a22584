/** Proofs of the Merkle tree for every size up to 130 and every pair, against the recursive definitions. @module */
import { type MerkleTree, memoryTreeHashes, openTree, verifyConsistency } from 'guise/audit'
import { expect, test } from 'vitest'
import { AuditError } from '../../src/audit/errors.ts'
import { checkInclusion } from '../../src/audit/proof.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import { mth, path, proof, rootOfPath } from '../reference/audit.ts'
import { hex } from '../reference/bytes.ts'

const MOST = 130
const entries = Array.from({ length: MOST }, (_, i) => Uint8Array.of(i, i >> 1, 7))

async function fullTree(): Promise<MerkleTree> {
  const tree = await openTree(memoryTreeHashes())
  await tree.append(entries)
  return tree
}

const roots = Array.from({ length: MOST + 1 }, (_, size) => mth(entries.slice(0, size)))
const head = (size: number): { size: number; root: Uint8Array } => ({ size, root: roots[size] as Uint8Array })
const hexes = (hashes: readonly Uint8Array[]): string => hashes.map(hex).join(' ')

function refuses(call: () => void): boolean {
  try {
    call()
    return false
  } catch (error) {
    return error instanceof AuditError && error.code === 'ERR_AUDIT_PROOF'
  }
}

test('roots of every size, grown one by one, in one go, and looked back at', async () => {
  const full = await fullTree()
  const hashes = memoryTreeHashes()
  let tree = await openTree(hashes)
  for (let size = 0; size <= MOST; size++) {
    expect(hex(tree.root())).toBe(hex(head(size).root))
    expect(hex(await full.rootAt(size))).toBe(hex(head(size).root))
    // Opened again over what was kept.
    tree = await openTree(hashes, size)
    expect(hex(tree.root())).toBe(hex(head(size).root))
    await tree.append(entries.slice(size, size + 1))
  }
})

test('inclusion proofs of every entry in every size', async () => {
  const tree = await fullTree()
  let count = 0
  for (let size = 1; size <= MOST; size++) {
    for (let index = 0; index < size; index++) {
      const found = await tree.inclusion(index, size)
      const leaf = hashLeaf(entries[index] as Uint8Array)
      checkInclusion(leaf, index, head(size), found)
      // The reference slices its entries at every step: one size of sixteen is compared with it hash by hash.
      if (size % 16 === 1 || size > 128) {
        expect(hexes(found)).toBe(hexes(path(index, entries.slice(0, size))))
        expect(hex(rootOfPath(leaf, index, size, found))).toBe(hex(head(size).root))
      }
      count += 1
    }
  }
  expect(count).toBe((MOST * (MOST + 1)) / 2)
})

test('consistency proofs of every pair of sizes', async () => {
  const tree = await fullTree()
  let count = 0
  for (let to = 0; to <= MOST; to++) {
    for (let from = 0; from <= to; from++) {
      const found = await tree.consistency(from, to)
      verifyConsistency(head(from), head(to), found)
      if (to % 16 === 1 || to > 128) expect(hexes(found)).toBe(hexes(proof(from, entries.slice(0, to))))
      count += 1
    }
  }
  expect(count).toBe(((MOST + 1) * (MOST + 2)) / 2)
})

test('a proof for another index, size, root or entry, shorter or longer, is refused', async () => {
  const tree = await fullTree()
  for (const size of [1, 2, 3, 7, 8, 31, 65]) {
    for (let index = 0; index < size; index++) {
      const found = await tree.inclusion(index, size)
      const leaf = hashLeaf(entries[index] as Uint8Array)
      const other = hashLeaf(Uint8Array.of(255))
      const wrong: (() => void)[] = [
        () => checkInclusion(other, index, head(size), found),
        () => checkInclusion(leaf, index, { size, root: other }, found),
        () => checkInclusion(leaf, index, head(size), [...found, other]),
        () => checkInclusion(leaf, size, head(size), found),
        ...found.map((_, i) => () => checkInclusion(leaf, index, head(size), found.with(i, other))),
        ...(found.length > 0 ? [() => checkInclusion(leaf, index, head(size), found.slice(1))] : []),
        ...(found.length > 0 ? [() => checkInclusion(leaf, index, head(size), found.slice(0, -1))] : []),
      ]
      for (const call of wrong) expect(refuses(call), `${index} of ${size}`).toBe(true)
      for (let moved = 0; moved < size; moved++)
        if (moved !== index) expect(refuses(() => checkInclusion(leaf, moved, head(size), found))).toBe(true)
    }
  }
})

test('a consistency proof for other trees, shorter or longer, is refused', async () => {
  const tree = await fullTree()
  const other = hashLeaf(Uint8Array.of(255))
  for (const to of [1, 2, 6, 8, 65, 128, 130]) {
    for (let from = 0; from <= to; from++) {
      const found = await tree.consistency(from, to)
      const [a, b] = [head(from), head(to)]
      const wrong: (() => void)[] = [
        () => verifyConsistency(a, b, [...found, other]),
        ...found.map((_, i) => () => verifyConsistency(a, b, found.with(i, other))),
        ...(from > 0 ? [() => verifyConsistency({ size: from, root: other }, b, found)] : []),
        ...(from > 0 ? [() => verifyConsistency(a, { size: to, root: other }, found)] : []),
        ...(found.length > 0 ? [() => verifyConsistency(a, b, found.slice(1))] : []),
        ...(found.length > 0 ? [() => verifyConsistency(a, b, found.slice(0, -1))] : []),
        ...(found.length > 0 ? [() => verifyConsistency(a, b, [])] : []),
      ]
      for (const call of wrong) expect(refuses(call), `${from} to ${to}`).toBe(true)
    }
  }
})
