/** What takes the place of a lost holder remembers what the others do (SPEC §13.5). */
import { memoryStore } from 'guise'
import {
  finishRepair,
  type HolderMemory,
  helpRepair,
  type QuorumHolder,
  type QuorumShare,
} from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import { logSigner } from '../../src/audit/checkpoint.ts'
import { concatBytes, fixedLabel } from '../../src/base/bytes.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import {
  BUDGETS,
  codeOf,
  generation,
  memoryAnchor,
  type QuorumWorld,
  quorumWorld,
  RECORD,
} from '../support/quorum.ts'

const ENDED = generation(1)

async function revokeAt(world: QuorumWorld, silent: number): Promise<void> {
  const receipt = await world.log.log({
    action: 'revoke',
    outcome: 'done',
    record: RECORD,
    generation: ENDED,
  })
  const quorum = world.quorum((peer, index) => (index === silent ? gone : peer))
  const { holders } = await quorum.revoke({ record: RECORD, generation: ENDED, receipt, log: world.log })
  expect(holders).not.toContain(silent)
}

const gone = { handle: () => Promise.reject(new Error('gone')) }

/** How opening a generation ends when one holder is silent. */
async function openWithout(world: QuorumWorld, silent: number, of = ENDED): Promise<string> {
  const receipt = await world.log.open({ generation: of })
  const quorum = world.quorum((peer, index) => (index === silent ? gone : peer))
  return codeOf(() => quorum.open({ record: RECORD, generation: of, epoch: 1, receipt, log: world.log }))
}

/** The share of holder 1, made again by the others. */
function repaired(world: QuorumWorld): QuorumShare {
  const plan = { lost: 1, helpers: [2, 3] }
  const repairs = plan.helpers.map((helper) =>
    helpRepair(world.dealt.shares[helper - 1] as QuorumShare, plan),
  ) as [ReturnType<typeof helpRepair>, ReturnType<typeof helpRepair>]
  const openings = repairs.map(({ opening }) => opening)
  const [first, second] = repairs.map((repair) => repair.deal(openings)) as [
    ReadonlyMap<number, Uint8Array>,
    ReadonlyMap<number, Uint8Array>,
  ]
  const sums = [repairs[0].sum([second.get(2) as Uint8Array]), repairs[1].sum([first.get(3) as Uint8Array])]
  return finishRepair(world.dealt.key.bytes, plan, openings, sums)
}

/** Holder 1 anew, on a machine of its own, with nothing but a share. */
function replace(world: QuorumWorld): Promise<QuorumHolder> {
  return world.reopen(1, {
    shares: [repaired(world)],
    key: new Uint8Array(32).fill(201),
    store: memoryStore(),
    anchor: memoryAnchor(),
  })
}

async function memoriesOf(world: QuorumWorld, ...indices: number[]): Promise<HolderMemory[]> {
  return await Promise.all(
    indices.map(async (index) => {
      const holder = world.holders[index - 1] as QuorumHolder
      return { index, verifierKey: holder.verifierKey, memory: await holder.memory() }
    }),
  )
}

describe('a holder in the place of a lost one', () => {
  test('QUORUM-39 refuses what was revoked while the third heard nothing of it; the control that inherits nothing opens it', async () => {
    for (const inherits of [true, false]) {
      const world = await quorumWorld(2, 3)
      expect(await openWithout(world, 0)).toBe('none')
      await revokeAt(world, 3)
      expect(await openWithout(world, 2)).toBe('ERR_QUORUM_UNAVAILABLE')
      const holder = await replace(world)
      if (inherits) await holder.inherit(await memoriesOf(world, 2, 3))
      expect(await openWithout(world, 2)).toBe(inherits ? 'ERR_QUORUM_UNAVAILABLE' : 'none')
      // Others open as before.
      expect(await openWithout(world, 2, generation(2))).toBe('none')
    }
  })

  test('QUORUM-39 has it durable and anchored, with counts, and once', async () => {
    const world = await quorumWorld(2, 3, { budgets: { ...BUDGETS, recordTotal: 3 } })
    const of = generation(7)
    for (let i = 0; i < 2; i++) expect(await openWithout(world, 1, of)).toBe('none')
    const [store, anchor] = [memoryStore(), memoryAnchor()]
    const own = { shares: [repaired(world)], key: new Uint8Array(32).fill(9), store, anchor }
    const holder = await world.reopen(1, own)
    await holder.inherit(await memoriesOf(world, 2, 3))
    expect(anchor.kept?.size).toBe(1)
    expect(await codeOf(async () => holder.inherit(await memoriesOf(world, 2, 3)))).toBe('ERR_QUORUM_INPUT')
    await world.reopen(1, own)
    expect(await openWithout(world, 2, of)).toBe('none')
    // Four in all, two of them of the lost one's time: the budget is spent.
    expect(await openWithout(world, 2, of)).toBe('ERR_QUORUM_UNAVAILABLE')
  })

  test('QUORUM-39 serves nothing that the others retired', async () => {
    const world = await quorumWorld(2, 3)
    await (world.holders[1] as QuorumHolder).retire({ epoch: 1, refresh: 1 })
    const holder = await replace(world)
    await holder.inherit(await memoriesOf(world, 2, 3))
    expect(await openWithout(world, 2)).toBe('ERR_QUORUM_UNAVAILABLE')
    const second = await quorumWorld(2, 3)
    await (second.holders[1] as QuorumHolder).retire({ epoch: 2 })
    await (second.holders[2] as QuorumHolder).retire({ epoch: 1, refresh: 3 })
    const other = await replace(second)
    await other.inherit(await memoriesOf(second, 2, 3))
    expect(await openWithout(second, 2)).toBe('ERR_QUORUM_UNAVAILABLE')
  })
})

interface Said {
  readonly realm?: string
  readonly index?: number
  readonly size?: number
  readonly root?: number
  readonly floors?: unknown
  readonly rows?: unknown
  readonly hour?: number
  readonly count?: number
}

/** A memory that somebody signed by the key of `fill`. */
async function made(index: number, said: Said = {}, fill = 50 + index): Promise<HolderMemory> {
  const { realm = 'clinic', size = 0, root = 0, floors = [], rows = [], hour = 0, count = 0 } = said
  const signer = await logSigner(`clinic/quorum/${index}`, new Uint8Array(32).fill(50 + index))
  const by = await logSigner(`clinic/quorum/${index}`, new Uint8Array(32).fill(fill))
  const head = [size, new Uint8Array(32).fill(root), hour, count, 1, floors]
  const body = encodeCbor([1, 56, realm, said.index ?? index, ...head, rows] as never)
  const signature = await by.sign(concatBytes(fixedLabel('guise/v1/quorum-memory'), body))
  return { index, verifierKey: signer.verifierKey, memory: concatBytes(body, signature) }
}

async function inheriting(...memories: readonly unknown[]): Promise<readonly [code: string, index: unknown]> {
  const world = await quorumWorld(2, 4)
  const holder = await world.reopen(1, { store: memoryStore(), anchor: memoryAnchor() })
  try {
    await holder.inherit(memories as readonly HolderMemory[])
    return ['none', undefined]
  } catch (error) {
    const { code, index } = error as { code: string; index: unknown }
    return [code, index]
  }
}

describe('QUORUM-39 memories that are not taken', () => {
  const INPUT = ['ERR_QUORUM_INPUT', undefined]

  test('QUORUM-39 too few, twice, of itself, none', async () => {
    const [two, three] = [await made(2), await made(3)]
    expect(await inheriting(two, three)).toEqual(['none', undefined])
    expect(await inheriting(two)).toEqual(INPUT)
    expect(await inheriting(two, two)).toEqual(INPUT)
    expect(await inheriting(two, await made(1))).toEqual(INPUT)
    expect(await inheriting(two, { ...three, index: 0 })).toEqual(INPUT)
    expect(await inheriting(two, undefined)).toEqual(INPUT)
    const world = await quorumWorld(2, 3)
    expect(await codeOf(() => (world.holders[0] as QuorumHolder).inherit('all' as never))).toBe(
      'ERR_QUORUM_INPUT',
    )
  })

  test('QUORUM-39 signed by somebody else, altered, of another realm or holder: who is named', async () => {
    const two = await made(2)
    const altered = Uint8Array.from((await made(3)).memory)
    altered[20] = (altered[20] as number) ^ 1
    for (const memory of [
      await made(3, {}, 99),
      { ...(await made(3)), memory: altered },
      { ...(await made(3)), memory: new Uint8Array(64) },
      { ...(await made(3)), memory: new Uint8Array(3) },
      await made(3, { realm: 'pharmacy' }),
      await made(3, { index: 2 }),
    ]) {
      expect(await inheriting(two, memory)).toEqual(['ERR_QUORUM_ROUND', 3])
    }
  })

  test('QUORUM-39 two logs of one size, and floors of more epochs than are served', async () => {
    const seen = await made(2, { size: 5, root: 1 })
    expect(await inheriting(seen, await made(3, { size: 5, root: 2 }))).toEqual(['ERR_QUORUM_ROUND', 3])
    expect(await inheriting(seen, await made(3, { size: 4, root: 2 }))).toEqual(['none', undefined])
    const floors = await made(2, {
      floors: [
        [1, 1],
        [2, 1],
      ],
    })
    expect(await inheriting(floors, await made(3, { floors: [[3, 1]] }))).toEqual(INPUT)
    expect(await inheriting(floors, await made(3, { floors: [[2, 4]] }))).toEqual(['none', undefined])
  })

  test('QUORUM-39 forms that are none', async () => {
    const two = await made(2)
    for (const said of [{ floors: 1 }, { rows: 1 }, { rows: [[1]] }, { floors: [[0, 1]] }]) {
      expect((await inheriting(two, await made(3, said)))[0]).toBe('ERR_QUORUM_FORMAT')
    }
  })

  test('QUORUM-39 of counts the latest hour is kept, within it the greatest', async () => {
    const row = (hour: number, count: number) => [[RECORD, generation(3), false, 9, hour, count, 4]]
    const hours = [
      [3, 5, 3, 4],
      [3, 4, 3, 5],
      [4, 1, 3, 5],
      [3, 5, 4, 1],
    ] as const
    for (const [hour, count, otherHour, otherCount] of hours) {
      const world = await quorumWorld(2, 3)
      const holder = await world.reopen(1, { store: memoryStore(), anchor: memoryAnchor() })
      const one = await made(2, { hour, count, rows: row(hour, count) })
      const other = await made(3, { hour: otherHour, count: otherCount, rows: row(otherHour, otherCount) })
      await holder.inherit([one, other])
      const kept =
        hour >= otherHour && (hour > otherHour || count > otherCount)
          ? [hour, count]
          : [otherHour, otherCount]
      const said = await made(1, {
        hour: kept[0] as number,
        count: kept[1] as number,
        rows: row(...(kept as [number, number])),
      })
      expect((await holder.memory()).subarray(0, -64)).toEqual(said.memory.subarray(0, -64))
    }
  })
})
