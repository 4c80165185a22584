/** How far an erasure has come: from unreachable to irrecoverable, with the log's entries that say so (SPEC §11.11). @module */

import type { AuditEntry } from '../audit/entry.ts'
import { type EntryProof, storedLog } from '../audit/stored-log.ts'
import type { Millis, RecordId } from '../base/brand.ts'
import { equalBytes, fromBase64 } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { type EpochInfo, type Keyring, ringAccess } from '../keys/keyring.ts'
import { RecordError } from '../record/errors.ts'
import type { Store } from '../store/store.ts'
import { type ErasureStatement, verifyErasureReceipt } from './erasure-receipt.ts'
import { rejectConfiguration } from './errors.ts'
import type { ErasureReceipt, Irrecoverable } from './types.ts'

export interface ErasureStatusOptions {
  readonly receipt: Pick<ErasureReceipt, 'statement' | 'signature'>
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  readonly signal?: AbortSignal
  /** For tests. */
  readonly now?: () => number
}

/** An epoch that wrapped what was erased. */
export interface ErasedEpoch extends Pick<EpochInfo, 'epoch' | 'status'> {
  /** The instant that the provider confirmed. */
  readonly destroyedAt: Millis | undefined
  /** The log's entry of the destruction; `undefined` before, and before the log is signed so far. */
  readonly audit: EntryProof | undefined
}

export interface ErasureStatus {
  readonly record: RecordId
  readonly unreachableAt: Millis
  readonly irrecoverable: Irrecoverable
  /** True when copies can still be opened although the realm promised otherwise. */
  readonly overdue: boolean
  readonly epochs: readonly ErasedEpoch[]
  /** The log's entry of the erasure. */
  readonly audit: EntryProof | undefined
}

/** How far back in the log entries are looked for. */
const MOST_ENTRIES = 1_000_000

/**
 * What became of an erasure. The receipt is verified under the realm's receipt keys, whichever version signed it; `ERR_RECORD_MAC`
 * unless one did. Needs no vault.
 *
 * @example
 * ```ts
 * const { irrecoverable, overdue } = await erasureStatus({ receipt, keyring, store })
 * ```
 */
export async function erasureStatus(options: ErasureStatusOptions): Promise<ErasureStatus> {
  const { keyring, store, receipt, signal } = options
  const access = ringAccess(keyring)
  if (access.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const call = signal === undefined ? {} : { signal }
  await keyring.refresh(call)
  const statement = await genuine(keyring, receipt, signal)
  if (statement.realm !== keyring.realm) {
    throw new RecordError('ERR_RECORD_BINDING', 'the receipt is of another realm')
  }
  const record = fromBase64(statement.record) as Uint8Array
  const [since, last] = statement.epochs
  const log = storedLog(store, keyring.realm)
  const prove = (fits: (entry: AuditEntry) => boolean): Promise<EntryProof | undefined> =>
    log.prove((entry) => entry.outcome === 'done' && fits(entry), MOST_ENTRIES, call)
  const epochs: ErasedEpoch[] = []
  for (const { epoch, status, changedAt } of keyring.epochs) {
    if (epoch < since || epoch > last) continue
    const destroyed = status === 'destroyed'
    const audit = destroyed
      ? await prove((entry) => entry.action === 'key-destroy' && entry.epoch === (epoch as number))
      : undefined
    epochs.push({ epoch, status, destroyedAt: destroyed ? changedAt : undefined, audit })
  }
  const nowMs = options.now?.() ?? systemClock.nowMs()
  const irrecoverable = irrecoverableOf(statement, { epochs, canDestroy: access.canDestroy, nowMs })
  const open = irrecoverable === 'never' || 'by' in irrecoverable
  return {
    record: statement.record,
    unreachableAt: statement.unreachableAt,
    irrecoverable,
    overdue: open && nowMs > statement.irrecoverableBy,
    epochs,
    audit: await prove(
      (entry) => entry.action === 'erase' && entry.record !== null && equalBytes(entry.record, record),
    ),
  }
}

/** The statement, when a version of the realm's receipt key signed it. */
async function genuine(
  keyring: Keyring,
  receipt: ErasureStatusOptions['receipt'],
  signal: AbortSignal | undefined,
): Promise<ErasureStatement> {
  const call = signal === undefined ? {} : { signal }
  for (let version = keyring.version; ; version--) {
    const key = await keyring.receiptPublicKey({ ...call, version })
    try {
      return verifyErasureReceipt(receipt, key)
    } catch (error) {
      const other = error instanceof RecordError && error.code === 'ERR_RECORD_MAC'
      if (!other || version === 1) throw error
    }
  }
}

/** As `renewReceipt` says it (VAULT-11). */
function irrecoverableOf(
  { unreachableAt, irrecoverableBy, epochs: [since, last] }: ErasureStatement,
  facts: { readonly epochs: readonly ErasedEpoch[]; readonly canDestroy: boolean; readonly nowMs: number },
): Irrecoverable {
  const { epochs, canDestroy, nowMs } = facts
  if (!canDestroy) return 'never'
  // An epoch that the ring does not know is destroyed by nobody.
  if (epochs.length !== last - since + 1) return { by: irrecoverableBy }
  let atMs: number = unreachableAt
  for (const { destroyedAt } of epochs) {
    if (destroyedAt === undefined) return { by: irrecoverableBy }
    atMs = Math.max(atMs, destroyedAt)
  }
  return atMs > nowMs ? { by: atMs as Millis } : { at: atMs as Millis }
}
