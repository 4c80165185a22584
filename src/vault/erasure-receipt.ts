/** Checking an erasure receipt with nothing but the realm's public key (SPEC §11.3). @module */

import type { Millis, Realm, RecordId } from '../base/brand.ts'
import { toBase64Url } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { readReceipt } from '../record/receipt.ts'
import { rejectInput } from './errors.ts'
import type { ErasureReceipt } from './types.ts'

/** What a realm stated about an erasure, and signed. */
export interface ErasureStatement {
  readonly realm: Realm
  readonly record: RecordId
  readonly unreachableAt: Millis
  /** The realm promises to have destroyed every epoch that wrapped the secret by then, if its provider can destroy. */
  readonly irrecoverableBy: Millis
  /** First and last of those epochs. */
  readonly epochs: readonly [first: number, last: number]
}

/**
 * Verifies a receipt and tells what it states. Needs neither vault nor store. Throws `ERR_RECORD_MAC` unless the
 * signature is the realm's, `ERR_RECORD_FORMAT` for bytes that are no statement.
 *
 * @param publicKey 32 bytes: `keyring.receiptPublicKey()` of the version that was newest at the erasure
 */
export function verifyErasureReceipt(
  receipt: Pick<ErasureReceipt, 'statement' | 'signature'>,
  publicKey: Uint8Array,
): ErasureStatement {
  const statement = checkBytes(receipt.statement, 'receipt.statement', [1, 256], rejectInput)
  const signature = checkBytes(receipt.signature, 'receipt.signature', 64, rejectInput)
  const key = checkBytes(publicKey, 'publicKey', 32, rejectInput)
  const body = readReceipt(statement, signature, () => key)
  return {
    realm: body.realm,
    record: toBase64Url(body.record) as RecordId,
    unreachableAt: body.unreachableMs as Millis,
    irrecoverableBy: (body.unreachableMs + body.boundMs) as Millis,
    epochs: [body.since, body.last],
  }
}
