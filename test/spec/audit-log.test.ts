/** SPEC §14.4: an exported log is verified from its bytes alone. @module */
import { decodeEntry, logSigner, signCheckpoint, verifyLog, writerChain } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { AuditError } from '../../src/audit/errors.ts'
import { exported, verifyExport } from '../reference/audit.ts'
import { hex } from '../reference/bytes.ts'
import {
  checkpointAt,
  codeOf,
  eventAt,
  exportBytes,
  looseExport,
  ORIGIN,
  seed,
  testLog,
} from '../support/audit.ts'

const log = await testLog(40)
const { entries, checkpoint, signer, tree } = log
const { verifierKey: logKey, publicKey } = signer
const bytes = await exportBytes(entries, checkpoint)
const at = (index: number): Uint8Array => entries[index] as Uint8Array

/** The code and the entry of the first fault. */
async function faultOf(changed: readonly Uint8Array[], note = checkpoint.note): Promise<readonly unknown[]> {
  try {
    await verifyLog([looseExport(changed, note)], { logKey })
    return ['none']
  } catch (error) {
    if (error instanceof AuditError) return [error.code, error.index]
    throw error
  }
}

/** The entry with another basis, its last byte. */
/** Three rows that it left alone stand behind the basis. */
const otherBasis = (index: number): Uint8Array => at(index).with(at(index).length - 4, 0)

/** Indexes of the entries of the writer of entry `index`. */
const own = (index: number): number[] => {
  const writers = entries.map((entry) => hex(decodeEntry(entry).writer))
  return writers.flatMap((writer, i) => (writer === writers[index] ? [i] : []))
}

describe('an export', () => {
  test('AUDIT-10 of a whole log verifies, in any pieces, and is the one of the text', async () => {
    expect(hex(bytes)).toBe(hex(exported(checkpoint.note, entries)))
    expect(verifyExport(bytes, ORIGIN, publicKey)).toBe(40)
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
    for (const source of [[bytes], single, [new Uint8Array(0), bytes, new Uint8Array(0)]]) {
      const { checkpoint: found, writers } = await verifyLog(source, { logKey })
      expect([found, writers]).toEqual([checkpoint, 3])
    }
  })

  test('AUDIT-10 of an empty log verifies', async () => {
    const none = await testLog(0)
    const source = await exportBytes([], none.checkpoint)
    expect((await verifyLog([source], { logKey })).checkpoint.size).toBe(0)
  })

  test('AUDIT-10 tells an edit', async () => {
    const [, second = 0, third = 0] = own(0)
    const edited = otherBasis(second)
    // The basis of an entry: still an entry, and its successor does not continue it.
    expect(await faultOf(entries.with(second, edited))).toEqual(['ERR_AUDIT_EDIT', third])
    expect(await faultOf(entries.with(5, Uint8Array.of(1)))).toEqual(['ERR_AUDIT_EDIT', 5])
    const last = entries.length - 1
    expect(await faultOf(entries.with(last, otherBasis(last)))).toEqual(['ERR_AUDIT_EDIT', undefined])
  })

  test('AUDIT-10 tells a deletion, a reorder, a duplication and an insertion', async () => {
    const [first = 0, second = 0, third = 0] = own(0)
    expect(await faultOf(entries.toSpliced(second, 1))).toEqual(['ERR_AUDIT_DELETION', third - 1])
    const swapped = entries.with(first, at(second)).with(second, at(first))
    expect(await faultOf(swapped)).toEqual(['ERR_AUDIT_REORDER', first])
    expect(await faultOf(entries.toSpliced(second + 1, 0, at(second)))).toEqual([
      'ERR_AUDIT_DUPLICATION',
      second + 1,
    ])
    expect(await faultOf(entries.toSpliced(30, 0, at(first)))).toEqual(['ERR_AUDIT_DUPLICATION', 30])
    const forged = writerChain('clinic', { after: at(second) }).next(eventAt(2))
    expect(await faultOf(entries.toSpliced(second + 1, 0, forged))).toEqual([
      'ERR_AUDIT_INSERTION',
      third + 1,
    ])
    const stranger = writerChain('clinic').next(eventAt(0))
    expect(await faultOf([stranger, ...entries])).toEqual(['ERR_AUDIT_INSERTION', 40])
    expect(await faultOf([...entries, stranger])).toEqual(['ERR_AUDIT_INSERTION', 40])
  })

  test('AUDIT-10 tells entries of two writers that changed places by the root', async () => {
    const other = entries.findIndex((_, i) => !own(0).includes(i))
    const [first = 0] = own(0)
    expect(other).toBe(first + 1)
    expect(await faultOf(entries.with(first, at(other)).with(other, at(first)))).toEqual([
      'ERR_AUDIT_EDIT',
      undefined,
    ])
  })

  test('AUDIT-10 tells a truncation, wherever the bytes end', async () => {
    expect(await faultOf(entries.slice(0, -1))).toEqual(['ERR_AUDIT_TRUNCATION', 39])
    expect(await faultOf([])).toEqual(['ERR_AUDIT_TRUNCATION', 0])
    const start = looseExport([], checkpoint.note).length
    for (let length = start; length < bytes.length; length += 11)
      expect(await codeOf(() => verifyLog([bytes.subarray(0, length)], { logKey }))).toBe(
        'ERR_AUDIT_TRUNCATION',
      )
    for (let length = 0; length < start; length++)
      expect(await codeOf(() => verifyLog([bytes.subarray(0, length)], { logKey }))).toBe('ERR_AUDIT_FORMAT')
    const longer = [bytes, Uint8Array.of(0)]
    expect(await codeOf(() => verifyLog(longer, { logKey }))).toBe('ERR_AUDIT_INSERTION')
  })

  test('AUDIT-10 tells a log that was signed with another key', async () => {
    const other = await signCheckpoint(await logSigner(ORIGIN, seed(8)), checkpoint)
    expect(await faultOf(entries, other.note)).toEqual(['ERR_AUDIT_KEY', undefined])
  })

  test('AUDIT-11 is compared with every older checkpoint and the anchor', async () => {
    const older = await Promise.all([0, 1, 17, 17, 40].map((size) => checkpointAt(log, size)))
    const notes = older.map(({ note }) => note)
    const anchor = { read: async () => older[2], advance: async () => undefined }
    const found = await verifyLog([bytes], { logKey, olderCheckpoints: notes.toReversed(), anchor })
    expect(found.compared).toEqual([0, 1, 17, 17, 17, 40])
    const noAnchor = { read: async () => undefined, advance: async () => undefined }
    expect((await verifyLog([bytes], { logKey, anchor: noAnchor })).compared).toEqual([])
  })

  test('AUDIT-11 that is shorter than what is known is truncated, though its own checkpoint is genuine', async () => {
    const short = await checkpointAt(log, 30)
    const source = await exportBytes(entries.slice(0, 30), short)
    await verifyLog([source], { logKey })
    for (const known of [{ olderCheckpoints: [checkpoint.note] }, { anchor: checkpoint }])
      expect(await codeOf(() => verifyLog([source], { logKey, ...known }))).toBe('ERR_AUDIT_TRUNCATION')
  })

  test('AUDIT-11 of another history under the same key is a fork', async () => {
    const other = await testLog(40)
    const known = await checkpointAt(log, 17)
    const source = await exportBytes(other.entries, other.checkpoint)
    for (const options of [{ olderCheckpoints: [known.note] }, { anchor: known }, { anchor: checkpoint }])
      expect(await codeOf(() => verifyLog([source], { logKey, ...options }))).toBe('ERR_AUDIT_FORK')
  })

  test('AUDIT-11 is not compared with what the log has not signed', async () => {
    const forged = await signCheckpoint(await logSigner(ORIGIN, seed(8)), checkpoint)
    const call = (): unknown => verifyLog([bytes], { logKey, olderCheckpoints: [forged.note] })
    expect(await codeOf(call)).toBe('ERR_AUDIT_KEY')
  })

  test('AUDIT-12 is read once, piece by piece, and let go at the first fault', async () => {
    let alive = 0
    let most = 0
    let closed = false
    async function* source(broken: boolean): AsyncGenerator<Uint8Array, void> {
      try {
        for (let i = 0; i < bytes.length; i += 100) {
          alive += 1
          most = Math.max(most, alive)
          yield broken && i > 1000 ? new Uint8Array(100) : bytes.subarray(i, i + 100)
          alive -= 1
        }
      } finally {
        closed = true
      }
    }
    await verifyLog(source(false), { logKey })
    expect(most).toBe(1)
    closed = false
    expect(await codeOf(() => verifyLog(source(true), { logKey }))).toBe('ERR_AUDIT_EDIT')
    expect(closed).toBe(true)
  })

  test('AUDIT-12 with more writers than are allowed is refused', async () => {
    expect(await codeOf(() => verifyLog([bytes], { logKey, maxWriters: 2 }))).toBe('ERR_AUDIT_LIMIT')
    expect((await verifyLog([bytes], { logKey, maxWriters: 3 })).writers).toBe(3)
    expect(tree.size).toBe(40)
  })
})
