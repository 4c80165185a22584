/** A holder goes on with a vault's log that was rolled back and accepted, and forgets nothing (SPEC §13.5). */
import type { Store } from 'guise'
import { type EntryProof, type LocalLogSigner, logSigner } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import {
  bytesOf,
  KEY_TYPE,
  keyHashOf,
  parseNote,
  parseVerifierKey,
  requireLogSignature,
  signatureLine,
  toBase64,
} from '../../src/audit/note.ts'
import { encodeRequest } from '../../src/quorum/messages.ts'
import {
  codeOf,
  generation,
  type QuorumWorld,
  quorumWorld,
  RECORD,
  type RequestLog,
  requestLog,
} from '../support/quorum.ts'
import {
  ask,
  holderOf,
  ID,
  openTimes,
  realm,
  receiptOf,
  revoke,
  say,
  seenBy,
} from '../support/quorum-asking.ts'
import { rowsOf } from '../support/rows.ts'

/** A statement as `acceptAnchor` leaves it. */
async function statementOf(signer: LocalLogSigner, log: RequestLog, what = 'anchor-accept'): Promise<string> {
  const head = `${log.tree.size} ${toBase64(log.tree.root())}`
  const by = `by ${toBase64(bytesOf('operator-7'))} at 2026-01-01T00:00:00.000Z`
  const text = `${signer.origin}\n${what}\nfrom 9 ${toBase64(new Uint8Array(32))}\nto ${head}\n${by}\n`
  const signature = await signer.sign(bytesOf(text))
  const keyHash = keyHashOf(signer.origin, KEY_TYPE.log, signer.publicKey)
  return `${text}\n${signatureLine({ name: signer.origin, keyHash, signature })}`
}

interface Rolled {
  readonly world: QuorumWorld
  readonly after: QuorumWorld
  readonly statement: string
  readonly revoked: Uint8Array
  /** The first request of the log that goes on, before the accepted head. */
  readonly early: EntryProof
}

/** Three answers and a revocation; then the log begins anew, shorter, as a store does that was put back. */
async function rolledBack(): Promise<Rolled> {
  const world = await quorumWorld(2, 3, { budgets: { recordPerHour: 4, recordTotal: 100, allPerHour: 100 } })
  expect(await openTimes(world, 3)).toEqual(['answer', 'answer', 'answer'])
  const revoked = generation(2)
  const ended = await world.log.log({
    action: 'revoke',
    outcome: 'done',
    record: RECORD,
    generation: revoked,
  })
  expect(await revoke(world, ended, revoked)).toBe('acknowledgement')
  const log = await requestLog()
  const early = await log.open()
  await log.log({ action: 'anchor-accept', outcome: 'done', actor: 'operator-7' })
  const statement = await statementOf(log.signer, log)
  return { world, after: { ...world, log }, statement, revoked, early }
}

const ACTOR = 'keeper-1'

/** A request whose log cannot show that it continues what the first holder has seen. */
async function askBare(world: QuorumWorld, proof: EntryProof): Promise<string> {
  const from = await seenBy(holderOf(world))
  const receipt = { ...(await receiptOf(world, proof, 0)), from, consistency: [new Uint8Array(32)] }
  const named = { realm, record: RECORD, generation: generation(1), epoch: 1, refresh: 0, index: 1, id: ID }
  return say(holderOf(world), encodeRequest({ ...named, receipt }))
}

/** Shows a holder an entry, so that it has seen the log. */
async function askAt(world: QuorumWorld, index: number, proof: EntryProof): Promise<void> {
  const receipt = await receiptOf(world, proof, 0)
  const named = { realm, record: RECORD, generation: generation(9), epoch: 1, refresh: 0, index, id: ID }
  expect(
    await say(
      world.holders[index - 1] as (typeof world.holders)[number],
      encodeRequest({ ...named, receipt }),
    ),
  ).toBe('answer')
}

describe('acceptance', () => {
  test('QUORUM-36 without it nothing of the log that goes on is taken, with it everything is', async () => {
    const { world, after, statement } = await rolledBack()
    expect(await askBare(after, await after.log.open())).toBe('ERR_QUORUM_RECEIPT')
    const { from, to, statement: said } = await holderOf(world).accept({ statement, actor: ACTOR })
    expect([from, to]).toEqual([4, 2])
    const note = parseNote(said)
    requireLogSignature(note, parseVerifierKey(holderOf(world).verifierKey, KEY_TYPE.log))
    expect(note.text).toContain(`holder-accept\nfrom 4 `)
    expect(note.text).toContain(`by ${toBase64(bytesOf(ACTOR))} at 2026-01-01T`)
    expect(await seenBy(holderOf(world))).toBe(2)
    expect(await openTimes(after, 1)).toEqual(['answer'])
    await world.reopen(1)
    expect(await openTimes(after, 1)).toEqual(['ERR_QUORUM_BUDGET'])
    expect(await askBare(world, await world.log.open())).toBe('ERR_QUORUM_RECEIPT')
  })

  test('QUORUM-36 whoever asked in vain before asks in vain no more', async () => {
    const { world, after, statement } = await rolledBack()
    const quorum = world.quorum()
    const of = generation(3)
    const open = async (): Promise<string> => {
      const receipt = await after.log.open({ generation: of })
      const question = { record: RECORD, generation: of, epoch: 1, receipt, log: after.log }
      return codeOf(() => quorum.open(question))
    }
    for (const holder of world.holders.slice(1)) {
      const index = holder.index
      const receipt = await world.log.open({ generation: generation(9) })
      await askAt(world, index, receipt)
    }
    expect(await open()).toBe('ERR_QUORUM_UNAVAILABLE')
    for (const holder of world.holders) await holder.accept({ statement, actor: ACTOR })
    expect(await open()).toBe('none')
  })

  test('QUORUM-36 the statement may stand behind the note that was anchored', async () => {
    const { world, statement } = await rolledBack()
    const kept = (await world.log.open()).checkpoint
    const done = await holderOf(world).accept({ statement: `${kept}\n${statement}`, actor: ACTOR })
    expect(done.to).toBe(2)
  })

  test('QUORUM-36 only a statement of the log’s key, once, and only when there is something to accept', async () => {
    const { world, after, statement } = await rolledBack()
    const accept = (text: string, actor = ACTOR): Promise<string> =>
      codeOf(() => holderOf(world).accept({ statement: text, actor }))
    const other = await logSigner(after.log.signer.origin, new Uint8Array(32).fill(8))
    const { checkpoint } = await world.log.open()
    for (const wrong of [
      await statementOf(other, after.log),
      await statementOf(after.log.signer, after.log, 'holder-accept'),
      statement.replace('\nto 2 ', '\nto 3 '),
      checkpoint,
      'nothing',
      '',
    ])
      expect(await accept(wrong), wrong).toBe('ERR_QUORUM_INPUT')
    expect(await accept(statement, '')).toBe('ERR_QUORUM_INPUT')
    expect(await accept(statement, 'x'.repeat(65))).toBe('ERR_QUORUM_INPUT')
    expect(await accept(statement)).toBe('none')
    expect(await openTimes(after, 1)).toEqual(['answer'])
    // Given again it would lead back to entries that were answered.
    expect(await accept(statement)).toBe('ERR_QUORUM_INPUT')
    const fresh = await quorumWorld(2, 3)
    expect(await codeOf(() => holderOf(fresh).accept({ statement, actor: ACTOR }))).toBe('ERR_QUORUM_INPUT')
    await world.reopen(1, { checkpoint })
    expect(await accept(await statementOf(after.log.signer, after.log))).toBe('ERR_QUORUM_INPUT')
  })

  test('QUORUM-36 it is remembered with who and when, and cannot be taken out', async () => {
    const { world, statement } = await rolledBack()
    const store = world.stores[0] as Store
    const before = await rowsOf(store, 'log')
    await holderOf(world).accept({ statement, actor: ACTOR })
    const after = await rowsOf(store, 'log')
    const added = after.filter(({ key }) => !before.some((row) => equal(row.key, key)))
    const [row] = added
    expect([before.length, added.length]).toEqual([1, 1])
    expect(Buffer.from(row?.bytes ?? []).includes(ACTOR)).toBe(true)
    const found = await store.get('log', row?.key as Uint8Array)
    await store.commit([
      { step: 'delete', table: 'log', key: row?.key as Uint8Array, expected: found?.version as string },
    ])
    expect(await codeOf(() => world.reopen(1))).toBe('ERR_QUORUM_ROLLBACK')
  })
})

describe('what stays', () => {
  test('QUORUM-37 a revoked generation stays refused, also after a restart', async () => {
    const { world, after, statement, revoked } = await rolledBack()
    await holderOf(world).accept({ statement, actor: ACTOR })
    const again = (): Promise<string> =>
      after.log.open({ generation: revoked }).then((proof) => ask(after, proof, { generation: revoked }))
    expect(await again()).toBe('ERR_QUORUM_REVOKED')
    await world.reopen(1)
    expect(await again()).toBe('ERR_QUORUM_REVOKED')
  })

  test('QUORUM-37 budgets stay spent, no entry before the accepted head is answered, and each behind it once', async () => {
    const { world, after, statement, early } = await rolledBack()
    await holderOf(world).accept({ statement, actor: ACTOR })
    expect(await ask(after, early)).toBe('ERR_QUORUM_REPLAY')
    const proof = await after.log.open()
    expect(await ask(after, proof)).toBe('answer')
    expect(await ask(after, proof)).toBe('ERR_QUORUM_REPLAY')
    // Three of four in this hour were answered before the rollback.
    expect(await openTimes(after, 1)).toEqual(['ERR_QUORUM_BUDGET'])
  })
})

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
