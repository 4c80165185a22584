/** What errors of AWS KMS mean for a caller: try again, give up, or never (SPEC §4.7, §4.9). @module */

import { badWrap, KeysError, noKey } from './errors.ts'

const DENIED: readonly string[] = [
  'AccessDeniedException',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'IncompleteSignatureException',
  'MissingAuthenticationTokenException',
  'NotAuthorizedException',
  'OptInRequired',
  'ExpiredTokenException',
  'CredentialsProviderError',
]

/** True for the error of that name: errors of the SDK are told apart by their names. */
export function isAwsError(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name
}

/** The error of this library for whatever the client threw. Throttling and outages are retryable. */
export function awsFailure(cause: unknown): KeysError {
  if (cause instanceof KeysError) return cause
  const name = cause instanceof Error ? cause.name : ''
  if (DENIED.includes(name)) return new KeysError('ERR_KEYS_DENIED', 'AWS KMS refuses the caller', { cause })
  if (name === 'DisabledException') return disabledKey(cause)
  if (name === 'NotFoundException') return noKey(cause)
  if (name === 'InvalidCiphertextException' || name === 'IncorrectKeyException') return badWrap(cause)
  return new KeysError('ERR_KEYS_PROVIDER', 'AWS KMS failed', { cause })
}

/** The error of a key that somebody disabled, and may enable again. */
export function disabledKey(cause: unknown): KeysError {
  return new KeysError('ERR_KEYS_DISABLED', 'the key of this context is disabled in AWS KMS', { cause })
}
