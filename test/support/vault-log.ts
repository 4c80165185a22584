/** What tests of a vault's log share. @module */
import { memoryStore, type Store, type Vault } from 'guise'
import { type AuditEntry, type Checkpoint, decodeEntry } from 'guise/audit'
import type { Anchor } from '../../src/audit/anchor.ts'
import { AuditError } from '../../src/audit/errors.ts'
import { decodePage } from '../../src/audit/log-rows.ts'
import { rowsOf } from './rows.ts'
import { basis, sample } from './vault.ts'

export const enroll = (vault: Vault, subject = 'anna', person = 1): Promise<unknown> =>
  vault.enroll({ subject, basis: basis(), ...sample(person) })
export const ask = async (vault: Vault, subject: string, person: number): Promise<string> => {
  const decision = await vault.verify({ subject, ...sample(person, 1) })
  return decision.outcome === 'refused' ? String(decision.reason) : decision.outcome
}

/** All entries in the order of the log. */
export async function entriesOf(store: Store): Promise<readonly AuditEntry[]> {
  const rows = await rowsOf(store, 'log')
  return rows
    .filter(({ key }) => key.at(-9) === 2)
    .flatMap(({ bytes }) => decodePage(bytes).map((entry) => decodeEntry(entry)))
}

/** An anchor in memory that can be stopped. */
export function memoryAnchor(): Anchor & { kept: Checkpoint | undefined; down: boolean } {
  const anchor = {
    kept: undefined as Checkpoint | undefined,
    down: false,
    read: async () => anchor.kept,
    advance: async (next: Checkpoint) => {
      if (anchor.down) throw new AuditError('ERR_AUDIT_ANCHOR', 'down', { retryable: true })
      if (next.size < (anchor.kept?.size ?? 0)) throw new AuditError('ERR_AUDIT_ROLLBACK', 'older')
      anchor.kept = next
    },
  }
  return anchor
}

/** A copy of a memory store as it is now. */
export async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore()
  for (const table of ['references', 'secrets', 'states', 'index', 'attempts', 'keyrings', 'log'] as const) {
    for (const { key, bytes } of await rowsOf(store, table)) {
      await copy.commit([{ step: 'put', table, key, bytes, expected: null }])
    }
  }
  for (const { bytes } of await rowsOf(store, 'queue')) {
    await copy.commit([{ step: 'append', table: 'queue', bytes }])
  }
  return copy
}
