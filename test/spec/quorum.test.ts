/** Asking a quorum: the fastest valid answers, liars and the silent by name, revocation (SPEC §13.6). @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStore } from 'guise/lmdb'
import { fileAnchor } from 'guise/node'
import { type QuorumError, type QuorumPeer, quorumOf } from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import { preparedCustody } from '../../src/keys/custody.ts'
import { decodeReply, encodeAnswer } from '../../src/quorum/messages.ts'
import { hex } from '../reference/bytes.ts'
import { generation, type QuorumWorld, quorumWorld, RECORD } from '../support/quorum.ts'

type Change = (peer: QuorumPeer, index: number) => QuorumPeer

const silent: QuorumPeer = {
  handle: (_, options) =>
    new Promise((_resolve, reject) => {
      options?.signal?.addEventListener('abort', () => reject(new Error('given up')))
    }),
}
const broken: QuorumPeer = {
  handle: async () => {
    throw new Error('the wire is cut')
  },
}

/** A holder whose answers are changed on their way; what it refuses goes through. */
function altering(peer: QuorumPeer, change: (reply: Uint8Array) => Uint8Array): QuorumPeer {
  return {
    handle: async (message, options) => {
      const reply = await peer.handle(message, options)
      return decodeReply(reply).kind === 'refusal' ? reply : change(reply)
    },
  }
}

const only =
  (indices: readonly number[], other: (peer: QuorumPeer) => QuorumPeer): Change =>
  (peer, index) =>
    indices.includes(index) ? other(peer) : peer

async function open(world: QuorumWorld, change?: Change, timeoutMs = 2000) {
  const receipt = await world.log.open()
  const question = { record: RECORD, generation: generation(1), epoch: 1, receipt, log: world.log }
  return world.quorum(change, { timeoutMs }).open(question)
}

async function failureOf(call: Promise<unknown>): Promise<QuorumError> {
  return call.then(
    () => {
      throw new Error('it ended well')
    },
    (error: unknown) => error as QuorumError,
  )
}

/** The first t of n that answer are made to be these. */
const fastest = (indices: readonly number[]): Change =>
  only(
    [1, 2, 3, 4, 5].filter((i) => !indices.includes(i)),
    () => silent,
  )

describe('outputs', () => {
  test('QUORUM-15 whichever holders answer first, the output is the same 64 bytes, and custody takes them', async () => {
    const world = await quorumWorld(3, 5)
    const outputs: string[] = []
    for (const indices of [
      [1, 2, 3],
      [3, 4, 5],
      [1, 3, 5],
    ]) {
      const { output, holders, faults } = await open(world, fastest(indices))
      expect([holders, faults]).toEqual([indices, []])
      outputs.push(hex(output))
      const custodyKey = new Uint8Array(32)
      expect(preparedCustody(1, { custodyKey, quorum: output })).toHaveLength(416)
    }
    expect(new Set(outputs).size).toBe(1)
    expect(outputs[0]).toMatch(/^[0-9a-f]{128}$/)
  })

  test('QUORUM-15 with fewer than t it fails, retryable, and names the silent', async () => {
    const world = await quorumWorld(3, 5)
    const error = await failureOf(open(world, fastest([2, 4]), 700))
    expect(error).toMatchObject({ code: 'ERR_QUORUM_UNAVAILABLE', retryable: true })
    expect(error.faults).toEqual([1, 3, 5].map((index) => ({ index, fault: 'silent', code: undefined })))
    const cut = await failureOf(
      open(
        world,
        only([1, 2, 3], () => broken),
        60_000,
      ),
    )
    expect(cut.faults.map(({ index, fault }) => [index, fault])).toEqual([
      [1, 'silent'],
      [2, 'silent'],
      [3, 'silent'],
    ])
    expect((await open(world)).output).toHaveLength(64)
  })

  test('QUORUM-15 an abort ends the asking with its reason', async () => {
    const world = await quorumWorld(2, 3)
    const receipt = await world.log.open()
    const question = { record: RECORD, generation: generation(1), epoch: 1, receipt, log: world.log }
    const controller = new AbortController()
    const asked = world.quorum(() => silent).open(question, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
    await expect(world.quorum().open(question, { signal: controller.signal })).rejects.toThrow('enough')
  })

  test('QUORUM-15 an epoch that is not pinned is not asked for, and what is given is checked', async () => {
    const world = await quorumWorld(2, 3)
    const receipt = await world.log.open()
    const question = { record: RECORD, generation: generation(1), epoch: 2, receipt, log: world.log }
    await expect(world.quorum().open(question)).rejects.toMatchObject({ code: 'ERR_QUORUM_EPOCH' })
    const good = { keys: [world.dealt.key], holders: world.members(), logKey: world.log.signer.verifierKey }
    for (const wrong of [
      { ...good, keys: [] },
      { ...good, keys: [world.dealt.key, world.dealt.key] },
      { ...good, holders: good.holders.slice(1) },
      { ...good, holders: [...good.holders.slice(1), good.holders[1] as (typeof good.holders)[number]] },
      { ...good, timeoutMs: 0 },
    ])
      expect(() => quorumOf(wrong)).toThrow(expect.objectContaining({ code: 'ERR_QUORUM_INPUT' }))
  })
})

describe('liars', () => {
  const flipped = (at: number) => (reply: Uint8Array) =>
    reply.map((byte, i) => (i === (at < 0 ? reply.length + at : at) ? byte ^ 1 : byte))
  /** Sends every question on as one about another record, as a holder does that gives what it was not asked for. */
  async function otherRecord(world: QuorumWorld, index: number): Promise<QuorumPeer> {
    const record = new Uint8Array(16).fill(1)
    const receipt = await world.log.open({ record })
    const replies: Uint8Array[] = []
    const spy = world.quorum((peer, i) =>
      i === index
        ? {
            handle: async (message, options) => {
              const reply = await peer.handle(message, options)
              replies.push(reply)
              return reply
            },
          }
        : peer,
    )
    await spy.open({ record, generation: generation(1), epoch: 1, receipt, log: world.log })
    return { handle: async () => replies.at(-1) as Uint8Array }
  }

  test.each([
    ['a proof that is altered', flipped(-1)],
    ['a point that is altered', flipped(-70)],
    ['an answer to another question', flipped(12)],
    ['no message', () => new Uint8Array(5)],
    [
      'another epoch',
      (reply: Uint8Array) => {
        const answer = decodeReply(reply)
        return answer.kind === 'answer' ? encodeAnswer({ ...answer, epoch: 2 }) : reply
      },
    ],
    [
      'another refresh',
      (reply: Uint8Array) => {
        const answer = decodeReply(reply)
        return answer.kind === 'answer' ? encodeAnswer({ ...answer, refresh: 1 }) : reply
      },
    ],
    [
      'another holder’s index',
      (reply: Uint8Array) => {
        const answer = decodeReply(reply)
        return answer.kind === 'answer' ? encodeAnswer({ ...answer, index: 3 }) : reply
      },
    ],
  ])('QUORUM-7 %s is not used, and its holder is named', async (_, change) => {
    const world = await quorumWorld(2, 3)
    const good = hex((await open(world)).output)
    // The third is away, so that the liar is needed; then there are enough without it.
    const alone = await failureOf(
      open(world, (peer, index) => (index === 2 ? altering(peer, change) : index === 3 ? silent : peer), 700),
    )
    expect(alone.code).toBe('ERR_QUORUM_UNAVAILABLE')
    expect(alone.faults.find(({ index }) => index === 2)).toEqual({
      index: 2,
      fault: 'lied',
      code: undefined,
    })
    const slow: Change = (peer, index) =>
      index === 2
        ? altering(peer, change)
        : {
            handle: async (message, options) => {
              await new Promise((resolve) => setTimeout(resolve, 300))
              return peer.handle(message, options)
            },
          }
    const { output, holders, faults } = await open(world, slow, 5000)
    expect([hex(output), holders]).toEqual([good, [1, 3]])
    expect(faults).toEqual([{ index: 2, fault: 'lied', code: undefined }])
  })

  test('QUORUM-7 the answer for another record is not used, and its holder is named', async () => {
    const world = await quorumWorld(2, 3)
    const liar = await otherRecord(world, 1)
    const error = await failureOf(
      open(world, (peer, index) => (index === 1 ? liar : index === 3 ? broken : peer)),
    )
    expect(error.faults.find(({ index }) => index === 1)).toMatchObject({ fault: 'lied' })
  })

  test('QUORUM-7 n − t liars stop nobody, whichever they are', async () => {
    const world = await quorumWorld(2, 4)
    const good = hex((await open(world)).output)
    for (const liars of [
      [1, 2],
      [1, 4],
      [3, 4],
    ]) {
      const { output } = await open(
        world,
        only(liars, (peer) => altering(peer, flipped(-1))),
        5000,
      )
      expect(hex(output)).toBe(good)
    }
  })
})

describe('revocation', () => {
  async function revoke(world: QuorumWorld, change?: Change, timeoutMs = 2000) {
    const of = generation(1)
    const receipt = await world.log.log({ action: 'revoke', outcome: 'done', record: RECORD, generation: of })
    return world
      .quorum(change, { timeoutMs })
      .revoke({ record: RECORD, generation: of, receipt, log: world.log })
  }

  test('QUORUM-16 after n − t + 1 acknowledgements no t holders are left, whoever was away', async () => {
    const world = await quorumWorld(3, 5)
    await open(world)
    const { holders } = await revoke(
      world,
      only([1, 4], () => broken),
    )
    expect(holders).toEqual([2, 3, 5])
    const error = await failureOf(open(world))
    expect(error).toMatchObject({ code: 'ERR_QUORUM_REVOKED', retryable: false })
    for (const index of [1, 2, 3, 4, 5]) await world.reopen(index)
    expect((await failureOf(open(world))).code).toBe('ERR_QUORUM_REVOKED')
  })

  test('QUORUM-16 with fewer it does not end well, and another call finishes it', async () => {
    const world = await quorumWorld(3, 5)
    const error = await failureOf(
      revoke(
        world,
        only([1, 4, 5], () => broken),
      ),
    )
    expect(error).toMatchObject({ code: 'ERR_QUORUM_UNAVAILABLE', retryable: true })
    expect(error.faults.map(({ index }) => index)).toEqual([1, 4, 5])
    // Two of five remember, three do not: still open.
    expect((await open(world)).output).toHaveLength(64)
    expect((await revoke(world)).holders.length).toBeGreaterThanOrEqual(3)
  })

  test('QUORUM-16 an acknowledgement that another holder signed, or that was altered, does not count', async () => {
    const world = await quorumWorld(2, 3)
    const flip = (reply: Uint8Array): Uint8Array =>
      reply.map((byte, i) =>
        i === reply.length - 1 && decodeReply(reply).kind === 'acknowledgement' ? byte ^ 1 : byte,
      )
    const altered = await failureOf(
      revoke(
        world,
        only([1, 2], (peer) => altering(peer, flip)),
      ),
    )
    expect(altered.faults).toEqual([1, 2].map((index) => ({ index, fault: 'lied', code: undefined })))
    const swapped: Change = (peer, index) =>
      index === 2
        ? { handle: (m, o) => world.holders[2]?.handle(m, o) ?? peer.handle(m, o) }
        : index === 3
          ? broken
          : peer
    const error = await failureOf(revoke(world, swapped))
    expect(error.faults.map(({ index }) => index)).toEqual([2, 3])
  })
})

test('QUORUM-12 over durable stores and file anchors a revocation outlives the processes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'guise-quorum-'))
  const world = await quorumWorld(2, 3)
  const opened = await Promise.all(
    [1, 2, 3].map(async (index) => {
      const store = await lmdbStore({ path: join(folder, `store-${index}`) })
      await world.reopen(index, { store, anchor: fileAnchor(join(folder, `anchor-${index}`)) })
      return store
    }),
  )
  try {
    const { output } = await open(world)
    expect(output).toHaveLength(64)
    const of = generation(1)
    const receipt = await world.log.log({ action: 'erase', outcome: 'done', record: RECORD, generation: of })
    const { holders } = await world
      .quorum()
      .revoke({ record: RECORD, generation: of, receipt, log: world.log })
    expect(holders.length).toBeGreaterThanOrEqual(2)
    for (const store of opened) await store.close()
    for (const index of [1, 2, 3]) {
      const store = await lmdbStore({ path: join(folder, `store-${index}`) })
      opened[index - 1] = store
      await world.reopen(index, { store, anchor: fileAnchor(join(folder, `anchor-${index}`)) })
    }
    expect((await failureOf(open(world))).code).toBe('ERR_QUORUM_REVOKED')
  } finally {
    for (const store of opened) await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
