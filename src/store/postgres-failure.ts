/** What an error of a PostgreSQL driver means for a store (SPEC §10.5). @module */

import { StoreError } from './errors.ts'

/** Raised by the commit function when an expectation fails after something was written; the message tells which. */
export const REFUSED = 'GU001'
/** Raised by the commit function when it has waited for locks too long altogether. */
export const TOO_LATE = 'GU002'
/** Raised by the functions when the session does not run at READ COMMITTED. */
export const ISOLATION = 'GU003'

/** The SQLSTATE of an error, when the server gave one. Codes of sockets, such as EPIPE, begin otherwise. */
export function stateOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const { code } = error
  return typeof code === 'string' && /^(?:\d\d|F0|GU|HV|P0|XX)[0-9A-Z]{3}$/.test(code) ? code : undefined
}

/** True when the connection is gone, or goes with this error: classes 08 and 57P, and errors of sockets. */
export function isLost(error: unknown): boolean {
  const state = stateOf(error)
  return state === undefined || state.startsWith('08') || state.startsWith('57P')
}

/** True when the server raises this state only for a statement that it has rolled back. */
export function isCertain(error: unknown): boolean {
  const state = stateOf(error) ?? ''
  return CERTAIN.has(state) || state.startsWith('42')
}

/** True when another transaction stood in the way of this one, and trying again may help. */
export function isCollision(error: unknown): boolean {
  const state = error instanceof StoreError ? stateOf(error.cause) : undefined
  return state === '40001' || state === '40P01'
}

/** The error of a statement that was rolled back, or that was none. */
export function statementFailure(error: unknown): StoreError {
  const state = stateOf(error) ?? ''
  const [code, message] = FAILURES.get(state) ?? OTHER
  return new StoreError(code, message, { cause: error })
}

export function busy(message: string, cause: unknown): StoreError {
  return new StoreError('ERR_STORE_BUSY', message, { cause })
}

export function unknownOutcome(cause: unknown): StoreError {
  return new StoreError('ERR_STORE_INDETERMINATE', 'the answer to the commit was lost', { cause })
}

const CERTAIN: ReadonlySet<string> = new Set([
  REFUSED,
  TOO_LATE,
  ISOLATION,
  '25006',
  '3F000',
  '40001',
  '40P01',
  '55P03',
  '57014',
])

type Failure = readonly [StoreError['code'], string]

const LOCKED: Failure = ['ERR_STORE_BUSY', 'other commits hold the rows']
const SHORT: Failure = ['ERR_STORE_BUSY', 'the server is short of resources']
const NO_WRITE: Failure = ['ERR_STORE_READONLY', 'the server or the role does not allow it']
const NO_SCHEMA: Failure = [
  'ERR_STORE_UNSUPPORTED',
  'the schema is missing or of another version: migrate it',
]
const OTHER: Failure = ['ERR_STORE_FAILED', 'the server refused a statement of the store']

const FAILURES: ReadonlyMap<string, Failure> = new Map<string, Failure>([
  ['40001', LOCKED],
  ['40P01', LOCKED],
  ['55P03', LOCKED],
  ['57014', ['ERR_STORE_BUSY', 'the server ended the statement before its end']],
  [TOO_LATE, LOCKED],
  ['53000', SHORT],
  ['53200', SHORT],
  ['53300', SHORT],
  ['53400', SHORT],
  ['53100', ['ERR_STORE_FULL', 'no room on the volume of the server']],
  ['25006', NO_WRITE],
  ['42501', NO_WRITE],
  ['3F000', NO_SCHEMA],
  ['42P01', NO_SCHEMA],
  ['42703', NO_SCHEMA],
  ['42883', NO_SCHEMA],
  [ISOLATION, ['ERR_STORE_UNSUPPORTED', 'transactions must run at READ COMMITTED by default']],
])
