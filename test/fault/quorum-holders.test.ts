/** Three holder processes over HTTPS: killed, lying, slow, started again (SPEC §13.6, §13.7). @module */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { QuorumError, QuorumPeer } from 'guise/quorum'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeReply, encodeAnswer } from '../../src/quorum/messages.ts'
import { hex } from '../reference/bytes.ts'
import { HolderProcesses } from '../support/holder-processes.ts'
import { generation, RECORD } from '../support/quorum.ts'
import { openUnderKills } from './quorum-holders-suite.ts'

type Change = (peer: QuorumPeer, index: number) => QuorumPeer
let world: HolderProcesses
let expected = ''

beforeAll(async () => {
  world = await HolderProcesses.deal(mkdtempSync(join(tmpdir(), 'guise-holders-')))
  await Promise.all([1, 2, 3].map((index) => world.start(index)))
  expected = hex((await open()).output)
}, 120_000)
afterAll(() => world.end())

async function open(change?: Change, timeoutMs = 10_000, of = generation(1), signal?: AbortSignal) {
  world.tick()
  const receipt = await world.log.open({ generation: of })
  const question = { record: RECORD, generation: of, epoch: 1, receipt, log: world.log }
  return world.quorum(change, timeoutMs).open(question, signal === undefined ? {} : { signal })
}

function failureOf(call: Promise<unknown>): Promise<QuorumError> {
  return call.then(
    () => {
      throw new Error('it ended well')
    },
    (error: unknown) => error as QuorumError,
  )
}

/** Whoever is slower than the liar: its lie is there first. */
const late = (peer: QuorumPeer, ms: number): QuorumPeer => ({
  handle: async (message, options) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return peer.handle(message, options)
  },
})

function altered(peer: QuorumPeer, change: (reply: Uint8Array) => Uint8Array): QuorumPeer {
  return {
    handle: async (message, options) => {
      const reply = await peer.handle(message, options)
      return decodeReply(reply).kind === 'refusal' ? reply : change(reply)
    },
  }
}

test('QUORUM-15 one holder killed: the others answer, and it answers again when it is back', async () => {
  for (const index of [1, 2, 3]) {
    await world.stop(index, 'SIGKILL')
    const { output, holders } = await open()
    expect([hex(output), holders]).toEqual([expected, [1, 2, 3].filter((other) => other !== index)])
    await world.start(index)
  }
}, 60_000)

test('QUORUM-15 two holders killed: unavailable, retryable, both named', async () => {
  await world.stop(1, 'SIGKILL')
  await world.stop(3, 'SIGKILL')
  const error = await failureOf(open())
  expect(error).toMatchObject({ code: 'ERR_QUORUM_UNAVAILABLE', retryable: true })
  expect(error.faults.map(({ index, fault }) => [index, fault])).toEqual([
    [1, 'silent'],
    [3, 'silent'],
  ])
  await Promise.all([world.start(1), world.start(3)])
  expect(hex((await open()).output)).toBe(expected)
}, 60_000)

describe('a liar between', () => {
  /** An answer that was right for another record. */
  async function otherRecord(): Promise<Uint8Array> {
    let kept = new Uint8Array(0)
    const record = new Uint8Array(16).fill(1)
    const receipt = await world.log.open({ record })
    const spy: Change = (peer, index) =>
      index === 2
        ? altered(peer, (reply) => {
            kept = Uint8Array.from(reply)
            return reply
          })
        : late(peer, 300)
    const question = { record, generation: generation(1), epoch: 1, receipt, log: world.log }
    await world.quorum(spy).open(question)
    return kept
  }

  test.each([
    [
      'flips a proof',
      async () => (reply: Uint8Array) => reply.map((b, i) => (i === reply.length - 1 ? b ^ 1 : b)),
    ],
    [
      'replays an answer, here for another record',
      async () => {
        const kept = await otherRecord()
        return () => kept
      },
    ],
    [
      'answers another record under this id',
      async () => {
        const kept = decodeReply(await otherRecord())
        return (reply: Uint8Array) => {
          const { id } = decodeReply(reply) as { id: Uint8Array }
          return kept.kind === 'answer' ? encodeAnswer({ ...kept, id }) : reply
        }
      },
    ],
    [
      'answers for another epoch',
      async () => (reply: Uint8Array) => {
        const answer = decodeReply(reply)
        return answer.kind === 'answer' ? encodeAnswer({ ...answer, epoch: 2 }) : reply
      },
    ],
  ])('QUORUM-7 %s: it is named, and the others answer', async (_, make) => {
    const lie = await make()
    world.tick()
    const { output, holders, faults } = await open((peer, index) =>
      index === 2 ? altered(peer, lie) : late(peer, 400),
    )
    expect([hex(output), holders]).toEqual([expected, [1, 3]])
    expect(faults).toEqual([{ index: 2, fault: 'lied', code: undefined }])
  })
})

test('QUORUM-15 a slow holder is timed out and named, and an abort ends the asking', async () => {
  const error = await failureOf(open((peer, index) => (index === 2 ? peer : late(peer, 3000)), 900))
  expect(error.faults.map(({ index, fault }) => [index, fault])).toEqual([
    [1, 'silent'],
    [3, 'silent'],
  ])
  const controller = new AbortController()
  const asked = open((peer) => late(peer, 1000), 10_000, generation(1), controller.signal)
  setTimeout(() => controller.abort(new Error('enough')), 100)
  await expect(asked).rejects.toThrow('enough')
})

test('QUORUM-12 what was revoked stays so when all holders are killed and started again', async () => {
  const of = generation(2)
  expect((await open(undefined, 10_000, of)).output).toHaveLength(64)
  const receipt = await world.log.log({ action: 'revoke', outcome: 'done', record: RECORD, generation: of })
  const { holders } = await world.quorum().revoke({ record: RECORD, generation: of, receipt, log: world.log })
  expect(holders.length).toBeGreaterThanOrEqual(2)
  for (const index of [1, 2, 3]) await world.stop(index, 'SIGKILL')
  await Promise.all([1, 2, 3].map((index) => world.start(index)))
  expect((await failureOf(open(undefined, 10_000, of))).code).toBe('ERR_QUORUM_REVOKED')
  expect(hex((await open()).output)).toBe(expected)
}, 60_000)

test('QUORUM-20 QUORUM-21 told to end, a holder ends well, and its lines name nobody', async () => {
  expect(await world.stop(2, 'SIGTERM')).toBe(0)
  await world.start(2)
  const lines = world.lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['answered', 'ending', 'ended']))
  const names = new Set(lines.flatMap((line) => Object.keys(line)))
  expect([...names].sort()).toEqual(
    ['event', 'host', 'index', 'kind', 'ms', 'outcome', 'port', 'time'].sort(),
  )
  const text = world.lines.join('\n')
  for (const secret of [hex(RECORD), hex(generation(1)), hex(generation(2)), expected])
    expect(text).not.toContain(secret)
}, 60_000)

test('QUORUM-15 a hundred openings under kills give no other output', async () => {
  const { good, unavailable, wrong, kills } = await openUnderKills(100, 1)
  expect(wrong).toEqual([])
  expect(good + unavailable).toBe(100)
  expect(good).toBeGreaterThan(90)
  expect(kills).toBe(10)
}, 300_000)
