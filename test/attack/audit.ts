/** Manipulations of single entries of a log of 1,000, and of bits of 20, each of which must be detected. @module */
import { decodeEntry, encodeEntry, logSigner, signCheckpoint, verifyLog, writerChain } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { AuditError } from '../../src/audit/errors.ts'
import { Frontier, hashLeaf } from '../../src/audit/tree.ts'
import { checkpointAt, eventAt, looseExport, ORIGIN, seed, testLog } from '../support/audit.ts'

const COUNT = 1000
const log = await testLog(COUNT, 5)
const { entries, checkpoint, signer } = log
const logKey = signer.verifierKey
const at = (index: number): Uint8Array => entries[index] as Uint8Array
const forged = Array.from({ length: COUNT }, (_, i) => {
  const chain = writerChain('clinic', { after: at(i) })
  return chain.next(eventAt(i + 1))
})

/** Verification costs what reading the log costs: where only the beginning matters, the rest is left out by the fault itself. */
async function codeOf(
  changed: readonly Uint8Array[],
  note = checkpoint.note,
  older: readonly string[] = [],
): Promise<string> {
  try {
    await verifyLog([looseExport(changed, note)], { logKey, olderCheckpoints: older })
    return 'undetected'
  } catch (error) {
    if (error instanceof AuditError) return error.code
    throw error
  }
}

/** How often each code was the answer. */
function tally(codes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1
  return counts
}

/** The root over changed entries without a second look at the ones before. */
function rootAfter(changed: readonly Uint8Array[]): Uint8Array {
  const frontier = new Frontier()
  for (const entry of changed) frontier.append(hashLeaf(entry))
  return frontier.root()
}

/** Another outcome: still an entry. */
function otherOutcome(bytes: Uint8Array): Uint8Array {
  const entry = decodeEntry(bytes)
  return encodeEntry({ ...entry, outcome: entry.outcome === 'match' ? 'nonmatch' : 'match' })
}

const KINDS: readonly (readonly [string, (i: number) => readonly Uint8Array[]])[] = [
  ['edited', (i) => entries.with(i, otherOutcome(at(i)))],
  ['deleted', (i) => entries.toSpliced(i, 1)],
  ['duplicated', (i) => entries.toSpliced(i, 0, at(i))],
  ['exchanged with the next', (i) => entries.with(i, at((i + 1) % COUNT)).with((i + 1) % COUNT, at(i))],
  ['followed by a forged one', (i) => entries.toSpliced(i + 1, 0, forged[i] as Uint8Array)],
  ['the last', (i) => entries.slice(0, i)],
]

/**
 * Registers the tests.
 *
 * @param step takes every so many: 1 for all
 */
export function auditAttacks(step: number): void {
  describe.each(KINDS)('each entry %s', (kind, change) => {
    test('is detected', async () => {
      const codes: string[] = []
      for (let i = 0; i < COUNT; i += step) codes.push(await codeOf(change(i)))
      const counts = tally(codes)
      process.stdout.write(`audit, each entry ${kind}: ${JSON.stringify(counts)}\n`)
      expect(counts['undetected']).toBeUndefined()
      expect(codes).toHaveLength(Math.ceil(COUNT / step))
    }, 300_000)
  })

  test('each size at which the log forks is detected by an older checkpoint, though it is signed by its key', async () => {
    const codes: string[] = []
    for (let i = 0; i < COUNT; i += 10 * step) {
      // The history was changed and the whole log signed again by its own key: the chains are whole, so the end of a writer's chain changes.
      const changed = [...entries.slice(0, i), ...(await testLog(COUNT - i, 2)).entries]
      const { note } = await signCheckpoint(signer, { size: COUNT, root: rootAfter(changed) })
      const known = await checkpointAt(log, i + 1)
      codes.push(await codeOf(changed, note, [known.note]))
    }
    expect(tally(codes)).toEqual({ ERR_AUDIT_FORK: Math.ceil(COUNT / (10 * step)) })
  }, 300_000)

  test('each size to which the log was cut and signed again is detected by an older checkpoint', async () => {
    const codes: string[] = []
    for (let i = 0; i < COUNT; i += 10 * step) {
      const { note } = await checkpointAt(log, i)
      codes.push(await codeOf(entries.slice(0, i), note, [checkpoint.note]))
    }
    expect(tally(codes)).toEqual({ ERR_AUDIT_TRUNCATION: Math.ceil(COUNT / (10 * step)) })
  })

  test('a log signed again with another key is detected, whatever was changed', async () => {
    const thief = await logSigner(ORIGIN, seed(9))
    const codes: string[] = []
    for (let i = 0; i < COUNT; i += 10 * step) {
      const changed = entries.toSpliced(i, 1)
      const { note } = await signCheckpoint(thief, { size: COUNT - 1, root: rootAfter(changed) })
      codes.push(await codeOf(changed, note))
    }
    expect(tally(codes)).toEqual({ ERR_AUDIT_KEY: Math.ceil(COUNT / (10 * step)) })
  })

  test('every bit of 20 entries, of their lengths and of the checkpoint is detected', async () => {
    const small = await testLog(20, 3)
    const bytes = looseExport(small.entries, small.checkpoint.note)
    const codes: string[] = []
    for (let bit = 0; bit < 8 * bytes.length; bit += step) {
      const byte = bit >> 3
      const changed = bytes.with(byte, (bytes[byte] as number) ^ (1 << (bit & 7)))
      try {
        await verifyLog([changed], { logKey: small.signer.verifierKey })
        codes.push('undetected')
      } catch (error) {
        if (!(error instanceof AuditError)) throw error
        codes.push(error.code)
      }
    }
    const counts = tally(codes)
    process.stdout.write(`audit, every bit: ${JSON.stringify(counts)}\n`)
    expect(counts['undetected']).toBeUndefined()
    expect(codes.length).toBeGreaterThan((8 * 20 * 100) / step)
  }, 300_000)
}
