/** What a share holder takes for a receipt, and for a message (SPEC §13.4). @module */
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { decodeReply, encodeRequest, type Receipt } from '../../src/quorum/messages.ts'
import { generation, quorumWorld, REALM, RECORD, requestLog } from '../support/quorum.ts'
import { ask, holderOf, ID, openTimes, realm, receiptOf, say, seenBy } from '../support/quorum-asking.ts'

describe('no receipt, no key', () => {
  test('QUORUM-9 a request whose very entry is in the log is answered', async () => {
    const world = await quorumWorld(2, 3)
    expect(await ask(world, await world.log.open())).toBe('answer')
  })

  test('QUORUM-9 an entry about anything else is no receipt', async () => {
    const world = await quorumWorld(2, 3)
    const { log } = world
    const of = generation(1)
    const wrong = [
      await log.open({ record: new Uint8Array(16) }),
      await log.open({ generation: generation(2) }),
      await log.open({ epoch: 2 }),
      await log.log({ action: 'verify', outcome: 'done', record: RECORD, generation: of, epoch: 1 }),
      await log.log({ action: 'open', outcome: 'refused', record: RECORD, generation: of, epoch: 1 }),
      await log.log({ action: 'open', outcome: 'done', record: RECORD, epoch: 1 }),
      await log.log({ action: 'open', outcome: 'done', generation: of, epoch: 1 }),
      await log.log({ action: 'open', outcome: 'done', record: RECORD, generation: of }),
    ]
    for (const proof of wrong) expect(await ask(world, proof)).toBe('ERR_QUORUM_RECEIPT')
    expect(await ask(world, await log.open())).toBe('answer')
  })

  test('QUORUM-9 a proof that is altered, an entry that is not in the log, or another log’s checkpoint is no receipt', async () => {
    const world = await quorumWorld(2, 3)
    await world.log.open()
    const proof = await world.log.open()
    const forged = await quorumWorld(2, 3)
    const foreign = await forged.log.open()
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 3 ? byte ^ 1 : byte))
    const wrong: Partial<Receipt>[] = [
      { inclusion: proof.hashes.map(flip) },
      { inclusion: [] },
      { place: 0 },
      { entry: foreign.entry },
      { entry: new Uint8Array(4) },
      { checkpoint: `${proof.checkpoint}x` },
    ]
    for (const receipt of wrong) expect(await ask(world, proof, {}, receipt)).toBe('ERR_QUORUM_RECEIPT')
    expect(await ask(world, proof)).toBe('answer')
  })

  test('QUORUM-9 a checkpoint under another key is no receipt', async () => {
    const world = await quorumWorld(2, 3)
    const other = await requestLog(REALM, 8)
    const proof = await other.open()
    expect(await ask({ ...world, log: other }, proof)).toBe('ERR_QUORUM_RECEIPT')
  })

  test('QUORUM-9 a log that was cut and grown again under its own key is refused', async () => {
    const world = await quorumWorld(2, 3)
    await openTimes(world, 3)
    // The same signer, another history: what an insider with the log's key would make.
    const fork = await requestLog()
    for (let i = 0; i < 5; i++) await fork.open()
    const proof = await fork.open()
    const seen = await seenBy(holderOf(world))
    expect(seen).toBe(3)
    const consistency = await fork.consistency(seen, proof.size)
    expect(await ask({ ...world, log: fork }, proof, {}, { consistency })).toBe('ERR_QUORUM_RECEIPT')
    expect(await openTimes(world, 1)).toEqual(['answer'])
  })

  test('QUORUM-9 a proof from another size than was seen is told apart, and says what was seen', async () => {
    const world = await quorumWorld(2, 3)
    await openTimes(world, 2)
    const proof = await world.log.open()
    const from = { from: 1, consistency: await world.log.consistency(1, proof.size) }
    expect(await ask(world, proof, {}, from)).toBe('ERR_QUORUM_SEEN')
    expect(await ask(world, proof)).toBe('answer')
  })

  test('QUORUM-9 an older checkpoint of the same log will do, and what was seen stays', async () => {
    const world = await quorumWorld(2, 3)
    const older = await world.log.open({ generation: generation(2) })
    await openTimes(world, 2)
    expect(await ask(world, older, { generation: generation(2) })).toBe('answer')
    expect(await seenBy(holderOf(world))).toBe(3)
  })

  test('QUORUM-30 with a pinned checkpoint not even the first tree is believed that does not hold it', async () => {
    const world = await quorumWorld(2, 3)
    const pinned = await world.log.open()
    const next = await world.log.open()
    const { checkpoint } = pinned
    // The same signer, another history, shown to a holder that has seen nothing.
    const fork = await requestLog()
    for (let i = 0; i < 3; i++) await fork.open()
    const proof = await fork.open()
    expect(await ask({ ...world, log: fork }, proof)).toBe('answer')
    const holder = await world.reopen(2, { checkpoint })
    const second = { ...world, holders: [holder] }
    const forged = { ...second, log: fork }
    expect(await seenBy(holder)).toBe(1)
    expect(await ask(forged, proof, { index: 2 })).toBe('ERR_QUORUM_RECEIPT')
    const none = { from: 0, consistency: [] }
    expect(await ask(forged, proof, { index: 2 }, none)).toBe('ERR_QUORUM_SEEN')
    expect(await ask(second, next, { index: 2 })).toBe('answer')
    expect(await seenBy(holder)).toBe(2)
    // What was seen since is newer than what was pinned, and stays.
    expect(await seenBy(await world.reopen(2, { checkpoint }))).toBe(2)
  })

  test('QUORUM-30 a checkpoint of another key, or of the size that was seen with another root, opens no holder', async () => {
    const world = await quorumWorld(2, 3)
    await openTimes(world, 1)
    const other = await (await requestLog(REALM, 8)).open()
    const log = await requestLog()
    const fork = await log.open({ generation: generation(2) })
    const refused = expect.objectContaining({ code: 'ERR_QUORUM_INPUT' })
    for (const { checkpoint } of [other, fork, { checkpoint: 'a note' }]) {
      await expect(world.reopen(1, { checkpoint })).rejects.toEqual(refused)
    }
    // Newer than what was seen: it counts.
    const holder = await world.reopen(1, { checkpoint: (await log.open()).checkpoint })
    expect(await seenBy(holder)).toBe(2)
  })

  test('QUORUM-10 an entry is answered once, and none before it afterwards', async () => {
    const world = await quorumWorld(2, 3)
    const first = await world.log.open()
    const second = await world.log.open()
    expect(await ask(world, second)).toBe('answer')
    expect(await ask(world, second)).toBe('ERR_QUORUM_REPLAY')
    expect(await ask(world, first)).toBe('ERR_QUORUM_REPLAY')
    await world.reopen(1)
    expect(await ask(world, second)).toBe('ERR_QUORUM_REPLAY')
    expect(await ask(world, await world.log.open())).toBe('answer')
  })

  test('QUORUM-10 an entry of another time is stale, either way', async () => {
    const world = await quorumWorld(2, 3, { windowMs: 60_000 })
    const old = await world.log.open()
    world.log.clock.advance(60_001)
    expect(await ask(world, old)).toBe('ERR_QUORUM_STALE')
    const early = await world.log.open()
    world.log.clock.jump(-60_001)
    expect(await ask(world, early)).toBe('ERR_QUORUM_STALE')
    world.log.clock.jump(1)
    expect(await ask(world, early)).toBe('answer')
  })
})

describe('messages', () => {
  test('QUORUM-8 whatever is not exactly a message is refused', async () => {
    const world = await quorumWorld(2, 3)
    const proof = await world.log.open()
    const receipt = await receiptOf(world, proof, 0)
    const named = { realm, record: RECORD, generation: generation(1), index: 1, id: ID, receipt }
    const request = encodeRequest({ ...named, epoch: 1, refresh: 0 })
    const holder = holderOf(world)
    for (const bytes of [
      new Uint8Array(0),
      request.subarray(0, -1),
      new Uint8Array([...request, 0]),
      request.map((byte, i) => (i === 1 ? 2 : byte)),
      request.map((byte, i) => (i === 3 ? byte + 1 : byte)),
      encodeRequest({ ...named, epoch: 0, refresh: 0 }),
      encodeRequest({ ...named, epoch: 1, refresh: 0, record: new Uint8Array(15) }),
      encodeRequest({ ...named, epoch: 1, refresh: 0, id: new Uint8Array(17) }),
      encodeRequest({ ...named, epoch: 1, refresh: 0, index: 2 }),
      encodeRequest({ ...named, epoch: 1, refresh: 0, realm: 'other' as Realm }),
    ])
      expect(await say(holder, bytes)).toBe('ERR_QUORUM_FORMAT')
    expect(await say(holder, request)).toBe('answer')
    expect(() => decodeReply(request)).toThrow(expect.objectContaining({ code: 'ERR_QUORUM_FORMAT' }))
  })
})
