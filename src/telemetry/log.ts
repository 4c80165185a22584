/** Telemetry of a vault as lines of a log: what needs an operator, and nothing of any person (SPEC §11.9). @module */

import { processMs } from '../base/clock.ts'
import type { Telemetry, TelemetryAttributes } from '../vault/telemetry.ts'

/** A logger in the shape of pino's. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What `logTelemetry` is told beside the logger. */
export interface LogOptions {
  /** Added to every line, such as the realm. */
  readonly attributes?: TelemetryAttributes
  /** At most one line for each verb and outcome in this time; the next says how many calls it stands for. Default 10,000. */
  readonly intervalMs?: number
}

type Level = 'debug' | 'warn' | 'error'

/** The caller's own mistakes, and answers that a program expects. */
const EXPECTED =
  /^(?:aborted|ERR_(?:VAULT_(?:INPUT|CLOSED|UNKNOWN_SUBJECT|ENROLLED|TRANSITION|NOT_MATCHED|CUSTODY|DEVICE)|EMBEDDING_.*|POLICY_.*))$/
/** Passes by itself, or with the next opening of a vault. */
const PASSING = /^ERR_(?:VAULT_(?:OVERLOADED|UNFINISHED|EXPIRED_WORK)|STORE_(?:CONFLICT|BUSY))$/
const ANSWERS: ReadonlySet<string> = new Set(['ok', 'match', 'nonmatch', 'refused'])

/**
 * Logs calls that failed: `warn` for overload and what else passes, `error` for faults of store, keys, rows and program, `debug` for the caller's mistakes.
 * Health is logged when it changes: `error`, then `info`; a number of people that is reached: `warn`, with `threshold`. Fields: `verb`, `outcome` (the code), `calls`; never a subject or
 * a message of an error. Calls that went well leave no line.
 *
 * @example
 * ```ts
 * const vault = await openVault({ ...options, telemetry: logTelemetry(pino()) })
 * ```
 */
export function logTelemetry(logger: Logger, options: LogOptions = {}): Telemetry {
  const { attributes: fixed = {}, intervalMs = 10_000 } = options
  const waiting = new Map<string, { untilMs: number; calls: number }>()
  let healthy = true
  const health = (outcome: string): void => {
    const well = outcome === 'ok'
    if (well === healthy) return
    healthy = well
    if (well) logger.info({ ...fixed }, 'the vault is healthy again')
    else logger.error({ ...fixed }, 'the vault is not healthy')
  }
  return {
    count: (name, _, { verb = '', outcome = '', threshold }) => {
      if (name === 'guise.people.reached')
        logger.warn({ ...fixed, threshold }, 'a number of people was reached')
      if (name !== 'guise.vault.calls') return
      if (verb === 'health' && (outcome === 'ok' || outcome === 'unhealthy')) return health(outcome)
      if (ANSWERS.has(outcome)) return
      const key = `${verb} ${outcome}`
      const nowMs = processMs()
      const last = waiting.get(key)
      const calls = (last?.calls ?? 0) + 1
      if (last !== undefined && nowMs < last.untilMs) {
        last.calls = calls
        return
      }
      waiting.set(key, { untilMs: nowMs + intervalMs, calls: 0 })
      logger[levelOf(outcome)]({ ...fixed, verb, outcome, calls }, messageOf(outcome))
    },
    record: () => undefined,
  }
}

function levelOf(outcome: string): Level {
  if (EXPECTED.test(outcome)) return 'debug'
  return PASSING.test(outcome) ? 'warn' : 'error'
}

function messageOf(outcome: string): string {
  return outcome === 'ERR_VAULT_OVERLOADED' ? 'the vault is overloaded' : 'a call of the vault failed'
}
