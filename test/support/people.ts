/** What tests of retention share: a whole log, and a purge run to its end. @module */
import type { Store } from 'guise'
import { type Purged, type PurgeOptions, type PurgeSummary, purge } from 'guise/node'
import { type AuditEntry, decodeEntry } from '../../src/audit/entry.ts'
import { storedLog } from '../../src/audit/stored-log.ts'

/** Every entry up to the newest checkpoint. */
export async function logOf(store: Store, realm = 'clinic'): Promise<readonly AuditEntry[]> {
  const log = storedLog(store, realm)
  const size = (await log.checkpoint())?.size ?? 0
  const entries: AuditEntry[] = []
  for (let i = 0; i < size; i++) entries.push(decodeEntry(await log.entry(i)))
  return entries
}

export interface PurgeRun {
  readonly pages: readonly (readonly Purged[])[]
  readonly told: readonly Purged[]
  readonly summary: PurgeSummary
}

/** Runs a purge to its end. */
export async function purged(options: PurgeOptions): Promise<PurgeRun> {
  const pages: (readonly Purged[])[] = []
  const walk = purge(options)
  for (;;) {
    const next = await walk.next()
    if (next.done === true) return { pages, told: pages.flat(), summary: next.value }
    pages.push(next.value)
  }
}

/** How often the number of live persons came to a threshold from below in the order of the log, and how many of these no event follows. */
export function crossingsOf(
  entries: readonly AuditEntry[],
  threshold: number,
): { readonly crossings: number; readonly events: number; readonly missed: number } {
  const stands = new Map<string, 'kept' | 'held' | 'revoked'>()
  const alive = (stood: string | undefined): number => Number(stood === 'kept' || stood === 'held')
  let [people, crossings, events, missed] = [0, 0, 0, 0]
  for (const { action, outcome, handle, policy } of entries) {
    if (outcome !== 'done') continue
    if (action === 'people' && policy === `people/${threshold}`) [events, missed] = [events + 1, 0]
    if (handle === null) continue
    const name = Buffer.from(handle).toString('hex')
    const stood = stands.get(name)
    if (action === 'enroll' || action === 'reissue' || action === 'release') stands.set(name, 'kept')
    if (action === 'hold') stands.set(name, 'held')
    if (action === 'erase') stands.delete(name)
    if ((action === 'revoke' || action === 'withdraw') && stood === 'kept') stands.set(name, 'revoked')
    const now = people + alive(stands.get(name)) - alive(stood)
    if (people < threshold && now >= threshold) [crossings, missed] = [crossings + 1, missed + 1]
    people = now
  }
  return { crossings, events, missed }
}
