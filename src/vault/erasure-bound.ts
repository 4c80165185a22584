/** Keeping the promise of erasures: which epochs have to go, until when, and what is to be done next (SPEC §11.11). @module */

import type { Millis, Realm } from '../base/brand.ts'
import { checkInteger } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import { realmPrefix } from '../base/identifier.ts'
import { type EpochInfo, ringAccess } from '../keys/keyring.ts'
import { onlyAt, type RingCall } from '../keys/ring-change.ts'
import type { EpochStatus } from '../keys/transition.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeStateRow } from '../record/state-row.ts'
import { type CampaignOptions, type CampaignReport, runCampaign } from './campaign.ts'
import { wrapCampaign, wrapCensus } from './campaign-rotate.ts'
import { rejectInput } from './errors.ts'
import { type RealmPlace, RingHost } from './rewrap-host.ts'

/** The epochs that wrapped what was erased, and since when it is unreachable. */
export interface PendingErasure {
  readonly since: number
  readonly last: number
  readonly unreachableMs: number
}

/** What decides the next step. */
export interface BoundFacts {
  readonly epochs: readonly (Pick<EpochInfo, 'epoch' | 'status' | 'changedAt'> & { readonly wraps: number })[]
  readonly erasures: readonly PendingErasure[]
  /** Wraps whose epoch nobody knows: while there are any, no epoch is known to be empty. */
  readonly unreadable: number
  readonly canDestroy: boolean
  readonly boundMs: number
  /** So long before the bound is reached it is acted. */
  readonly leadMs: number
  readonly nowMs: number
}

/**
 * - `nothing`: no erasure waits for an epoch
 * - `wait`: nothing is due before `at`
 * - `promote`: the primary epoch has to go; another takes its place
 * - `rotate`: wraps lie under an epoch that has to go
 * - `disable`, `destroy`: this empty epoch
 * - `blocked`: somebody has to act: the provider cannot destroy, wraps cannot be read or lie under a closed epoch
 */
export type BoundStep =
  | { readonly step: 'nothing' }
  | { readonly step: 'wait'; readonly at: Millis }
  | { readonly step: 'promote' | 'rotate' }
  | { readonly step: 'disable' | 'destroy'; readonly epoch: number }
  | { readonly step: 'blocked'; readonly why: 'no-destroy' | 'unconfirmed' | 'unreadable' | 'closed-epoch' }

/** The next step, and the instant by which the earliest promise ends. */
export function boundStep(facts: BoundFacts): BoundStep {
  const due = deadlines(facts)
  if (due.size === 0) return { step: 'nothing' }
  if (!facts.canDestroy) return { step: 'blocked', why: 'no-destroy' }
  const now = [...due].filter(([, atMs]) => facts.nowMs >= atMs - facts.leadMs).map(([epoch]) => epoch)
  if (now.length === 0) return { step: 'wait', at: (Math.min(...due.values()) - facts.leadMs) as Millis }
  const wanted = facts.epochs.filter(({ epoch }) => now.includes(epoch))
  if (wanted.some(({ status }) => status === 'primary')) return { step: 'promote' }
  const full = wanted.filter(({ wraps }) => wraps > 0)
  if (full.some(({ status }) => status === 'disabled')) return { step: 'blocked', why: 'closed-epoch' }
  if (full.length > 0) return { step: 'rotate' }
  if (facts.unreadable > 0) return { step: 'blocked', why: 'unreadable' }
  for (const { epoch, status } of wanted) {
    const step = NEXT[status]
    if (step !== undefined) return { step, epoch }
  }
  return { step: 'blocked', why: 'unconfirmed' }
}

/** What an empty epoch that has to go needs next; a primary one was told before, a destroyed one nothing confirms any more. */
const NEXT: Readonly<Record<EpochStatus, 'disable' | 'destroy' | undefined>> = {
  primary: undefined,
  enabled: 'disable',
  disabled: 'destroy',
  destroyed: undefined,
}

/** By epoch the earliest instant at which a promise about it ends; those whose destruction is confirmed are left out. */
function deadlines({ epochs, erasures, boundMs }: BoundFacts): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  for (const { epoch, status, changedAt } of epochs) {
    if (status === 'destroyed' && changedAt !== undefined) continue
    for (const { since, last, unreachableMs } of erasures) {
      if (epoch < since || epoch > last) continue
      ends.set(epoch, Math.min(ends.get(epoch) ?? Number.POSITIVE_INFINITY, unreachableMs + boundMs))
    }
  }
  return ends
}

export interface ErasureBoundOptions extends RealmPlace, CampaignOptions {
  readonly signal?: AbortSignal
  /** The realm's bound, as its vaults are opened with it (`erasureBoundMs`). Default 30 days. */
  readonly boundMs?: number
  /** How long before the bound it is acted. Default: a quarter of it. */
  readonly leadMs?: number
  /** For tests. */
  readonly now?: () => number
}

export interface ErasureBoundReport {
  readonly realm: Realm
  readonly dryRun: boolean
  /** Erased records of which a copy may still be opened by whoever has an older one. */
  readonly pending: number
  /** Of these, how many are beyond the bound. */
  readonly overdue: number
  /** By when the earliest promise ends. */
  readonly by: Millis | undefined
  /** What was done; of a dry run what would be done next, if anything. */
  readonly steps: readonly BoundStep[]
  /** What is left: `nothing` or `wait` when all is well. */
  readonly next: BoundStep
  readonly rotation: CampaignReport | undefined
}

const DAY_MS = 86_400_000
const DEFAULT_BOUND_MS = 30 * DAY_MS
const DONE = { disable: 'disabled', destroy: 'destroyed' } as const
/** More than any realm takes: one epoch needs four steps. */
const MOST_STEPS = 1024

/**
 * Does what keeps every erased record from being recoverable beyond the realm's bound: a new epoch, rotation, destruction of the old
 * ones. Run it daily. It knows from the rows and the keyring alone what is next, so that it may be killed at any point. Throws
 * `KeysError`, `StoreError`, `RecordError`.
 *
 * @example
 * ```ts
 * const { next, overdue } = await keepErasureBound({ keyring, store })
 * ```
 */
export async function keepErasureBound(options: ErasureBoundOptions): Promise<ErasureBoundReport> {
  const host = new RingHost(options)
  const { keyring, boundMs = DEFAULT_BOUND_MS, dryRun = false, signal } = options
  checkInteger(boundMs, 'boundMs', [1, 3653 * DAY_MS], rejectInput)
  const leadMs = checkInteger(options.leadMs ?? Math.floor(boundMs / 4), 'leadMs', [0, boundMs], rejectInput)
  const call = signal === undefined ? {} : { signal }
  const steps: BoundStep[] = []
  let rotation: CampaignReport | undefined
  for (let turn = 1; ; turn++) {
    const facts = await factsOf(host, options, {
      boundMs,
      leadMs,
      nowMs: options.now?.() ?? systemClock.nowMs(),
    })
    const next = boundStep(facts)
    const ended =
      turn > MOST_STEPS || isRest(next) || (next.step === 'rotate' && rotation?.complete === false)
    if (dryRun && !isRest(next)) steps.push(next)
    if (ended || dryRun) return report({ host, facts, steps, next, rotation, dryRun })
    if (next.step === 'disable' || next.step === 'destroy') {
      // On the keyring that was counted under: under another one wraps may have come to lie there, and the facts are read anew.
      const counted: RingCall = { ...call, [onlyAt]: facts.ring }
      await keyring[next.step](next.epoch, counted)
      if (keyring.epochs[next.epoch - 1]?.status !== DONE[next.step]) continue
    }
    steps.push(next)
    if (next.step === 'promote') await keyring.promote(await successor(options, facts), call)
    if (next.step === 'rotate') {
      rotation = await runCampaign(wrapCampaign('erase-bound', host, { shards: true }), options)
    }
  }
}

function isRest({ step }: BoundStep): boolean {
  return step === 'nothing' || step === 'wait' || step === 'blocked'
}

/** The epoch that takes the primary's place: one that was added before and no erasure names, or a new one. */
async function successor({ keyring, signal }: ErasureBoundOptions, facts: BoundFacts): Promise<number> {
  const named = deadlines(facts)
  const primary = facts.epochs.find(({ status }) => status === 'primary')?.epoch ?? 0
  const ready = facts.epochs.find(
    ({ epoch, status }) => epoch > primary && status === 'enabled' && !named.has(epoch),
  )
  return ready?.epoch ?? (await keyring.add(signal === undefined ? {} : { signal }))
}

async function factsOf(
  host: RingHost,
  { keyring }: RealmPlace,
  times: Pick<BoundFacts, 'boundMs' | 'leadMs' | 'nowMs'>,
): Promise<BoundFacts & { readonly ring: string }> {
  const census = await wrapCensus(host, { shards: true, exact: true })
  const erasures: PendingErasure[] = []
  const epochs = keyring.epochs.map((info) => ({ ...info, wraps: census.places[`epoch ${info.epoch}`] ?? 0 }))
  const gone = new Set<number>(
    epochs
      .filter(({ status, changedAt }) => status === 'destroyed' && changedAt !== undefined)
      .map(({ epoch }) => epoch),
  )
  for await (const erasure of erasuresOf(host)) {
    for (let epoch = erasure.since; epoch <= erasure.last; epoch++) {
      if (gone.has(epoch)) continue
      erasures.push(erasure)
      break
    }
  }
  const { canDestroy } = ringAccess(keyring)
  return { epochs, erasures, unreadable: census.unreadable.length, canDestroy, ring: census.ring, ...times }
}

/** What the tombstones of erased records say. A row that cannot be read ends it: what it promised is not known. */
async function* erasuresOf(host: RingHost): AsyncGenerator<PendingErasure> {
  const { realm } = host
  const prefix = realmPrefix(realm)
  for await (const { key, bytes } of host.store.scan('states', prefix)) {
    if (!startsWith(key, prefix)) return
    if (!isSubjectKey(realm, key)) continue
    await host.ring.load()
    const row = decodeStateRow(bytes, { realm, handle: key.slice(prefix.length) }, host.stateKey)
    if (row.state !== 'erased') continue
    yield { since: row.since, last: row.last, unreachableMs: row.changedMs }
  }
}

function report(told: {
  readonly host: RingHost
  readonly facts: BoundFacts
  readonly steps: readonly BoundStep[]
  readonly next: BoundStep
  readonly rotation: CampaignReport | undefined
  readonly dryRun: boolean
}): ErasureBoundReport {
  const { facts, steps, next, rotation, dryRun, host } = told
  const ends = facts.erasures.map(({ unreachableMs }) => unreachableMs + facts.boundMs)
  return {
    realm: host.realm,
    dryRun,
    pending: facts.erasures.length,
    overdue: ends.filter((endMs) => endMs < facts.nowMs).length,
    by: ends.length === 0 ? undefined : (ends.reduce((a, b) => Math.min(a, b)) as Millis),
    steps,
    next,
    rotation,
  }
}
