/** Questions that wait together are decided apart and kept together; the fastest holders are asked first (SPEC §13.5, §13.6). */
import type { Store } from 'guise'
import type { EntryProof } from 'guise/audit'
import type { QuorumPeer } from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import type { Anchor } from '../../src/audit/anchor.ts'
import { encodeRequest } from '../../src/quorum/messages.ts'
import { generation, type QuorumWorld, quorumWorld, RECORD } from '../support/quorum.ts'
import { ask, holderOf, ID, realm, receiptOf, seenBy } from '../support/quorum-asking.ts'

/** The first holder over a store whose commits are counted, and fail or wait when they are told to. */
async function watched() {
  const world = await quorumWorld(2, 3)
  const inner = world.stores[0] as Store
  const seen = { commits: 0, fails: false, wait: Promise.resolve() }
  const commit: Store['commit'] = async (steps, options) => {
    seen.commits += 1
    await seen.wait
    if (seen.fails) throw new Error('the disk is gone')
    return inner.commit(steps, options)
  }
  const store = new Proxy(inner, {
    get: (target, name) => {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await world.reopen(1, { store })
  return { world, seen }
}

/** One request for each of `count` generations; the holder has seen the newest. */
async function requests(world: QuorumWorld, count: number): Promise<readonly EntryProof[]> {
  const proofs: EntryProof[] = []
  for (let n = 1; n <= count; n++) proofs.push(await world.log.open({ generation: generation(n) }))
  await world.log
    .open({ generation: generation(99) })
    .then((proof) => ask(world, proof, { generation: generation(99) }))
  return proofs
}

const askAll = (world: QuorumWorld, proofs: readonly EntryProof[]): Promise<string[]> =>
  Promise.all(proofs.map((proof, i) => ask(world, proof, { generation: generation(i + 1) })))

describe('together', () => {
  test('QUORUM-38 what waits is one commit, and each is counted', async () => {
    const { world, seen } = await watched()
    const proofs = await requests(world, 9)
    const before = seen.commits
    expect(await askAll(world, proofs)).toEqual(Array(9).fill('answer'))
    expect(seen.commits - before).toBeLessThanOrEqual(2)
    await world.reopen(1)
    expect(await askAll(world, proofs)).toEqual(Array(9).fill('ERR_QUORUM_REPLAY'))
  })

  test('QUORUM-38 one entry that is shown many times at once is answered once', async () => {
    const { world } = await watched()
    const [proof] = await requests(world, 1)
    const said = await Promise.all(Array.from({ length: 6 }, () => ask(world, proof as EntryProof)))
    expect(said.filter((one) => one === 'answer')).toHaveLength(1)
    expect(said.filter((one) => one === 'ERR_QUORUM_REPLAY')).toHaveLength(5)
  })

  test('QUORUM-38 when the commit fails nobody is answered, and afterwards everybody', async () => {
    const { world, seen } = await watched()
    const proofs = await requests(world, 4)
    seen.fails = true
    expect(await askAll(world, proofs)).toEqual(Array(4).fill('ERR_QUORUM_UNAVAILABLE'))
    seen.fails = false
    expect(await askAll(world, proofs)).toEqual(Array(4).fill('answer'))
  })

  test.each(['store', 'anchor'])('QUORUM-38 no answer leaves before the %s has it', async (what) => {
    const { world, seen } = await watched()
    const proofs = await requests(world, 2)
    let release: () => void = () => undefined
    const wait = new Promise<void>((resolve) => {
      release = resolve
    })
    if (what === 'store') seen.wait = wait
    else {
      const anchor = world.anchors[0] as Anchor
      const advance = anchor.advance.bind(anchor)
      Object.assign(anchor, {
        advance: (...given: Parameters<Anchor['advance']>) => wait.then(() => advance(...given)),
      })
    }
    let left = 0
    const asked = proofs.map(async (proof, i) => {
      expect(await ask(world, proof, { generation: generation(i + 1) })).toBe('answer')
      left += 1
    })
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(left).toBe(0)
    release()
    await Promise.all(asked)
    expect(left).toBe(2)
  })

  test('QUORUM-38 whoever gives up before it began is not counted, and disturbs nobody', async () => {
    const { world, seen } = await watched()
    const proofs = await requests(world, 3)
    const holder = holderOf(world)
    let release: () => void = () => undefined
    seen.wait = new Promise<void>((resolve) => {
      release = resolve
    })
    const first = ask(world, proofs[0] as EntryProof, { generation: generation(1) })
    await new Promise((resolve) => setTimeout(resolve, 20))
    const controller = new AbortController()
    const receipt = await receiptOf(world, proofs[1] as EntryProof, await seenBy(holder))
    const named = { realm, record: RECORD, generation: generation(2), epoch: 1, refresh: 0, index: 1, id: ID }
    const given = holder.handle(encodeRequest({ ...named, receipt }), { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    release()
    expect(await first).toBe('answer')
    expect(await ask(world, proofs[1] as EntryProof, { generation: generation(2) })).toBe('answer')
  })
})

describe('the fastest first', () => {
  async function counted() {
    const world = await quorumWorld(2, 3)
    const asked = [0, 0, 0]
    const down = new Set<number>()
    const late = new Set<number>()
    const quorum = world.quorum(
      (peer, index): QuorumPeer => ({
        handle: async (message, options) => {
          asked[index - 1] = (asked[index - 1] as number) + 1
          if (down.has(index)) throw new Error('the wire is cut')
          if (late.has(index)) await new Promise((resolve) => setTimeout(resolve, 4000))
          return peer.handle(message, options)
        },
      }),
    )
    const open = async () => {
      const receipt = await world.log.open()
      return quorum.open({ record: RECORD, generation: generation(1), epoch: 1, receipt, log: world.log })
    }
    // The first goes to all; who was not needed is heard when it answers on.
    for (let i = 0; i < 3; i++) await open()
    return { asked, down, late, open, quorum }
  }

  test('QUORUM-15 t are asked, and all of them now and then', async () => {
    const { asked, open } = await counted()
    const before = asked.reduce((a, b) => a + b)
    for (let i = 0; i < 16; i++) await open()
    const spent = asked.reduce((a, b) => a + b) - before
    expect(spent).toBeGreaterThanOrEqual(33)
    expect(spent).toBeLessThan(48)
  })

  test('QUORUM-15 when one of them fails, or is late, another answers in its place', async () => {
    for (const manner of ['down', 'late'] as const) {
      for (const index of [1, 2, 3]) {
        const world = await counted()
        world[manner].add(index)
        for (let i = 0; i < 3; i++) {
          const { output, holders } = await world.open()
          expect(output).toHaveLength(64)
          expect(holders).not.toContain(index)
        }
      }
    }
  })
})
