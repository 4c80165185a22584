/** Campaigns: one change of very many things beside traffic, resumed by being run again (SPEC §11.11). @module */

import type { Realm } from '../base/brand.ts'
import { checkFunction, checkInteger } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { runMany } from './bulk.ts'
import { rejectInput } from './errors.ts'

/** What the log calls them. */
export const CAMPAIGNS = [
  'rotate',
  'rewrap',
  'erase-bound',
  'breach',
  'custody',
  'provider',
  'model',
] as const
export type CampaignName = (typeof CAMPAIGNS)[number]

/** One thing that a campaign could not change, and why. */
export interface Straggler {
  readonly kind: 'record' | 'shard' | 'subject' | 'key'
  /** A pseudonym: a record's or a handle's identifier, the number of a shard, the name of a key. */
  readonly name: string
  /** Code of the error. */
  readonly code: string
}

/** What there is, and how much of it is not yet as it shall be. */
export interface CampaignCensus {
  readonly total: number
  readonly left: number
  /** How many are where: `epoch 1`, for one. */
  readonly places: Readonly<Record<string, number>>
  /** Of what cannot be read nobody knows where it is; counted in `left`. */
  readonly unreadable: readonly Straggler[]
}

/** One change. `run` decides from fresh rows: true when it changed something, false when nothing was left to do. */
export interface CampaignTask extends Pick<Straggler, 'kind' | 'name'> {
  run(): Promise<boolean>
}

/**
 * What differs between campaigns. Nothing of their progress is kept anywhere: `tasks` names what the rows themselves show as left, so
 * that a campaign that was killed is resumed by a new one.
 */
export interface CampaignKind {
  readonly name: CampaignName
  readonly realm: Realm
  /** Writes nothing. `exact`: it decides whether `finish` may be called. */
  census(exact: boolean): Promise<CampaignCensus>
  tasks(): AsyncIterable<CampaignTask>
  /** Milliseconds for one task, measured without a write; `undefined` when there is nothing to measure. */
  trial(): Promise<number | undefined>
  /** What may be done only when nothing is left. */
  finish?(): Promise<void>
  /** Writes an entry of the log. */
  log(when: 'begin' | 'end', outcome: 'done' | 'failed'): Promise<void>
}

export interface CampaignProgress {
  readonly done: number
  readonly failed: number
  /** What was left when the pass began. */
  readonly of: number
}

export interface CampaignOptions {
  /** Counts and measures, and writes nothing. */
  readonly dryRun?: boolean
  /** At most so many changes a second, 1 to 1,000,000. Default: as many as the store takes. */
  readonly perSecond?: number
  /** So many at once, 1 to 64. Default 16. */
  readonly width?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CampaignProgress) => void
  /** For tests: what paces the campaign. */
  readonly clock?: Pick<Clock, 'steady'>
}

export interface CampaignReport {
  readonly campaign: CampaignName
  readonly realm: Realm
  readonly dryRun: boolean
  /** True when nothing is left, and what follows that is done. */
  readonly complete: boolean
  readonly before: CampaignCensus
  readonly after: CampaignCensus
  readonly changed: number
  readonly passes: number
  readonly elapsedMs: number
  /** Of a dry run: how long the rest takes at least, at the rate asked for or at the speed measured without writing. */
  readonly atLeastMs: number | undefined
  /** At most 1,000; `failed` counts all. */
  readonly stragglers: readonly Straggler[]
  readonly failed: number
}

const MOST_LISTED = 1000
/** What others write meanwhile is met in the next pass; so many find what is to be found. */
const MOST_PASSES = 8
const DEFAULT_WIDTH = 16

/**
 * Runs a campaign to its end: passes over what is left until nothing is, or a pass changes nothing. Throws what is no failure of a
 * single thing, and the reason of an aborted signal: run it again, then.
 */
export async function runCampaign(
  kind: CampaignKind,
  options: CampaignOptions = {},
): Promise<CampaignReport> {
  const checked = checkOptions(options)
  const clock = checked.clock ?? systemClock
  const begunMs = clock.steady().ms
  const before = await kind.census(false)
  const told = (
    rest: Omit<CampaignReport, 'campaign' | 'realm' | 'before' | 'elapsedMs'>,
  ): CampaignReport => {
    const elapsedMs = clock.steady().ms - begunMs
    return { campaign: kind.name, realm: kind.realm, before, elapsedMs, ...rest }
  }
  if (checked.dryRun === true) {
    const atLeastMs = await estimate(kind, before.left, checked)
    const complete = before.left === 0
    const stragglers = before.unreadable.slice(0, MOST_LISTED)
    const failed = before.unreadable.length
    return told({
      dryRun: true,
      complete,
      after: before,
      changed: 0,
      passes: 0,
      atLeastMs,
      stragglers,
      failed,
    })
  }
  if (before.left > 0) await kind.log('begin', 'done')
  let after = before
  let changed = 0
  let passes = 0
  let last: Pass = { changed: 0, stragglers: [], failed: 0 }
  for (let most = MOST_PASSES; after.left > 0 && most > 0; most--) {
    last = await pass(kind, after.left, checked, clock)
    changed += last.changed
    passes += 1
    after = await kind.census(last.changed === 0)
    if (last.changed === 0) break
  }
  // The count that decides is taken when everything has been done.
  if (after.left === 0) after = await kind.census(true)
  const complete = after.left === 0
  if (complete) await kind.finish?.()
  if (before.left > 0) await kind.log('end', complete ? 'done' : 'failed')
  const { stragglers, failed } = complete ? { stragglers: [], failed: 0 } : last
  return told({ dryRun: false, complete, after, changed, passes, atLeastMs: undefined, stragglers, failed })
}

interface Pass {
  readonly changed: number
  readonly stragglers: readonly Straggler[]
  readonly failed: number
}

async function pass(
  kind: CampaignKind,
  of: number,
  options: CampaignOptions,
  clock: Pick<Clock, 'steady'>,
): Promise<Pass> {
  const { signal, perSecond, width = DEFAULT_WIDTH, onProgress } = options
  const under = new Map<number, CampaignTask>()
  const stragglers: Straggler[] = []
  let changed = 0
  let done = 0
  let failed = 0
  let number = 0
  const begin = async (task: CampaignTask): Promise<boolean> => {
    under.set(number++, task)
    return await task.run()
  }
  const call = signal === undefined ? {} : { signal }
  for await (const result of runMany(
    paced(kind.tasks(), { perSecond, width, signal, clock }),
    begin,
    width,
    call,
  )) {
    const task = under.get(result.index) as CampaignTask
    under.delete(result.index)
    done += 1
    if (result.ok) changed += Number(result.value)
    else {
      failed += 1
      if (stragglers.length < MOST_LISTED) {
        stragglers.push({ kind: task.kind, name: task.name, code: result.error.code })
      }
    }
    onProgress?.({ done, failed, of })
  }
  return { changed, stragglers, failed }
}

/**
 * Hands tasks out in groups that share the store's flush, none before its time: the number n, from 0, of a pass not before n ÷ `perSecond`,
 * n rounded down to a multiple of the group.
 */
async function* paced<Item>(
  items: AsyncIterable<Item>,
  pace: {
    readonly perSecond: number | undefined
    readonly width: number
    readonly signal: AbortSignal | undefined
    readonly clock: Pick<Clock, 'steady'>
  },
): AsyncGenerator<Item> {
  const { perSecond, width, signal, clock } = pace
  const begunMs = clock.steady().ms
  // A tenth of a second at most: a rate that is asked for is not to be heard as a hammer.
  const group = Math.max(1, Math.min(width, Math.floor((perSecond ?? 0) / 10)))
  let number = 0
  for await (const item of items) {
    if (perSecond !== undefined) {
      const dueMs = begunMs + ((number - (number++ % group)) * 1000) / perSecond
      for (let waitMs = dueMs - clock.steady().ms; waitMs > 0; waitMs = dueMs - clock.steady().ms) {
        await sleep(waitMs, signal)
      }
    }
    yield item
  }
}

/** A second at most: a clock that was set while somebody slept is looked at again. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise((resolve) => setTimeout(resolve, Math.min(Math.ceil(ms), 1000)))
  signal?.throwIfAborted()
}

async function estimate(
  kind: CampaignKind,
  left: number,
  { perSecond }: CampaignOptions,
): Promise<number | undefined> {
  if (left === 0) return 0
  const oneMs = await kind.trial()
  const pacedMs = perSecond === undefined ? undefined : 1000 / perSecond
  if (oneMs === undefined && pacedMs === undefined) return undefined
  return Math.ceil(left * Math.max(oneMs ?? 0, pacedMs ?? 0))
}

function checkOptions(options: CampaignOptions): CampaignOptions {
  const { perSecond, width, onProgress } = options
  if (perSecond !== undefined) checkInteger(perSecond, 'perSecond', [1, 1_000_000], rejectInput)
  if (width !== undefined) checkInteger(width, 'width', [1, 64], rejectInput)
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress', rejectInput)
  return options
}
