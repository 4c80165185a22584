/** No receipt, no key: what the vault's log must show before a holder does anything (SPEC §13.4). @module */

import { openCheckpoint } from '../audit/checkpoint.ts'
import { type AuditEntry, decodeEntry } from '../audit/entry.ts'
import { AuditError } from '../audit/errors.ts'
import { checkInclusion, type TreeHead, verifyConsistency } from '../audit/proof.ts'
import { hashLeaf } from '../audit/tree.ts'
import { equalBytes, readU32be } from '../base/bytes.ts'
import { QuorumError } from './errors.ts'
import type { Receipt, Request, Revocation } from './messages.ts'

/** What a receipt has shown. */
export interface Shown {
  readonly entry: AuditEntry
  /** The newer one of what the holder had seen and what the receipt shows. */
  readonly head: TreeHead
}

/**
 * Checks a receipt against the log's key and the newest head that was seen (QUORUM-9). Throws `ERR_QUORUM_RECEIPT`, or `ERR_QUORUM_SEEN` when
 * the consistency proof starts elsewhere.
 */
export function checkReceipt(receipt: Receipt, logKey: string, seen: TreeHead): Shown {
  const { size, root } = refused(() => openCheckpoint(receipt.checkpoint, logKey))
  const head = { size, root }
  const entry = refused(() => {
    checkInclusion(hashLeaf(receipt.entry), receipt.place, head, receipt.inclusion)
    return decodeEntry(receipt.entry)
  })
  // The very tree that was seen needs no proof that it continues it.
  if (size > 0 && seen.size === size && equalBytes(seen.root, root)) return { entry, head: seen }
  if (receipt.from !== seen.size) {
    throw new QuorumError('ERR_QUORUM_SEEN', 'the consistency proof starts elsewhere than at what was seen', {
      retryable: true,
    })
  }
  const [older, newer] = seen.size <= size ? [seen, head] : [head, seen]
  refused(() => verifyConsistency(older, newer, receipt.consistency))
  return { entry, head: newer }
}

/** Refuses an entry that does not ask for this very opening. */
export function checkOpening(entry: AuditEntry, request: Request): void {
  const fits =
    entry.action === 'open' &&
    entry.epoch === request.epoch &&
    isOf(entry, request) &&
    entry.generation !== null &&
    equalBytes(entry.generation, request.generation)
  if (!fits) throw otherEntry()
}

/** Refuses an entry that does not end this very generation (QUORUM-12). */
export function checkEnding(entry: AuditEntry, revocation: Revocation): void {
  const { generation, action } = entry
  const own = revocation.generation
  const ends =
    generation !== null &&
    ((action === 'reissue' && readU32be(generation) > readU32be(own)) ||
      ((action === 'revoke' || action === 'erase') && equalBytes(generation, own)))
  if (!ends || !isOf(entry, revocation)) throw otherEntry()
}

function isOf(entry: AuditEntry, named: Pick<Request, 'realm' | 'record'>): boolean {
  const { outcome, realm, record } = entry
  return outcome === 'done' && realm === named.realm && record !== null && equalBytes(record, named.record)
}

function otherEntry(): QuorumError {
  return new QuorumError('ERR_QUORUM_RECEIPT', 'the log entry is about something else')
}

function refused<Result>(check: () => Result): Result {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof AuditError)) throw error
    throw new QuorumError('ERR_QUORUM_RECEIPT', 'the log does not show this', { cause: error })
  }
}
