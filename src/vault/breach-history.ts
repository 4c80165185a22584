/** Which generations of templates there were when, and under which epochs, as the log tells it (SPEC §11.12). @module */

import { type AuditEntry, decodeEntry } from '../audit/entry.ts'
import { AuditError } from '../audit/errors.ts'
import { Follower } from '../audit/follower.ts'
import { decodePage, PAGE_ENTRIES, pageKey } from '../audit/log-rows.ts'
import { entryStart, isGenuine, type LogKeys, readQueueRow } from '../audit/queue.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes, toHex } from '../base/bytes.ts'
import type { VaultStore } from './context.ts'

/** One template, from its enrolment or reissue to its end. */
export interface TemplateLife {
  /** 16 bytes. */
  readonly handle: Uint8Array
  /** Of this reference; `null` where an entry named none. */
  readonly record: Uint8Array | null
  readonly generation: Uint8Array
  readonly fromMs: number
  /** Infinity while it exists. */
  toMs: number
  /** Under which epoch from when on; the first is the one that it was made under. */
  readonly epochs: { readonly epoch: number; readonly fromMs: number }[]
  /** Instants at which the vault opened it to compare it. */
  readonly opened: number[]
  /** Under a legal hold: marks and withdrawals leave the template. */
  held: boolean
}

/** The templates of a realm by generation, and whether the log that tells of them holds. */
export interface History {
  readonly lives: readonly TemplateLife[]
  readonly holds: boolean
}

/** Reads the log, and what waits to be integrated. `comparisons`: also when templates were opened. */
export async function readHistory(
  store: VaultStore,
  realm: Realm,
  keys: LogKeys,
  comparisons: boolean,
): Promise<History> {
  const holds = await logHolds(store, realm, keys)
  const lives = new Map<string, TemplateLife>()
  const current = new Map<string, readonly TemplateLife[]>()
  const entries: AuditEntry[] = []
  for await (const entry of entriesOf(store, realm, keys)) {
    if (KNOWN.has(entry.action) || (comparisons && entry.action === 'verify')) entries.push(entry)
  }
  // The order of the log is that of integration: queues of several processes are told apart by time only.
  entries.sort((a, b) => a.timeMs - b.timeMs)
  for (const entry of entries) note(entry, lives, current)
  // Afterwards: where clocks differ, a rotation may seem to come before what it rotated.
  for (const entry of entries) noteRotation(entry, lives)
  return { lives: [...lives.values()], holds }
}

const KNOWN: ReadonlySet<string> = new Set([
  'enroll',
  'reissue',
  'adapt',
  'rotate',
  'revoke',
  'withdraw',
  'hold',
  'release',
  'erase',
  'reference-add',
  'reference-remove',
])

async function logHolds(store: VaultStore, realm: Realm, keys: LogKeys): Promise<boolean> {
  try {
    await new Follower(store, realm, keys).follow()
    return true
  } catch (error) {
    if (error instanceof AuditError) return false
    throw error
  }
}

/** The queue first: what is integrated meanwhile is met again in the log, and passed over. */
async function* entriesOf(store: VaultStore, realm: Realm, keys: LogKeys): AsyncGenerator<AuditEntry> {
  const waiting = new Map<string, AuditEntry>()
  const start = entryStart(realm)
  for await (const { bytes } of store.scan('queue', new Uint8Array(1))) {
    const row = readQueueRow(bytes)
    if (row === undefined || !start.every((byte, at) => row.entry[at] === byte)) continue
    await keys.load()
    const key = keys.key(row.version)
    if (key === undefined || !isGenuine(row, key)) continue
    const entry = decodeEntry(row.entry)
    waiting.set(nameOf(entry), entry)
  }
  for (let index = 0; ; index += PAGE_ENTRIES) {
    const page = await store.get('log', pageKey(realm, index))
    if (page === undefined) break
    for (const bytes of decodePage(page.bytes)) {
      const entry = decodeEntry(bytes)
      waiting.delete(nameOf(entry))
      yield entry
    }
  }
  yield* waiting.values()
}

function nameOf({ writer, sequence }: AuditEntry): string {
  return `${toHex(writer)} ${sequence}`
}

function note(
  entry: AuditEntry,
  lives: Map<string, TemplateLife>,
  current: Map<string, readonly TemplateLife[]>,
): void {
  const { action, outcome, handle, record, generation, epoch, timeMs } = entry
  if (action === 'rotate' || outcome === 'refused' || outcome === 'failed') return
  if (handle === null || generation === null) return
  const who = toHex(handle)
  const before = current.get(who) ?? []
  const named = before.find((life) => equalBytes(life.generation, generation))
  if (action === 'verify') {
    named?.opened.push(timeMs)
    return
  }
  if (action === 'hold' || action === 'release') {
    for (const life of before) life.held = action === 'hold'
    return
  }
  const stops = action === 'revoke' || action === 'withdraw'
  if (stops && (named === undefined || named.held)) return
  const stays = staying(entry, before)
  for (const life of before) if (!stays.includes(life)) life.toMs = Math.min(life.toMs, timeMs)
  const made = MADE.has(action)
    ? {
        handle,
        record,
        generation,
        fromMs: timeMs,
        toMs: Number.POSITIVE_INFINITY,
        epochs: [{ epoch: epoch ?? 1, fromMs: timeMs }],
        opened: [],
        held: false,
      }
    : undefined
  if (made !== undefined) lives.set(toHex(generation), made)
  current.set(who, made === undefined ? stays : [...stays, made])
}

const MADE: ReadonlySet<string> = new Set(['enroll', 'reissue', 'adapt', 'reference-add'])

/** The references of a subject that an entry does not end. */
function staying({ action, record }: AuditEntry, before: readonly TemplateLife[]): readonly TemplateLife[] {
  if (action === 'reference-add') return before
  if (action !== 'reference-remove' && action !== 'adapt') return []
  // Of a move to another model, which ends them all, the log says no more: the others count until the next end.
  return before.filter((life) => record === null || life.record === null || !equalBytes(life.record, record))
}

function noteRotation(
  { action, outcome, generation, epoch, timeMs }: AuditEntry,
  lives: Map<string, TemplateLife>,
): void {
  if (action !== 'rotate' || outcome !== 'done' || generation === null || epoch === null) return
  const life = lives.get(toHex(generation))
  life?.epochs.push({ epoch, fromMs: Math.max(timeMs, life.fromMs) })
}
