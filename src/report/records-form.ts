/** The form of records: documents, sections, lines, and what they are made of (SPEC §12.7). @module */

import type { Evaluation } from '../evaluate/figures.ts'
import type { AttemptPolicy } from '../policy/attempts.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { RetentionPolicy } from '../policy/retention.ts'
import type { RealmFacts } from '../vault/realm-facts.ts'

/** What vaults of the realm are opened with; what is left out stands in the records as a default or a blank. */
export interface RecordsSettings {
  readonly attempts?: Partial<AttemptPolicy>
  readonly erasureBoundMs?: number
  readonly operatingPoints?: readonly OperatingPoint[]
  /** What keeps the newest checkpoint outside the store, in words. */
  readonly anchor?: string
}

/** One line of a record: a value and where it comes from, or what only the controller can say. */
export type RecordLine =
  | { readonly what: string; readonly value: string; readonly from: string }
  | { readonly what: string; readonly blank: string }

export interface RecordSection {
  readonly title: string
  /** Which duties it serves, as SPEC §18.1 lists them. Serving a duty is not fulfilling it. */
  readonly serves: readonly string[]
  readonly lines: readonly RecordLine[]
}

export interface RecordDocument {
  readonly name: 'record-of-processing' | 'impact-assessment'
  readonly title: string
  readonly sections: readonly RecordSection[]
}

/** Checked options and what the realm says: what documents are made of. */
export interface RecordsInput {
  readonly facts: RealmFacts
  readonly attempts: AttemptPolicy
  readonly settings: RecordsSettings
  readonly policies: ReadonlyMap<string, RetentionPolicy>
  readonly evaluation: Evaluation | undefined
}

export function value(what: string, text: string | number, from: string): RecordLine {
  return { what, value: String(text), from }
}

export function blank(what: string, ask: string): RecordLine {
  return { what, blank: ask }
}

/** `active 3, revoked 1`: what is not zero. */
export function counts(of: Readonly<Record<string, number>>): string {
  const found = Object.entries(of).filter(([, number]) => number > 0)
  return found.length === 0 ? 'none' : found.map(([name, number]) => `${name} ${number}`).join(', ')
}
