/** Errors of keys: provider, keyring, custody (SPEC §4). @module */

import { GuiseError } from '../base/errors.ts'

export type KeysErrorCode =
  /** An argument is not what the call accepts. */
  | 'ERR_KEYS_INPUT'
  /** The key provider failed, gave no answer in time, or gave one that cannot be right. Retryable. */
  | 'ERR_KEYS_PROVIDER'
  /** The passphrase or key does not fit the local key directory. */
  | 'ERR_KEYS_PASSPHRASE'
  /** The local key directory is damaged, of an unknown format, or open to other users. */
  | 'ERR_KEYS_LOCAL'
  /** The epoch's state does not allow this verb. */
  | 'ERR_KEYS_TRANSITION'
  /** The epoch lies below the lowest one still accepted. */
  | 'ERR_KEYS_RETIRED'
  /** The epoch, or the key that the provider holds for it, is disabled. */
  | 'ERR_KEYS_DISABLED'
  /** The provider knows the caller and refuses: a permission, a token or a PIN is wrong. */
  | 'ERR_KEYS_DENIED'
  /** The epoch, or the key that the provider held for it, has been destroyed. */
  | 'ERR_KEYS_DESTROYED'
  /** The ring knows no such epoch. */
  | 'ERR_KEYS_UNKNOWN_EPOCH'
  /** The ring knows no such version of the realm keys. */
  | 'ERR_KEYS_UNKNOWN_VERSION'
  /** The stored ring or a secret in it is malformed, altered, older than one seen before, or of another realm, context or provider. */
  | 'ERR_KEYS_RING'
  /** The ring, or the cache, has no room for another epoch or version. */
  | 'ERR_KEYS_FULL'
  /** An index row was altered or belongs elsewhere. */
  | 'ERR_KEYS_INDEX'
  /** The keyring or the provider has been closed, or a borrowed key was kept for too long. */
  | 'ERR_KEYS_DISPOSED'
  /** The template needs a share of its holder or of a quorum, and none was given. */
  | 'ERR_KEYS_MISSING'
  /** The store holds no keyring of this realm, or the directory no local provider. */
  | 'ERR_KEYS_ABSENT'
  /** The realm has a keyring already. */
  | 'ERR_KEYS_EXISTS'
  /** Other processes kept changing the ring. Retryable. */
  | 'ERR_KEYS_CONFLICT'

const RETRYABLE: ReadonlySet<KeysErrorCode> = new Set(['ERR_KEYS_PROVIDER', 'ERR_KEYS_CONFLICT'])

/**
 * A key cannot be had or used. Only outages of the provider and conflicts with other processes are retryable.
 * Messages name epochs and versions, which are public, and never a key.
 */
export class KeysError extends GuiseError {
  readonly code: KeysErrorCode

  constructor(code: KeysErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, { ...options, retryable: RETRYABLE.has(code) })
    this.code = code
  }
}

/** Makes the error of a refused argument. */
export function badInput(why: string): KeysError {
  return new KeysError('ERR_KEYS_INPUT', why)
}

/** Makes the error of a ring that must not be used. */
export function badRing(why: string): KeysError {
  return new KeysError('ERR_KEYS_RING', `the ring is refused: ${why}`)
}

/** Makes the error of a wrapped secret that the provider's key does not open. */
export function badWrap(cause?: unknown): KeysError {
  const why = 'the ring is refused: a wrapped secret was altered or belongs to another context'
  return new KeysError('ERR_KEYS_RING', why, { cause })
}

/** Makes the error of a context whose key is not there any more. */
export function noKey(cause?: unknown): KeysError {
  return new KeysError('ERR_KEYS_DESTROYED', 'the provider holds no key for this context', { cause })
}

/** Makes the error of use after the end. */
export function disposed(): KeysError {
  return new KeysError('ERR_KEYS_DISPOSED', 'the keyring is closed')
}
