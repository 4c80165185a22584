/** Errors of captures; why one was refused only for those who hold the symbol (SPEC §20). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_CAPTURE_REFUSED`: a capture was not accepted; the one answer to whoever sent it
 * - `ERR_CAPTURE_INPUT`: an argument has the wrong type, length or range
 * - `ERR_CAPTURE_POLICY`: a policy is malformed, or the purpose has none
 * - `ERR_CAPTURE_DEVICE`: a device key is malformed, enrolled or revoked already, or unknown
 * - `ERR_CAPTURE_ROW`: a row of this realm was written under another key, or is malformed
 * - `ERR_CAPTURE_CHALLENGE`: a device got a challenge that is malformed, or that names a key it was not told to trust
 * - `ERR_CAPTURE_SIGNER`: a signer answered with something that is no signature
 * - `ERR_CAPTURE_DISPOSED`: the capture, or the desk, was disposed of
 * - `ERR_CAPTURE_USED`: the capture has entered a verb of the vault, and enters no other
 * - `ERR_CAPTURE_EXPORT`: a capture was about to be serialised
 */
export type CaptureErrorCode =
  | 'ERR_CAPTURE_REFUSED'
  | 'ERR_CAPTURE_INPUT'
  | 'ERR_CAPTURE_POLICY'
  | 'ERR_CAPTURE_DEVICE'
  | 'ERR_CAPTURE_ROW'
  | 'ERR_CAPTURE_CHALLENGE'
  | 'ERR_CAPTURE_SIGNER'
  | 'ERR_CAPTURE_DISPOSED'
  | 'ERR_CAPTURE_USED'
  | 'ERR_CAPTURE_EXPORT'

/** Why a capture was refused, in the order of the checks (SPEC §20.6). */
export type CaptureReason =
  | 'format'
  | 'suite'
  | 'recipient'
  | 'sealed'
  | 'statement'
  | 'device'
  | 'signature'
  | 'redirected'
  | 'probe'
  | 'challenge'
  | 'binding'
  | 'time'
  | 'attestation'
  | 'policy'
  | 'repeated'

/** Where an `ERR_CAPTURE_REFUSED` keeps its reason. Not for answers that leave the backend. */
export const captureReason: unique symbol = Symbol('guise.captureReason')

/** An `ERR_CAPTURE_REFUSED`, to whoever holds the symbol. Nothing prints or serialises the reason. */
export type CaptureRefusal = CaptureError & { readonly [captureReason]: CaptureReason }

/** Thrown by everything in this folder. */
export class CaptureError extends GuiseError {
  readonly code: CaptureErrorCode

  constructor(code: CaptureErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** The one refusal. */
export function refusal(reason: CaptureReason): CaptureRefusal {
  const error = new CaptureError('ERR_CAPTURE_REFUSED', 'the capture was refused')
  Object.defineProperty(error, captureReason, { value: reason, enumerable: false })
  return error as CaptureRefusal
}

/** Makes the error of a failed argument check. */
export function rejectInput(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_INPUT', why)
}

/** Makes the error of a policy that cannot be. */
export function rejectPolicy(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_POLICY', why)
}

/** Makes the error of a device key that is not what it should be. */
export function rejectDevice(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_DEVICE', why)
}

/** Makes the error of a row that this realm did not write. */
export function rejectRow(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_ROW', why)
}
