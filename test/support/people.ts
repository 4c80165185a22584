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
