/** Records that laws ask for, out of what is deployed: values with where each comes from, and blanks (SPEC §12.7). @module */

import type { Realm } from '../base/brand.ts'
import { checkInteger, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Evaluation } from '../evaluate/figures.ts'
import type { Keyring } from '../keys/keyring.ts'
import { type AttemptPolicy, checkAttemptPolicy } from '../policy/attempts.ts'
import { readFields, readList } from '../policy/fields.ts'
import { checkOperatingPoint } from '../policy/operating-point.ts'
import { checkRetention, type RetentionPolicy } from '../policy/retention.ts'
import type { Store } from '../store/store.ts'
import { rejectInput } from '../vault/errors.ts'
import { realmFacts } from '../vault/realm-facts.ts'
import type { RecordDocument, RecordsSettings } from './records-form.ts'
import { impactAssessment } from './records-impact.ts'
import { recordOfProcessing } from './records-processing.ts'

export interface RecordsOptions extends Pick<CallOptions, 'signal'> {
  readonly keyring: Keyring
  /** The store that holds the keyring. */
  readonly store: Store
  readonly settings?: RecordsSettings
  readonly policies?: readonly RetentionPolicy[]
  /** What `guise evaluate` wrote of the model in use: `evaluation.json`. */
  readonly evaluation?: Evaluation
  /** Files that the values came from, and their SHA-256 as hexadecimal digits. */
  readonly inputs?: Readonly<Record<string, string>>
  /** As of when, milliseconds since 1970. Default: now. The same state, options and instant give the same bytes. */
  readonly at?: number
}

export interface ProcessingRecords {
  readonly format: 'guise-records/1'
  readonly realm: Realm
  /** `2026-01-31T08:00:00.000Z`. */
  readonly at: string
  readonly inputs: Readonly<Record<string, string>>
  /** Lines that the controller has to fill. */
  readonly blanks: number
  readonly documents: readonly RecordDocument[]
}

const SETTINGS = ['attempts', 'erasureBoundMs', 'operatingPoints', 'anchor'] as const
const MAX_MILLIS = 8_640_000_000_000_000
const LONGEST_BOUND_MS = 3653 * 86_400_000

/**
 * A record of processing and the skeleton of an impact assessment. Reads every state row and writes nothing. Says nothing of lawfulness:
 * what only the controller knows is a blank. Throws `KeysError`, `StoreError`, `PolicyError`, `ERR_VAULT_INPUT`.
 *
 * @example
 * ```ts
 * const records = await processingRecords({ keyring, store, policies: [{ purpose: 'login', afterExpiryDays: 30 }] })
 * for (const document of records.documents) console.log(recordMarkdown(records, document))
 * ```
 */
export async function processingRecords(options: RecordsOptions): Promise<ProcessingRecords> {
  const { evaluation, inputs = {}, keyring, store, signal } = options
  const at = checkInteger(options.at ?? systemClock.nowMs(), 'at', [0, MAX_MILLIS], rejectInput)
  const settings = checkSettings(options.settings ?? {})
  const policies = checkRetention(options.policies ?? [])
  if (evaluation !== undefined && (evaluation as { format?: unknown }).format !== 'guise-evaluation/1')
    throw rejectInput('evaluation must be what guise evaluate wrote')
  const facts = await realmFacts({ keyring, store }, at, signal === undefined ? {} : { signal })
  const input = { facts, attempts: checkAttemptPolicy(settings.attempts), settings, policies, evaluation }
  const documents = [recordOfProcessing(input), impactAssessment(input)]
  const lines = documents.flatMap(({ sections }) => sections.flatMap((section) => section.lines))
  return {
    format: 'guise-records/1',
    realm: facts.realm,
    at: new Date(at).toISOString(),
    inputs,
    blanks: lines.filter((line) => 'blank' in line).length,
    documents,
  }
}

function checkSettings(given: unknown): RecordsSettings {
  const { attempts, erasureBoundMs, operatingPoints, anchor } = readFields(
    given,
    'settings',
    SETTINGS,
    rejectInput,
  )
  const unknown = Object.keys(given as object).find((name) => !SETTINGS.some((known) => known === name))
  if (unknown !== undefined) throw rejectInput('settings have a field that is not known')
  return {
    ...(attempts === undefined ? {} : { attempts: attempts as Partial<AttemptPolicy> }),
    ...(erasureBoundMs === undefined
      ? {}
      : {
          erasureBoundMs: checkInteger(
            erasureBoundMs,
            'settings.erasureBoundMs',
            [1, LONGEST_BOUND_MS],
            rejectInput,
          ),
        }),
    ...(operatingPoints === undefined
      ? {}
      : {
          operatingPoints: readList(operatingPoints, 'settings.operatingPoints', 64, rejectInput).map(
            (point) => checkOperatingPoint(point),
          ),
        }),
    ...(anchor === undefined
      ? {}
      : { anchor: checkText(anchor, 'settings.anchor', { maxBytes: 1024 }, rejectInput) }),
  }
}
