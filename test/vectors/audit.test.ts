/** The audit log against the vectors (SPEC §14). @module */
import {
  decodeEntry,
  memoryTreeHashes,
  openCheckpoint,
  openCosignature,
  openTree,
  verifyConsistency,
  verifyInclusion,
  verifyLog,
} from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { ACTION_NUMBERS, BASIS_KINDS, encodeEntry, OUTCOMES } from '../../src/audit/entry.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import file from './audit.json' with { type: 'json' }
import { expectRefused, hex, unhex } from './read.ts'

type Vector = Readonly<Record<string, string>> & { readonly [field: string]: unknown }
const list = (vectors: readonly unknown[], kind: string): Vector[] =>
  (vectors as Vector[]).filter((vector) => vector['kind'] === kind)
const bytes = (vector: Vector, field: string): Uint8Array => unhex(String(vector[field]))

const [log] = list(file.positive, 'log') as [Vector]
const entries = list(file.positive, 'entry').map((vector) => bytes(vector, 'entry'))

test.each(list(file.positive, 'entry'))('$name', (vector) => {
  const entry = decodeEntry(bytes(vector, 'entry'))
  expect([hex(encodeEntry(entry)), hex(hashLeaf(bytes(vector, 'entry')))]).toEqual([
    vector['entry'],
    vector['leaf'],
  ])
  const { timeMs: time, action, outcome, basis, ...rest } = entry
  const texts = Object.entries(rest).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? hex(value) : value,
  ])
  expect(vector['fields']).toEqual({
    ...Object.fromEntries(texts),
    time,
    action: ACTION_NUMBERS[action],
    outcome: OUTCOMES.indexOf(outcome),
    basis: basis === null ? null : BASIS_KINDS.indexOf(basis),
  })
})

test.each(list(file.positive, 'tree'))('$name', async (vector) => {
  const size = Number(vector['size'])
  const tree = await openTree(memoryTreeHashes())
  await tree.append(entries.slice(0, size))
  expect(hex(tree.root())).toBe(vector['root'])
  for (const [index, hashes] of (vector['inclusion'] as unknown as string[][]).entries())
    expect((await tree.inclusion(index)).map(hex)).toEqual(hashes)
  for (const [from, hashes] of (vector['consistency'] as unknown as string[][]).entries()) {
    expect((await tree.consistency(from)).map(hex)).toEqual(hashes)
    const older = { size: from, root: await tree.rootAt(from) }
    verifyConsistency(older, { size, root: tree.root() }, hashes.map(unhex))
  }
})

describe('the log', () => {
  const { key = '', note = '', witnessKey = '', cosignature = '' } = log

  test('has its checkpoint and cosignature', () => {
    expect(openCheckpoint(note, key).size).toBe(entries.length)
    expect(openCosignature(`${note}${cosignature}`, witnessKey).timeSeconds).toBe(log['time'])
  })

  test('verifies, and each entry is in it', async () => {
    const { checkpoint, writers } = await verifyLog([bytes(log, 'export')], { logKey: key })
    expect([checkpoint.origin, writers]).toEqual([log['origin'], 2])
    const [vector] = list(file.positive, 'tree').slice(-1) as [Vector]
    for (const [index, hashes] of (vector['inclusion'] as unknown as string[][]).entries()) {
      const proof = { index, size: entries.length, hashes: hashes.map(unhex), checkpoint: note }
      verifyInclusion(entries[index] as Uint8Array, proof, key)
    }
  })
})

test.each(list(file.negative, 'entry'))('refused: $name', (vector) => {
  expectRefused(() => decodeEntry(bytes(vector, 'entry')), String(vector['code']), String(vector['name']))
})

test.each(list(file.negative, 'note'))('refused: $name', (vector) => {
  const { key = '', note = '', code = '', name = '' } = vector
  expectRefused(() => openCheckpoint(note, key), code, name)
})

test.each(list(file.negative, 'log'))('refused: $name', async (vector) => {
  const { key = '', code } = vector
  await expect(verifyLog([bytes(vector, 'export')], { logKey: key })).rejects.toMatchObject({ code })
})
