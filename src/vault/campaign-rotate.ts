/** The campaigns that bring every wrap under the primary epoch: `rotate` with a keyring, `rewrap` with a grant (SPEC §11.11). @module */

import { readU32be, toBase64Url } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { GuiseError } from '../base/errors.ts'
import { realmPrefix } from '../base/identifier.ts'
import { shardStart } from '../gallery/place.ts'
import { decodeShardRow } from '../gallery/shard-row.ts'
import { onlyAt, type RingCall } from '../keys/ring-change.ts'
import { RecordError } from '../record/errors.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { decodeSecretRow } from '../record/secret-row.ts'
import {
  type CampaignCensus,
  type CampaignKind,
  type CampaignOptions,
  type CampaignReport,
  type CampaignTask,
  runCampaign,
  type Straggler,
} from './campaign.ts'
import { isInUse, nameOf, type Rewrapper, rewrapRecord, rewrapShard } from './rewrap.ts'
import { GrantHost, type WorkerPlace } from './rewrap-grant.ts'
import { type RealmPlace, RingHost } from './rewrap-host.ts'

export interface RotateCampaignOptions extends RealmPlace, CampaignOptions {
  readonly signal?: AbortSignal
  /** Raises the lowest accepted epoch to the primary one when nothing is left below it. Default false. */
  readonly retire?: boolean
}

export interface RewrapCampaignOptions extends WorkerPlace, CampaignOptions {
  readonly signal?: AbortSignal
}

/**
 * Brings the wraps of all records and shards under the primary epoch, beside traffic. One that was killed is resumed by running it
 * again. Throws `KeysError`, `StoreError`.
 *
 * @example
 * ```ts
 * const { complete, stragglers } = await rotateCampaign({ keyring, store, perSecond: 500, retire: true })
 * ```
 */
export async function rotateCampaign(options: RotateCampaignOptions): Promise<CampaignReport> {
  const host = new RingHost(options)
  const { keyring, signal } = options
  const call = signal === undefined ? {} : { signal }
  // To the primary one of the last count, not of now, and on the keyring that was counted under: under another one wraps may have come to
  // lie below it since, even if the same epoch is primary again.
  const retire = async ({ primary, ring }: WrapCensus): Promise<void> => {
    for (let count = 0, at = ring; count < MOST_COUNTS; count++) {
      const counted: RingCall = { ...call, [onlyAt]: at }
      await keyring.retire(Math.max(primary, keyring.minAccepted), counted)
      if (keyring.minAccepted >= primary) return
      const again = await wrapCensus(host, { shards: true, exact: true })
      if (again.unreadable.length > 0 || Math.min(again.lowest, again.primary) < primary) return
      at = again.ring
    }
  }
  return await runCampaign(
    wrapCampaign('rotate', host, {
      shards: true,
      ...(options.retire === true ? { finish: retire } : {}),
    }),
    options,
  )
}

/**
 * The same by a process that holds a grant (`rewrapGrant`) and nothing else. Leaves the keyring as it is. `ERR_VAULT_GRANT` when that
 * changes.
 */
export async function rewrapCampaign(options: RewrapCampaignOptions): Promise<CampaignReport> {
  const host = new GrantHost(options)
  try {
    return await runCampaign(wrapCampaign('rewrap', host, { shards: host.shards }), options)
  } finally {
    host.dispose()
  }
}

/** How often wraps are counted again when the keyring changed during a count. */
const MOST_COUNTS = 8
/** How many wraps are measured by a dry run. */
const TRIAL = 64

/** What `rotate` and `rewrap` are for the runner. */
export function wrapCampaign(
  name: 'rotate' | 'rewrap' | 'erase-bound',
  host: Rewrapper,
  how: { readonly shards: boolean; readonly finish?: (counted: WrapCensus) => Promise<void> },
): CampaignKind {
  const { finish } = how
  let counted: WrapCensus
  return {
    name,
    realm: host.realm,
    census: async (exact) => {
      counted = await wrapCensus(host, { shards: how.shards, exact })
      const { total, left, places, unreadable } = counted
      return { total, left, places, unreadable }
    },
    tasks: () => wrapTasks(host, how.shards),
    trial: async () => {
      let number = 0
      const begunMs = systemClock.steady().ms
      for await (const task of wrapTasks(host, how.shards, true)) {
        try {
          await task.run()
          number += 1
        } catch (error) {
          // A straggler: the census names those that cannot be read, the campaign the others.
          if (!(error instanceof GuiseError)) throw error
        }
        if (number === TRIAL) break
      }
      // The clock may count in whole milliseconds.
      return number === 0 ? undefined : Math.max(1, systemClock.steady().ms - begunMs) / number
    },
    ...(finish === undefined ? {} : { finish: () => finish(counted) }),
    log: async (when, outcome) => {
      await host.decide(async () => {
        const event = {
          action: 'campaign',
          outcome,
          policy: `${name}.${when}`,
          epoch: host.ring.primary,
        } as const
        await host.commitLogged([host.ringStep()], event)
      })
    },
  }
}

/** A wrap as its row shows it, unopened; `epoch` undefined when it cannot be read. */
interface Wrap extends Pick<Straggler, 'kind' | 'name'> {
  readonly key: Uint8Array
  readonly number: number
  readonly epoch: number | undefined
  readonly code: string
}

async function* wraps(host: Rewrapper, shards: boolean): AsyncGenerator<Wrap> {
  const { realm } = host
  const prefix = realmPrefix(realm)
  for await (const { key, bytes } of host.secrets.scan('secrets', prefix)) {
    if (!startsWith(key, prefix)) break
    if (!isSubjectKey(realm, key)) continue
    const name = nameOf(host, key)
    const read = (): number => decodeSecretRow(bytes, { realm, ...name }).epoch
    yield { kind: 'record', name: toBase64Url(name.record), key, number: 0, ...epochOf(read) }
  }
  if (!shards) return
  const start = shardStart(realm)
  for await (const { key, bytes } of host.store.scan('galleries', start)) {
    if (!startsWith(key, start)) break
    await host.ring.load()
    const number = readU32be(key.slice(start.length))
    const read = (): number => decodeShardRow(bytes, { realm, number }, host.stateKey).epoch
    yield { kind: 'shard', name: String(number), key, number, ...epochOf(read) }
  }
}

function epochOf(read: () => number): Pick<Wrap, 'epoch' | 'code'> {
  try {
    return { epoch: read(), code: '' }
  } catch (error) {
    if (error instanceof GuiseError) return { epoch: undefined, code: error.code }
    throw error
  }
}

interface WrapCensus extends CampaignCensus {
  /** The keyring as it was when the count began: its primary epoch, and the version of its row. */
  readonly primary: number
  readonly ring: string
  /** The lowest epoch of a wrap that does not wait for its deletion; infinite without one. */
  readonly lowest: number
}

/** Counts wraps by epoch. A wrap in a second store that no code belongs to any more waits for its deletion, and is not left. */
export async function wrapCensus(
  host: Rewrapper,
  how: { readonly shards: boolean; readonly exact: boolean },
): Promise<WrapCensus> {
  const { primary, ring } = await host.decide(async () => ({
    primary: host.ring.primary,
    ring: host.ringStep().expected as string,
  }))
  const counts = new Map<number, number>()
  const unreadable: Straggler[] = []
  let total = 0
  let left = 0
  let waiting = 0
  for await (const wrap of wraps(host, how.shards)) {
    total += 1
    const { kind, name, epoch, code } = wrap
    if (epoch === undefined) {
      unreadable.push({ kind, name, code })
      left += 1
      continue
    }
    if (epoch < primary && how.exact && (await waits(host, wrap))) {
      waiting += 1
      continue
    }
    counts.set(epoch, (counts.get(epoch) ?? 0) + 1)
    if (epoch < primary) left += 1
  }
  const places = Object.fromEntries(
    [...counts].toSorted(([a], [b]) => a - b).map(([epoch, count]) => [`epoch ${epoch}`, count]),
  )
  return {
    primary,
    ring,
    lowest: Math.min(...counts.keys()),
    total,
    left,
    places: waiting === 0 ? places : { ...places, 'to be deleted': waiting },
    unreadable,
  }
}

async function waits(host: Rewrapper, wrap: Wrap): Promise<boolean> {
  if (!host.split || wrap.kind !== 'record') return false
  const { record, generation } = nameOf(host, wrap.key)
  try {
    return !(await host.decide(() => isInUse(host, record, generation)))
  } catch (error) {
    // Of a code that cannot be read nothing is known: the wrap counts as left.
    if (error instanceof RecordError) return false
    throw error
  }
}

async function* wrapTasks(host: Rewrapper, shards: boolean, dryRun = false): AsyncGenerator<CampaignTask> {
  await host.decide(async () => undefined)
  for await (const { kind, name, key, number, epoch } of wraps(host, shards)) {
    if (epoch !== undefined && epoch >= host.ring.primary) continue
    const run = (): Promise<boolean> =>
      kind === 'shard' ? rewrapShard(host, number, dryRun) : rewrapRecord(host, key, dryRun)
    yield { kind, name, run }
  }
}
