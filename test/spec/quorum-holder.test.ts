/** What a share holder counts, remembers and refuses (SPEC §13.5). @module */
import { memoryStore, type Store } from 'guise'
import type { EntryProof } from 'guise/audit'
import { dealQuorum, type QuorumShare, refreshQuorum } from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import { openHolder } from '../../src/quorum/holder.ts'
import { encodeRequest } from '../../src/quorum/messages.ts'
import {
  BUDGETS,
  codeOf,
  generation,
  memoryAnchor,
  type QuorumWorld,
  quorumWorld,
  REALM,
  RECORD,
} from '../support/quorum.ts'
import { ask, holderOf, ID, openTimes, realm, receiptOf, revoke, say } from '../support/quorum-asking.ts'

describe('budgets', () => {
  test('QUORUM-11 a generation has so many answers in an hour, durably', async () => {
    const world = await quorumWorld(2, 3, { budgets: { ...BUDGETS, recordPerHour: 3 } })
    expect(await openTimes(world, 4)).toEqual(['answer', 'answer', 'answer', 'ERR_QUORUM_BUDGET'])
    await world.reopen(1)
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_BUDGET'])
    const other = await world.log.open({ generation: generation(2) })
    expect(await ask(world, other, { generation: generation(2) })).toBe('answer')
    world.log.clock.advance(3_600_000)
    expect(await openTimes(world, 4)).toEqual(['answer', 'answer', 'answer', 'ERR_QUORUM_BUDGET'])
  })

  test('QUORUM-11 a clock that goes back opens no new hour', async () => {
    const world = await quorumWorld(2, 3, { budgets: { ...BUDGETS, recordPerHour: 1 } })
    expect(await openTimes(world, 1)).toEqual(['answer'])
    world.log.clock.jump(-7_200_000)
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_BUDGET'])
  })

  test('QUORUM-11 a generation has so many answers in all, and a holder so many in an hour', async () => {
    const total = await quorumWorld(2, 3, { budgets: { ...BUDGETS, recordTotal: 2 } })
    expect(await openTimes(total, 2)).toEqual(['answer', 'answer'])
    total.log.clock.advance(100 * 3_600_000)
    expect(await openTimes(total, 1)).toEqual(['ERR_QUORUM_BUDGET'])
    const all = await quorumWorld(2, 3, { budgets: { ...BUDGETS, allPerHour: 2 } })
    for (const [n, said] of [
      [1, 'answer'],
      [2, 'answer'],
      [3, 'ERR_QUORUM_BUDGET'],
    ] as const) {
      const of = generation(n)
      expect(await ask(all, await all.log.open({ generation: of }), { generation: of })).toBe(said)
    }
  })

  test('QUORUM-11 side by side no more answers leave than the budget has', async () => {
    const world = await quorumWorld(2, 3, { budgets: { ...BUDGETS, allPerHour: 3 } })
    const proofs: EntryProof[] = []
    for (let n = 1; n <= 8; n++) proofs.push(await world.log.open({ generation: generation(n) }))
    const last = proofs.at(-1) as EntryProof
    await ask(world, last, { generation: generation(8) })
    const said = await Promise.all(
      proofs.slice(0, 7).map((proof, i) => ask(world, proof, { generation: generation(i + 1) })),
    )
    expect(said.filter((one) => one === 'answer')).toHaveLength(2)
    expect(said.filter((one) => one === 'ERR_QUORUM_BUDGET')).toHaveLength(5)
  })

  test('QUORUM-11 without a durable count there is no answer', async () => {
    const inner = memoryStore()
    let fails = false
    const commit: Store['commit'] = async (steps, options) => {
      if (fails) throw new Error('the disk is gone')
      return inner.commit(steps, options)
    }
    const store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'commit') return commit
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const anchor = memoryAnchor()
    const world = await quorumWorld(2, 3)
    await world.reopen(1, { store, anchor })
    fails = true
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_UNAVAILABLE'])
    fails = false
    expect(await openTimes(world, 1)).toEqual(['answer'])
    anchor.advance = async () => {
      throw new Error('the anchor is away')
    }
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_UNAVAILABLE'])
  })
})

describe('revocation', () => {
  test('QUORUM-12 a revoked generation is never answered again, nor after a restart', async () => {
    const world = await quorumWorld(2, 3)
    const of = generation(1)
    expect(await openTimes(world, 1)).toEqual(['answer'])
    const proof = await world.log.log({ action: 'revoke', outcome: 'done', record: RECORD, generation: of })
    expect(await revoke(world, proof)).toBe('acknowledgement')
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_REVOKED'])
    await world.reopen(1)
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_REVOKED'])
    expect(await revoke(world, proof)).toBe('acknowledgement')
    const next = generation(2)
    expect(await ask(world, await world.log.open({ generation: next }), { generation: next })).toBe('answer')
  })

  test('QUORUM-12 what ends a generation is its revocation or erasure, or a later generation’s reissue', async () => {
    const of = generation(2)
    const named = { record: RECORD, outcome: 'done' } as const
    const cases = [
      [{ ...named, action: 'revoke', generation: of }, 'acknowledgement'],
      [{ ...named, action: 'erase', generation: of }, 'acknowledgement'],
      [{ ...named, action: 'reissue', generation: generation(3, 4) }, 'acknowledgement'],
      [{ ...named, action: 'reissue', generation: of }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'reissue', generation: generation(1) }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'revoke', generation: generation(3) }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'suspend', generation: of }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'open', generation: of, epoch: 1 }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, outcome: 'refused', action: 'revoke', generation: of }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'revoke', record: new Uint8Array(16), generation: of }, 'ERR_QUORUM_RECEIPT'],
      [{ ...named, action: 'revoke' }, 'ERR_QUORUM_RECEIPT'],
    ] as const
    const world = await quorumWorld(2, 3)
    for (const [event, said] of cases) {
      const proof = await world.log.log(event)
      expect(await revoke(world, proof, of), JSON.stringify(event)).toBe(said)
    }
  })
})

describe('rollback', () => {
  /** All rows of a store. */
  async function rowsOf(
    store: Store,
  ): Promise<{ table: 'states' | 'log'; key: Uint8Array; bytes: Uint8Array }[]> {
    const rows: { table: 'states' | 'log'; key: Uint8Array; bytes: Uint8Array }[] = []
    for (const table of ['states', 'log'] as const)
      for await (const { key, bytes } of store.scan(table, new Uint8Array([0])))
        rows.push({ table, key, bytes })
    return rows
  }

  async function storeOf(rows: Awaited<ReturnType<typeof rowsOf>>): Promise<Store> {
    const store = memoryStore()
    await store.commit(rows.map((row) => ({ step: 'put', expected: null, ...row })))
    return store
  }

  async function worked(): Promise<{
    world: QuorumWorld
    before: Awaited<ReturnType<typeof rowsOf>>
    after: Awaited<ReturnType<typeof rowsOf>>
  }> {
    const world = await quorumWorld(2, 3)
    await openTimes(world, 1)
    const second = generation(2)
    await ask(world, await world.log.open({ generation: second }), { generation: second })
    const before = await rowsOf(world.stores[0] as Store)
    const proof = await world.log.log({
      action: 'revoke',
      outcome: 'done',
      record: RECORD,
      generation: generation(1),
    })
    expect(await revoke(world, proof)).toBe('acknowledgement')
    return { world, before, after: await rowsOf(world.stores[0] as Store) }
  }

  test('QUORUM-13 a store that was put back is refused: the anchor knows better', async () => {
    const { world, before, after } = await worked()
    const open = (store: Store): Promise<string> => codeOf(() => world.reopen(1, { store }))
    expect(await open(await storeOf(before))).toBe('ERR_QUORUM_ROLLBACK')
    expect(await open(memoryStore())).toBe('ERR_QUORUM_ROLLBACK')
    await world.reopen(1, { store: await storeOf(after) })
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_REVOKED'])
  })

  test('QUORUM-13 a row that is missing, altered or older, or a head without its rows, is refused without an anchor', async () => {
    const { world, before, after } = await worked()
    const key = new Uint8Array(32).fill(77)
    const open = async (rows: typeof after): Promise<string> => {
      const { anchor: _, ...options } = world.options(1)
      const store = await storeOf(rows)
      return codeOf(() => openHolder({ ...options, store }, world.log.clock))
    }
    expect(after).toHaveLength(3)
    const older = after.findIndex(({ bytes }, i) => String(bytes) !== String(before[i]?.bytes))
    const cases: (typeof after)[] = [
      ...after.map((_, i) => after.filter((_one, at) => at !== i)),
      ...after.map((row, i) =>
        after.with(i, { ...row, bytes: row.bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)) }),
      ),
      after.with(older, before[older] as (typeof after)[number]),
      after.with(2, before[2] as (typeof after)[number]),
      after
        .with(0, { ...(after[0] as (typeof after)[number]), key: (after[1] as (typeof after)[number]).key })
        .slice(0, 1),
    ]
    for (const [i, rows] of cases.entries()) expect(await open(rows), `case ${i}`).toBe('ERR_QUORUM_ROLLBACK')
    await codeOf(() => world.reopen(1, { store: world.stores[0] as Store, key })).then((code) =>
      expect(code).toBe('ERR_QUORUM_ROLLBACK'),
    )
  })

  test('QUORUM-13 after a commit whose end nobody knows everything is read again', async () => {
    const inner = memoryStore()
    let mode: 'well' | 'lost' = 'well'
    let scans = 0
    const store = new Proxy(inner, {
      get: (target, name) => {
        if (name === 'scan') scans += 1
        if (name === 'commit' && mode === 'lost')
          return async (...given: Parameters<Store['commit']>) => {
            await inner.commit(...given)
            throw new Error('the answer was lost')
          }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const world = await quorumWorld(2, 3, { budgets: { ...BUDGETS, recordPerHour: 2 } })
    await world.reopen(1, { store, anchor: memoryAnchor() })
    mode = 'lost'
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_UNAVAILABLE'])
    mode = 'well'
    const before = scans
    // The lost one counted: it was durable. Reading again shows that the log was seen further.
    expect(await openTimes(world, 3)).toEqual(['ERR_QUORUM_SEEN', 'answer', 'ERR_QUORUM_BUDGET'])
    // Of the generations, and of the acceptances.
    expect(scans).toBe(before + 2)
  })

  test('QUORUM-13 two processes over one store: the second to write is refused', async () => {
    const world = await quorumWorld(2, 3)
    const first = holderOf(world)
    const second = await openHolder(world.options(1), world.log.clock)
    expect(await openTimes(world, 1)).toEqual(['answer'])
    const proof = await world.log.open()
    const receipt = await receiptOf(world, proof, 0)
    const named = {
      realm,
      record: RECORD,
      generation: generation(1),
      epoch: 1,
      refresh: 0,
      index: 1,
      id: ID,
      receipt,
    }
    expect(await say(second, encodeRequest(named))).toBe('ERR_QUORUM_UNAVAILABLE')
    expect(first.index).toBe(1)
    second.close()
  })
})

describe('epochs and refreshes', () => {
  function refreshed(shares: readonly QuorumShare[]): QuorumShare[] {
    const parts = shares.map(refreshQuorum)
    const openings = parts.map(({ opening }) => opening)
    const sent = parts.map((part) => part.deal(openings))
    return parts.map((part, i) => part.finish(sent.flatMap((packages) => packages.get(i + 1) ?? [])))
  }

  test('QUORUM-14 two epochs, and two refreshes of one, are served at once, and no others', async () => {
    const world = await quorumWorld(2, 3)
    const [own] = world.dealt.shares as [QuorumShare]
    const [newer] = refreshed(world.dealt.shares) as [QuorumShare]
    const second = dealQuorum({ realm: REALM, epoch: 2, threshold: 2, holders: 3 }).shares[0] as QuorumShare
    const third = dealQuorum({ realm: REALM, epoch: 3, threshold: 2, holders: 3 }).shares[0] as QuorumShare
    await world.reopen(1, { shares: [own, newer, second] })
    const open = async (epoch: number, refresh: number): Promise<string> =>
      ask(world, await world.log.open({ epoch }), { epoch, refresh })
    expect([await open(1, 0), await open(1, 1), await open(2, 0)]).toEqual(['answer', 'answer', 'answer'])
    expect([await open(3, 0), await open(1, 2)]).toEqual(['ERR_QUORUM_EPOCH', 'ERR_QUORUM_STALE'])
    const [newest] = refreshed(refreshed(world.dealt.shares)) as [QuorumShare]
    const foreign = dealQuorum({ realm: REALM, epoch: 2, threshold: 2, holders: 3 }).shares[1] as QuorumShare
    for (const shares of [[own, second, third], [own, newer, newest], [own, own], [own, foreign], []])
      expect(await codeOf(() => world.reopen(1, { shares }))).toBe('ERR_QUORUM_INPUT')
  })

  test('QUORUM-14 what was retired is refused for good, whoever brings the share again', async () => {
    const world = await quorumWorld(2, 3)
    const [own] = world.dealt.shares as [QuorumShare]
    const [newer] = refreshed(world.dealt.shares) as [QuorumShare]
    const second = dealQuorum({ realm: REALM, epoch: 2, threshold: 2, holders: 3 }).shares[0] as QuorumShare
    const holder = await world.reopen(1, { shares: [own, newer, second] })
    await holder.retire({ epoch: 1, refresh: 1 })
    const open = async (epoch: number, refresh: number): Promise<string> =>
      ask(world, await world.log.open({ epoch }), { epoch, refresh })
    expect([await open(1, 0), await open(1, 1)]).toEqual(['ERR_QUORUM_STALE', 'answer'])
    expect(await codeOf(() => world.reopen(1, { shares: [own] }))).toBe('ERR_QUORUM_STALE')
    const again = await world.reopen(1, { shares: [newer, second] })
    await again.retire({ epoch: 2 })
    expect([await open(1, 1), await open(2, 0)]).toEqual(['ERR_QUORUM_EPOCH', 'answer'])
    expect(await codeOf(() => world.reopen(1, { shares: [newer] }))).toBe('ERR_QUORUM_EPOCH')
    // A floor never sinks.
    await world.reopen(1, { shares: [second] }).then((last) => last.retire({ epoch: 1 }))
    expect(await codeOf(() => world.reopen(1, { shares: [newer] }))).toBe('ERR_QUORUM_EPOCH')
  })

  test('QUORUM-14 a holder that is closed answers nothing', async () => {
    const world = await quorumWorld(2, 3)
    holderOf(world).close()
    expect(await openTimes(world, 1)).toEqual(['ERR_QUORUM_UNAVAILABLE'])
  })
})
