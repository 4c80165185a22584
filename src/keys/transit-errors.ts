/** What answers of a transit server mean for a caller: try again, give up, or never (SPEC §4.7, §4.10). @module */

import { badWrap, KeysError, noKey } from './errors.ts'

/** Status and body. */
export interface TransitAnswer {
  readonly status: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

const MISSING = /encryption key not found|could not delete key; not found|no existing key named/
/** OpenBao can delete softly; both can refuse versions below a lowest one. */
const DISABLED = /soft.?deleted|disallowed by policy/
const UNOPENED = /unable to decrypt|message authentication failed|invalid ciphertext/

/** True when the server answers that it has no such key. It says so with 400 and a sentence. */
export function isMissingKey(answer: TransitAnswer): boolean {
  return answer.status === 400 && MISSING.test(sentence(answer))
}

/** The error of this library for an answer that is not the one hoped for. */
export function transitFailure(answer: TransitAnswer): KeysError {
  const { status } = answer
  const cause = `transit answers ${status}: ${sentence(answer)}`
  if (isMissingKey(answer)) return noKey(cause)
  if (status === 403 || status === 401)
    return new KeysError('ERR_KEYS_DENIED', 'the transit server refuses the caller', { cause })
  if (status === 400 || status === 404) {
    const said = sentence(answer)
    if (DISABLED.test(said)) {
      return new KeysError('ERR_KEYS_DISABLED', 'the key of this context is disabled in transit', { cause })
    }
    if (UNOPENED.test(said)) return badWrap(cause)
    if (/deletion is not allowed/.test(said))
      return new KeysError('ERR_KEYS_DENIED', 'the transit server does not allow the deletion', { cause })
    if (status === 404)
      return new KeysError('ERR_KEYS_INPUT', 'there is no transit engine at this place', { cause })
  }
  return new KeysError('ERR_KEYS_PROVIDER', `the transit server failed (${status})`, { cause })
}

/** What the server says of its failure: never a secret, which stands in answers of status 200 only. */
function sentence({ status, bytes }: TransitAnswer): string {
  return status === 200 ? '' : new TextDecoder().decode(bytes.subarray(0, 1024))
}
