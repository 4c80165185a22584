/** What a failed commit tells of its outcome (SPEC §10.1). @module */

import { GuiseError } from '../base/errors.ts'

/** True for the conflict that a new decision may resolve. */
export function isConflict(error: unknown): boolean {
  return hasCode(error, 'ERR_STORE_CONFLICT')
}

/** True when nobody can tell whether the commit was applied. */
export function isIndeterminate(error: unknown): boolean {
  return hasCode(error, 'ERR_STORE_INDETERMINATE')
}

/** Stores of other makers may have classes of their own: the code is the contract. */
function hasCode(error: unknown, code: string): boolean {
  return error instanceof GuiseError && error.code === code
}
