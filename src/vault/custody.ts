/** Custody as a vault is opened with it, and where a reissue may take a record (SPEC §4.3, §11.7). @module */

import type { LogSigner } from '../audit/checkpoint.ts'
import { verifierKey } from '../audit/note.ts'
import type { Realm } from '../base/brand.ts'
import { checkFunction, checkInteger, checkOneOf } from '../base/check.ts'
import { readFields } from '../policy/fields.ts'
import type { Quorum } from '../quorum/client.ts'
import type { VaultSettings } from './context.ts'
import { rejectConfiguration } from './errors.ts'
import type { Custody } from './types.ts'

/** Codes of custody profiles in rows (SPEC §4.3): a bit for the quorum, and one for the holder. */
export const PROFILE = { operator: 0, quorum: 1, holder: 2, 'quorum+holder': 3 } as const

const PROFILES = ['operator', 'quorum', 'holder', 'quorum+holder'] as const
const FIELDS = ['profile', 'quorum', 'epoch'] as const
const MAX_EPOCH = 0xffff_ffff

/** Checks who takes part: a quorum of this realm and of this log where one does, and none elsewhere. */
export function checkCustody(given: unknown, realm: Realm): Pick<VaultSettings, 'custody' | 'quorum'> {
  const { profile, quorum, epoch } = readFields(given, 'custody', FIELDS, rejectConfiguration)
  const custody = checkOneOf(profile, 'custody.profile', PROFILES, rejectConfiguration)
  if (!asksQuorum(custody)) {
    if (quorum !== undefined || epoch !== undefined) {
      throw rejectConfiguration('custody.quorum and custody.epoch belong to custody with a quorum')
    }
    return { custody, quorum: undefined }
  }
  const asked = checkQuorum(quorum)
  if (asked.realm !== realm) throw rejectConfiguration('custody.quorum must be of the realm of the keyring')
  const newest = asked.epochs.at(-1)
  const chosen = checkInteger(epoch ?? newest, 'custody.epoch', [1, MAX_EPOCH], rejectConfiguration)
  if (!asked.epochs.includes(chosen)) throw rejectConfiguration('custody.epoch must be one that is pinned')
  return { custody, quorum: { asked, epoch: chosen } }
}

/** True when a vault of this custody asks share holders. */
function asksQuorum(custody: Custody['profile']): boolean {
  return (PROFILE[custody] & PROFILE.quorum) !== 0
}

/** True when a vault of this custody asks the person's device. */
export function asksHolder(custody: Custody['profile']): boolean {
  return (PROFILE[custody] & PROFILE.holder) !== 0
}

/** A reissue may bring somebody in whose part was not needed, and take nobody out (VAULT-17). */
export function mayReissue(from: number, to: number): boolean {
  return (from | to) === to
}

function checkQuorum(given: unknown): Quorum {
  const methods = ['open', 'revoke'] as const
  const quorum = readFields(given, 'custody.quorum', methods, rejectConfiguration)
  for (const method of methods) checkFunction(quorum[method], `custody.quorum.${method}`, rejectConfiguration)
  return given as Quorum
}

/** Holders that know another log would refuse every request. */
export function requireLog({ quorum }: VaultSettings, signer: LogSigner | undefined): void {
  if (quorum === undefined || signer === undefined) return
  if (quorum.asked.logKey !== verifierKey(signer.origin, signer.publicKey)) {
    throw rejectConfiguration('custody.quorum must have the key of the log that logSigner signs')
  }
}
