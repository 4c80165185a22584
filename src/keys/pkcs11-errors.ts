/** What a token's return values mean for a caller: try again, give up, or never (SPEC §4.7, §4.8). @module */

import { badWrap, KeysError, type KeysErrorCode } from './errors.ts'

const DENIED: readonly string[] = [
  'CKR_PIN_INCORRECT',
  'CKR_PIN_INVALID',
  'CKR_PIN_LEN_RANGE',
  'CKR_PIN_EXPIRED',
  'CKR_PIN_LOCKED',
  'CKR_USER_PIN_NOT_INITIALIZED',
  'CKR_USER_TYPE_INVALID',
  'CKR_USER_ANOTHER_ALREADY_LOGGED_IN',
  'CKR_TOKEN_WRITE_PROTECTED',
  'CKR_SESSION_READ_ONLY',
  'CKR_KEY_FUNCTION_NOT_PERMITTED',
  'CKR_ACTION_PROHIBITED',
  'CKR_FUNCTION_REJECTED',
]
/** The token has no AES-GCM, or not as asked for: no retry will teach it. */
const INCAPABLE: readonly string[] = [
  'CKR_MECHANISM_INVALID',
  'CKR_MECHANISM_PARAM_INVALID',
  'CKR_FUNCTION_NOT_SUPPORTED',
  'CKR_TEMPLATE_INCONSISTENT',
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_ATTRIBUTE_TYPE_INVALID',
]
/** What a token answers to a tag that does not fit. */
const UNOPENED: readonly string[] = [
  'CKR_ENCRYPTED_DATA_INVALID',
  'CKR_ENCRYPTED_DATA_LEN_RANGE',
  'CKR_AEAD_DECRYPT_FAILED',
]

/** The name of the value that a token returned. */
function returned(error: unknown): string | undefined {
  return error instanceof Error && /^CKR_\w+$/.test(error.message) ? error.message : undefined
}

/** True when a token returned that value. */
export function isReturned(error: unknown, name: string): boolean {
  return returned(error) === name
}

/** True for a tag that does not fit: the ciphertext is of another key or context, or was altered. Of `CKR_GENERAL_ERROR` it may be. */
export function isUnopened(error: unknown): boolean {
  const name = returned(error)
  return name !== undefined && (UNOPENED.includes(name) || name === 'CKR_GENERAL_ERROR')
}

/** True when the session cannot be trusted any more: everything but what the token itself decided. */
export function endsSession(error: unknown): boolean {
  const name = returned(error)
  return name !== undefined && !DENIED.includes(name) && !UNOPENED.includes(name) && !INCAPABLE.includes(name)
}

/** The error of this library for whatever a token or its library threw. */
export function tokenFailure(cause: unknown): KeysError {
  if (cause instanceof KeysError) return cause
  const name = returned(cause)
  if (name === undefined) return failure('ERR_KEYS_PROVIDER', 'the token failed', cause)
  if (DENIED.includes(name)) return failure('ERR_KEYS_DENIED', `the token refuses (${name})`, cause)
  if (INCAPABLE.includes(name)) {
    return failure(
      'ERR_KEYS_INPUT',
      `the token has no AES-256-GCM of the kind that is needed (${name})`,
      cause,
    )
  }
  if (UNOPENED.includes(name)) return badWrap(cause)
  return failure('ERR_KEYS_PROVIDER', `the token failed (${name})`, cause)
}

function failure(code: KeysErrorCode, message: string, cause: unknown): KeysError {
  return new KeysError(code, message, { cause })
}
