/** Break-glass for a file anchor: the store is accepted as it is (SPEC §14.9). @module */

import { type Accepted, acceptLog } from '../audit/accept.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import { keptInFile, replaceFileAnchor } from '../audit/file-anchor.ts'
import type { CallOptions } from '../base/errors.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import { VaultKeys } from './keys.ts'

/** What is accepted, by whom. */
export interface AcceptAnchorOptions extends CallOptions {
  readonly keyring: Keyring
  /** The log's own key. */
  readonly logSigner: LogSigner
  /** The file of the file anchor, which must exist. */
  readonly anchor: string
  /** Who answers for it, a pseudonym of 1 to 64 bytes; it stands in the log and in the statement. */
  readonly actor: string
}

/**
 * After a failover that lost the end of the log, or a restore that was meant: logs that the store goes on as it is, anchors its log
 * in place of the other, and keeps what was anchored, with a signed statement, beside the anchor. Vaults that are open on the realm must be
 * closed. Throws `ERR_AUDIT_INPUT` when the log continues what is anchored.
 */
export async function acceptAnchor(
  options: AcceptAnchorOptions,
): Promise<Accepted & { readonly kept: string }> {
  const { keyring, logSigner: signer, anchor, actor, signal } = options
  const call = signal === undefined ? {} : { signal }
  const before = keptInFile(anchor)
  const access = ringAccess(keyring)
  const keys = new VaultKeys(access)
  await keys.refresh()
  const { store, realm, journal } = access
  const accepted = await acceptLog({ store, realm, keys, journal, signer }, before, actor, call)
  const kept = await replaceFileAnchor(anchor, accepted.checkpoint, accepted.statement, call)
  return { ...accepted, kept }
}
