/** What does the log add to a verify? @module */

import { type Journal, Journal as Journals, type TimedEvent } from '../../dist/audit/journal.js'
import type { LogKeys } from '../../dist/audit/queue.js'
import type { Realm } from '../../dist/base/brand.js'
import type { Vault } from '../../dist/index.js'
import { type LmdbStore, lmdbStore } from '../../dist/lmdb.js'
import type { VaultContext } from '../../dist/vault/context.js'
import { openContext } from '../../dist/vault/open.js'
import { OpenVault } from '../../dist/vault/vault.js'
import {
  enrollRequest,
  makePeople,
  type Person,
  pick,
  vaultOptions,
  verifyRequest,
  withFolder,
} from './people.ts'
import type { Plan, Scenario, Series } from './scenario.ts'

const SHAPE = { bits: 512, dimensions: 512, custody: 'operator' } as const
const WIDTH = 64
const REPEATS = 3
/** About what an entry takes in the queue. */
const ROW_BYTES = 260
/** How a vault tells of what it did. */
const WAYS = ['log', 'no log', 'bare row'] as const
type Way = (typeof WAYS)[number]
const OUTCOMES = ['nonmatch', 'match'] as const
type Outcome = (typeof OUTCOMES)[number]
const MEASURES = ['wall', 'processor'] as const
const LOADS = [
  { how: 'one after the other', width: 1, times: 2 },
  { how: `${WIDTH} in flight`, width: WIDTH, times: 10 },
] as const

export const auditScenario: Scenario = {
  name: 'audit',
  question: 'what its log adds to vault.verify on LMDB',
  notes: [
    'no log: the same commit without its entry, and nothing integrated, signed or followed',
    `bare row: the same commit with ${ROW_BYTES} bytes that say nothing in place of the entry; a match without its entry writes nothing, and waits for no disk`,
    `processor time and sustained times include integration and signature of all entries; ${WIDTH} in flight`,
    'ways take turns by blocks in one process',
  ],
  repeats: true,
  claims: [
    claim('nonmatch', 'one after the other', 'wall', 'no log'),
    claim('nonmatch', `${WIDTH} in flight`, 'wall', 'no log'),
    claim('nonmatch', 'one after the other', 'processor', 'no log'),
    claim('nonmatch', `${WIDTH} in flight`, 'processor', 'no log'),
    claim('match', 'one after the other', 'wall', 'bare row'),
    claim('match', `${WIDTH} in flight`, 'wall', 'bare row'),
    claim('match', 'one after the other', 'processor', 'bare row'),
    claim('match', `${WIDTH} in flight`, 'processor', 'bare row'),
  ],
  variants: [{ name: 'guise', role: 'ours', run: ours }],
}

function claim(outcome: Outcome, how: string, what: string, than: Way): Scenario['claims'][number] {
  const series = (way: Way): string => nameOf(outcome, how, what, way)
  return { series: series('log'), over: { variant: 'guise', series: series(than) }, most: 1.15 }
}

function nameOf(outcome: Outcome, how: string, what: string, way: Way): string {
  return `${outcome}, ${how}, ${what}: ${way}`
}

function allNames(): readonly string[] {
  return OUTCOMES.flatMap((outcome) =>
    LOADS.flatMap(({ how }) =>
      MEASURES.flatMap((what) => WAYS.map((way) => nameOf(outcome, how, what, way))),
    ),
  )
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const people = await makePeople(plan.seed, peopleFor(plan))
    const worlds: World[] = []
    for (const way of WAYS) worlds.push(await openWorld(`${folder}/${way.replace(' ', '-')}`, way, people))
    const series = new Map<string, number[]>(allNames().map((name) => [name, []]))
    for (const outcome of OUTCOMES) {
      // A match takes back the run of failures, which it writes, unless there is none.
      if (outcome === 'match') for (const world of worlds) await block(world, 'match', people.length, WIDTH)
      for (let repeat = 0; repeat <= REPEATS; repeat++) {
        for (const world of repeat % 2 === 0 ? worlds : worlds.toReversed()) {
          for (const { how, width, times } of LOADS) {
            const took = await block(world, outcome, times * plan.calls, width)
            if (repeat === 0) continue
            for (const what of MEASURES) {
              series.get(nameOf(outcome, how, what, world.way))?.push(took[what])
            }
          }
        }
      }
    }
    for (const { vault, store } of worlds) {
      await vault.close()
      await store.close()
    }
    const entry = await entryAlone(10 * plan.calls)
    return [...[...series].map(([name, values]) => ({ name, unit: 'µs', values }) as const), entry]
  })
}

/** So many that nobody fails as often as 100 times in a row, which no policy allows. */
function peopleFor(plan: Plan): number {
  return Math.max(plan.people, Math.ceil(((REPEATS + 1) * 12 * plan.calls) / 80))
}

interface World {
  readonly way: Way
  readonly people: readonly Person[]
  readonly store: LmdbStore
  readonly ctx: VaultContext
  readonly vault: Vault
  turn: number
}

/** A vault that has enrolled everybody, with its log as it is, and tells of what follows in its own way. */
async function openWorld(path: string, way: Way, people: readonly Person[]): Promise<World> {
  const store = await lmdbStore({ path })
  const ctx = await openContext(await vaultOptions(store, SHAPE))
  const vault = new OpenVault(ctx)
  for await (const result of vault.enrollMany(people.map((person) => enrollRequest(person)))) {
    if (!result.ok) throw result.error
  }
  await ctx.ledger.settle({})
  if (way !== 'log') withoutLog(ctx, way)
  return { way, people, store, ctx, vault, turn: 0 }
}

/** Nothing is written to the log any more, and nothing read from it; every row is taken for the newest. */
function withoutLog(ctx: VaultContext, way: Way): void {
  const row = { step: 'append', table: 'queue', bytes: new Uint8Array(ROW_BYTES).fill(1) } as const
  const commit: Journal['commit'] = async (store, steps, _event, _keys, options) => {
    const versions = await store.commit(way === 'no log' ? steps : [...steps, row], options)
    return { versions, entry: row.bytes }
  }
  Object.assign(ctx.ring.journal, { commit, settle: async () => {} })
  Object.assign(ctx.ledger, { isLast: () => true, isLastRing: () => true, follow: async () => {} })
}

/** Microseconds a call: of wall time, and of processor time until everything is integrated and signed. */
async function block(
  world: World,
  outcome: Outcome,
  calls: number,
  width: number,
): Promise<{ readonly wall: number; readonly processor: number }> {
  const { people, vault, way, ctx } = world
  const from = world.turn
  world.turn += calls
  const requests = Array.from({ length: calls }, (_, i) =>
    verifyRequest(pick(people, from + i).subject, pick(people, from + i + (outcome === 'match' ? 0 : 1))),
  )
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < calls) {
      const decision = await vault.verify(requests[next++] as (typeof requests)[number])
      if (decision.outcome !== outcome) throw new Error(`${decision.outcome} instead of ${outcome}`)
    }
  }
  const used = process.cpuUsage()
  const begin = performance.now()
  await Promise.all(Array.from({ length: width }, lane))
  const answered = performance.now()
  if (way === 'log') await ctx.ledger.settle({})
  const settled = performance.now()
  const { user, system } = process.cpuUsage(used)
  const wallMs = (width === 1 ? answered : settled) - begin
  return { wall: (wallMs * 1000) / calls, processor: (user + system) / calls }
}

/** An entry made, linked and sealed, and a commit that takes no time. */
async function entryAlone(calls: number): Promise<Series> {
  const journal = new Journals('bench' as Realm)
  const nowhere = { commit: async () => [''] }
  const key = new Uint8Array(32).fill(4)
  const keys: Pick<LogKeys, 'newestVersion' | 'key'> = { newestVersion: 1, key: () => key }
  const event: TimedEvent = {
    timeMs: Date.now(),
    action: 'verify',
    outcome: 'nonmatch',
    handle: new Uint8Array(16).fill(1),
    record: new Uint8Array(16).fill(2),
    generation: new Uint8Array(20).fill(3),
    epoch: 1,
    policy: 'login-1',
    basis: 'consent',
    attempts: new Uint8Array(16).fill(4),
  }
  const values: number[] = []
  for (let repeat = -REPEATS; repeat < 10; repeat++) {
    const begin = performance.now()
    for (let i = 0; i < calls; i++) await journal.commit(nowhere, [], event, keys)
    if (repeat >= 0) values.push(((performance.now() - begin) * 1000) / calls)
  }
  return { name: 'an entry made, linked and sealed, alone', unit: 'µs', values }
}
