/** Integration: entries that wait in the queue move to the end of the log, in one commit (SPEC §14.7). @module */

import type { Realm } from '../base/brand.ts'
import { joinBytes } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store, StoredRow, StoreStep } from '../store/store.ts'
import type { Follower, Waiting } from './follower.ts'
import {
  BLOCK_HASHES,
  blockKey,
  damaged,
  decodePage,
  encodeBlock,
  encodeHead,
  encodePage,
  headKey,
  PAGE_ENTRIES,
  pageKey,
} from './log-rows.ts'
import type { LogKeys } from './queue.ts'
import { HASH_BYTES } from './tree.ts'

/** One commit moves at most so many, whole pages where as many wait: the store is not held for long. */
const MOST_ENTRIES = 8 * PAGE_ENTRIES

/** Where a log lies and what authenticates it. */
export interface LogPlace {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly realm: Realm
  readonly keys: LogKeys
}

/**
 * Integrates what the follower has read, a commit's worth of it; false when nothing waits. A conflict means that another process was
 * first: follow, and ask again.
 */
export async function integrateSome(
  { store, realm, keys }: LogPlace,
  follower: Follower,
  options?: CallOptions,
): Promise<boolean> {
  const entries = follower.oldest(MOST_ENTRIES)
  if (entries.length === 0) return false
  const size = follower.size
  const place = hashesOf(size)
  const [page, block] = await Promise.all([
    tail(store, size % PAGE_ENTRIES, pageKey(realm, size), options),
    tail(store, place % BLOCK_HASHES, blockKey(realm, place), options),
  ])
  const pageEntries = page === undefined ? [] : decodePage(page.bytes)
  const fits = pageEntries.length === size % PAGE_ENTRIES
  if (!fits || (block?.bytes.length ?? 0) !== (place % BLOCK_HASHES) * HASH_BYTES) {
    // Another process may have integrated meanwhile: then this is a conflict.
    await store.commit(
      [{ step: 'check', table: 'log', key: headKey(realm), expected: follower.headVersion }],
      options,
    )
    throw damaged(size)
  }
  const frontier = follower.frontier.clone()
  const gained = entries.flatMap(({ leaf }) => frontier.append(leaf))
  const steps: StoreStep[] = [
    ...pageSteps(realm, size, { entries: pageEntries, version: page?.version ?? null }, entries),
    ...blockSteps(realm, place, block, gained),
  ]
  for (const { key, version } of entries) {
    steps.push({ step: 'delete', table: 'queue', key, expected: version })
  }
  await keys.load(options)
  const version = keys.newestVersion
  const head = { size: frontier.size, root: frontier.root() }
  const bytes = encodeHead(realm, head, version, keys.key(version) as Uint8Array)
  steps.push({ step: 'put', table: 'log', key: headKey(realm), bytes, expected: follower.headVersion })
  const versions = await store.commit(steps, options)
  follower.integrated(entries, frontier, versions.at(-1) as string)
  return true
}

/** How many hashes the list of a tree of `size` entries has. */
function hashesOf(size: number): number {
  let ones = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2
  return 2 * size - ones
}

/** The row that is filled on, if the log ends within one. */
async function tail(
  store: Pick<Store, 'get'>,
  filled: number,
  key: Uint8Array,
  options?: CallOptions,
): Promise<StoredRow | undefined> {
  return filled === 0 ? undefined : await store.get('log', key, options)
}

function pageSteps(
  realm: Realm,
  size: number,
  before: { readonly entries: readonly Uint8Array[]; readonly version: string | null },
  entries: readonly Waiting[],
): readonly StoreStep[] {
  const filled = before.entries.length
  const all = [...before.entries, ...entries.map(({ bytes }) => bytes)]
  return cut(all.length, PAGE_ENTRIES, (from, to) => ({
    step: 'put',
    table: 'log',
    key: pageKey(realm, size - filled + from),
    bytes: encodePage(all.slice(from, to)),
    expected: from === 0 ? before.version : null,
  }))
}

function blockSteps(
  realm: Realm,
  place: number,
  before: StoredRow | undefined,
  gained: readonly Uint8Array[],
): readonly StoreStep[] {
  const filled = place % BLOCK_HASHES
  const all = joinBytes(before?.bytes ?? new Uint8Array(0), encodeBlock(gained))
  return cut(filled + gained.length, BLOCK_HASHES, (from, to) => ({
    step: 'put',
    table: 'log',
    key: blockKey(realm, place - filled + from),
    bytes: all.subarray(from * HASH_BYTES, to * HASH_BYTES),
    expected: from === 0 ? (before?.version ?? null) : null,
  }))
}

function cut(
  length: number,
  width: number,
  step: (from: number, to: number) => StoreStep,
): readonly StoreStep[] {
  const steps: StoreStep[] = []
  for (let from = 0; from < length; from += width) steps.push(step(from, Math.min(from + width, length)))
  return steps
}
