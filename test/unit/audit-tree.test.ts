/** The Merkle tree against the vectors of Certificate Transparency, and its edges. @module */
import { memoryTreeHashes, openTree, verifyConsistency } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { checkInclusion } from '../../src/audit/proof.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import { mth, path, proof } from '../reference/audit.ts'
import { hex, unhex } from '../reference/bytes.ts'
import { codeOf } from '../support/audit.ts'

// The reference tree of Certificate Transparency (RFC 6962), which RFC 9162 hashes in the same way.
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const A = '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7'
const B = '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e'
const C = '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4'
const D = 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b'
const E = 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0'
const F = '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a'
const G = 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'
const PATHS: readonly (readonly [index: number, size: number, hashes: readonly string[]])[] = [
  [0, 1, []],
  [0, 8, [A, B, C]],
  [5, 8, [D, E, G]],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
]
const PROOFS: readonly (readonly [from: number, to: number, hashes: readonly string[]])[] = [
  [1, 1, []],
  [1, 8, [A, B, C]],
  [6, 8, [F, E, G]],
  [2, 5, [B, D]],
]
const entries = LEAVES.map(unhex)

async function tree() {
  const grown = await openTree(memoryTreeHashes())
  await grown.append(entries)
  return grown
}

describe('the reference tree', () => {
  test.each(ROOTS.map((root, size) => [size, root] as const))('root of %i entries', async (size, root) => {
    expect(hex(await (await tree()).rootAt(size))).toBe(root)
    expect(hex(mth(entries.slice(0, size)))).toBe(root)
  })

  test.each(PATHS)('path of entry %i in %i', async (index, size, hashes) => {
    expect((await (await tree()).inclusion(index, size)).map(hex)).toEqual(hashes)
    expect(path(index, entries.slice(0, size)).map(hex)).toEqual(hashes)
    const head = { size, root: unhex(ROOTS[size] as string) }
    checkInclusion(hashLeaf(entries[index] as Uint8Array), index, head, hashes.map(unhex))
  })

  test.each(PROOFS)('consistency from %i to %i', async (from, to, hashes) => {
    expect((await (await tree()).consistency(from, to)).map(hex)).toEqual(hashes)
    expect(proof(from, entries.slice(0, to)).map(hex)).toEqual(hashes)
    const head = (size: number) => ({ size, root: unhex(ROOTS[size] as string) })
    verifyConsistency(head(from), head(to), hashes.map(unhex))
  })
})

describe('edges', () => {
  const root = new Uint8Array(32)

  test.each<[string, () => unknown]>([
    ['a negative size', () => openTree(memoryTreeHashes(), -1)],
    ['an entry that is no bytes', async () => (await tree()).append(['a' as unknown as Uint8Array])],
    ['an index behind the end', async () => (await tree()).inclusion(8)],
    ['a size behind the end', async () => (await tree()).inclusion(0, 9)],
    ['an older size behind the newer', async () => (await tree()).consistency(5, 4)],
    ['a newer size behind the end', async () => (await tree()).consistency(5, 9)],
    ['a root behind the end', async () => (await tree()).rootAt(9)],
    ['a short hash', () => verifyConsistency({ size: 1, root }, { size: 2, root }, [new Uint8Array(31)])],
    ['a shrinking tree', () => verifyConsistency({ size: 2, root }, { size: 1, root }, [])],
    ['a fractional index', () => checkInclusion(root, 0.5, { size: 2, root }, [])],
  ])('%s is a wrong argument', async (_, call) => {
    expect(await codeOf(call)).toBe('ERR_AUDIT_INPUT')
  })

  test.each<[string, () => unknown]>([
    ['from a power of two without a hash', () => verifyConsistency({ size: 2, root }, { size: 3, root }, [])],
    ['from another size without a hash', () => verifyConsistency({ size: 3, root }, { size: 5, root }, [])],
    [
      'more hashes than any tree needs',
      () =>
        verifyConsistency(
          { size: 3, root },
          { size: 5, root },
          Array.from({ length: 64 }, () => root),
        ),
    ],
    ['from nothing with a hash', () => verifyConsistency({ size: 0, root }, { size: 5, root }, [root])],
  ])('a proof %s does not hold', async (_, call) => {
    expect(await codeOf(call)).toBe('ERR_AUDIT_PROOF')
  })

  test('hashes that are not all kept are noticed', async () => {
    expect(await codeOf(() => openTree(memoryTreeHashes(), 5))).toBe('ERR_AUDIT_FORMAT')
    const few = { append: () => undefined, read: () => [] }
    expect(await codeOf(() => openTree(few, 5))).toBe('ERR_AUDIT_FORMAT')
  })

  test('a tree whose hashes could not be kept takes no more', async () => {
    const full = new Error('full')
    const hashes = { append: () => Promise.reject(full), read: () => [] }
    const grown = await openTree(hashes)
    await expect(grown.append(entries)).rejects.toBe(full)
    expect(await codeOf(() => grown.append(entries))).toBe('ERR_AUDIT_INPUT')
  })

  test('proofs of 20,000 entries read a number of hashes that grows with the logarithm', async () => {
    const hashes = memoryTreeHashes()
    let reads = 0
    const counted = {
      append: hashes.append,
      read: (places: readonly number[]) => {
        reads += places.length
        return hashes.read(places)
      },
    }
    const grown = await openTree(counted)
    await grown.append(Array.from({ length: 20_000 }, (_, i) => Uint8Array.of(i, i >> 8)))
    await grown.inclusion(12_345, 19_999)
    await grown.consistency(777, 19_999)
    expect(reads).toBeLessThan(4 * 15)
  })
})
