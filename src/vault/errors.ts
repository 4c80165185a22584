/** Errors of the vault (SPEC §11). @module */

import { GuiseError } from '../base/errors.ts'
import type { RecordName } from '../record/place.ts'

export type VaultErrorCode =
  /** An argument of a call is not what it must be; nothing happened. */
  | 'ERR_VAULT_INPUT'
  /** An attested capture is of another realm, purpose, subject, or too old: it was wiped, and nothing was compared. */
  | 'ERR_VAULT_CAPTURE'
  /** The options of `openVault` contradict each other or do not fit the store. */
  | 'ERR_VAULT_CONFIGURATION'
  /** More calls are under way than `maxInFlight`; retryable. */
  | 'ERR_VAULT_OVERLOADED'
  /** The vault was closed. */
  | 'ERR_VAULT_CLOSED'
  /** No record of this subject exists. Only verbs that manage records say so. */
  | 'ERR_VAULT_UNKNOWN_SUBJECT'
  /** The subject has a record already. */
  | 'ERR_VAULT_ENROLLED'
  /** The verb is illegal in the record's state. */
  | 'ERR_VAULT_TRANSITION'
  /** `expectMatch` was given another outcome. */
  | 'ERR_VAULT_NOT_MATCHED'
  /** The record has another custody profile, or the verb does not exist under this one. */
  | 'ERR_VAULT_CUSTODY'
  /** All slots for devices are taken, or the device is unknown. */
  | 'ERR_VAULT_DEVICE'
  /** The decision stands, but the old wrap in the secrets store is not deleted yet; opening a vault finishes it. */
  | 'ERR_VAULT_UNFINISHED'
  /**
   * The record has changed and matches no more, but fewer holders of the quorum than needed know that the former generation has ended. A
   * retry with the same operation id, and opening a vault of this custody, finishes it. Retryable.
   */
  | 'ERR_VAULT_QUORUM_PENDING'
  /** A note of unfinished work became too old before its deciding batch; nothing was enrolled. Retryable. */
  | 'ERR_VAULT_EXPIRED_WORK'
  /** The subject's references leave no room for another: of this class there is one, there are four, or their bits would exceed the dimensions. Or there is none of this class. */
  | 'ERR_VAULT_REFERENCE'
  /** A grant to re-wrap cannot be read, or the keyring has changed since it was made. */
  | 'ERR_VAULT_GRANT'
  /** The realm's migration of models does not let this vault open, or make templates of this model now (SPEC §11.14). */
  | 'ERR_VAULT_MODEL'

/** A verb that did not happen, with a reason for the caller's program. */
export class VaultError extends GuiseError {
  readonly code: VaultErrorCode

  constructor(
    code: VaultErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean } = {},
  ) {
    super(message, options)
    this.code = code
  }
}

/** For the argument checks of base: every refused argument is `ERR_VAULT_INPUT`. */
export function rejectInput(why: string): VaultError {
  return new VaultError('ERR_VAULT_INPUT', why)
}

/** For the checks of `openVault`. */
export function rejectConfiguration(why: string): VaultError {
  return new VaultError('ERR_VAULT_CONFIGURATION', why)
}

/** For whoever already serves as many calls as it was opened for. */
export function overloaded(): VaultError {
  return new VaultError('ERR_VAULT_OVERLOADED', 'too many calls are under way', { retryable: true })
}

/** For what a migration of models does not allow. */
export function rejectModel(why: string): VaultError {
  return new VaultError('ERR_VAULT_MODEL', why)
}

/** For references that cannot be added, or are not there. */
export function rejectReference(why: string): VaultError {
  return new VaultError('ERR_VAULT_REFERENCE', why)
}

/** For verbs that manage records: the subject must have one. */
export function unknownSubject(): VaultError {
  return new VaultError('ERR_VAULT_UNKNOWN_SUBJECT', 'no record of this subject exists')
}

/** Says that a decision cannot go on without the quorum's output for a generation. Its request is in the log. Never leaves this folder. */
export class OutputNeeded extends Error {
  readonly template: RecordName
  /** Of the quorum. */
  readonly epoch: number
  /** The log entry that holders have to be shown. */
  readonly entry: Uint8Array

  constructor(template: RecordName, epoch: number, entry: Uint8Array) {
    super('an output of the quorum is needed')
    this.template = template
    this.epoch = epoch
    this.entry = entry
  }
}

/** The share that opens the template now, and the one of a device to be added. */
export type ShareRole = 'present' | 'added'

/**
 * Says that a decision cannot go on without a share. A device may take minutes: while it is asked, no turn of the
 * subject is held, so that nothing keeps anyone from revoking. Never leaves this folder.
 */
export class ShareNeeded extends Error {
  readonly role: ShareRole
  readonly template: RecordName

  constructor(role: ShareRole, template: RecordName) {
    super('a share is needed')
    this.role = role
    this.template = template
  }
}
