/** The options that every call takes, checked before anything else (SPEC §11). @module */

import { checkText } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { readFields } from '../policy/fields.ts'
import { rejectInput } from './errors.ts'

const NONE: CallOptions = Object.freeze({})
const FIELDS = ['signal', 'actor', 'operationId'] as const
/** An actor stands in the log as it is. */
const MOST_BYTES = { actor: 64, operationId: 128 } as const

/**
 * A checked copy. A bad option is refused at the door, whoever the call is about: later, the refusal would tell a known
 * subject from an unknown one.
 */
export function checkCall(options: unknown): CallOptions {
  if (options === undefined) return NONE
  const { signal, actor, operationId } = readFields(options, 'options', FIELDS, rejectInput)
  return {
    ...(signal === undefined ? {} : { signal: checkSignal(signal) }),
    ...(actor === undefined ? {} : { actor: checkName(actor, 'actor') }),
    ...(operationId === undefined ? {} : { operationId: checkName(operationId, 'operationId') }),
  }
}

function checkName(value: unknown, name: keyof typeof MOST_BYTES): string {
  return checkText(value, name, { maxBytes: MOST_BYTES[name] }, rejectInput)
}

function checkSignal(value: unknown): AbortSignal {
  try {
    // The getter throws for whatever only looks like a signal.
    if (value instanceof AbortSignal && typeof value.aborted === 'boolean') return value
  } catch {
    // Refused below.
  }
  throw rejectInput('signal must be an AbortSignal')
}
