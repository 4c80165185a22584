/** What the log tells of one person: templates, comparisons, and everything else that was done (SPEC §12.6). @module */

import type { AuditAction, AuditEntry, AuditOutcome } from '../audit/entry.ts'
import type { ReadEntry } from '../audit/follower.ts'
import type { RecordId } from '../base/brand.ts'
import { equalBytes, toHex } from '../base/bytes.ts'
import type { BasisKind } from '../policy/basis.ts'
import { generationNumber, recordId } from './lookup.ts'

/** An instant as text: `2026-01-31T08:00:00.000Z`. */
export type InstantText = string

/** A comparison with the person's template. */
export interface SubjectComparison {
  readonly at: InstantText
  /** `verify`: is it this person; `search`: the person was the first whom a search of the gallery found. */
  readonly how: 'verify' | 'search'
  /** A class, never a score. */
  readonly outcome: AuditOutcome
  /** Who asked, as the operator names it. */
  readonly by: string | null
  /** Which operating point decided; of a search, its purpose before it. */
  readonly policy: string | null
  /** Which of `templates` was compared, by its number. */
  readonly template: number | null
  /** Of a further reference: which. */
  readonly reference?: RecordId
}

/** Anything else that was done with the person's data. */
export interface SubjectEvent {
  readonly at: InstantText
  readonly what: AuditAction
  readonly outcome: AuditOutcome
  readonly by: string | null
  readonly policy: string | null
  readonly basis: BasisKind | null
  readonly template: number | null
}

/** One template, from its enrolment or reissue to its end. */
export interface SubjectTemplate {
  /** The counter of its generation. */
  readonly number: number
  /** Of a further reference: which. */
  readonly reference?: RecordId
  readonly madeAt: InstantText
  readonly endedAt: InstantText | null
  /** What ended it. */
  readonly endedBy: AuditAction | null
}

interface OpenTemplate {
  readonly number: number
  readonly reference?: RecordId
  readonly madeAt: InstantText
  endedAt: InstantText | null
  endedBy: AuditAction | null
}

/** Takes the entries of a log one by one, and keeps those about one person up to a last one. */
export class SubjectHistory {
  readonly templates: OpenTemplate[] = []
  readonly comparisons: SubjectComparison[] = []
  readonly events: SubjectEvent[] = []
  readonly #handle: Uint8Array
  readonly #last: { readonly writer: string; readonly sequence: number }
  /** The record of the primary reference. */
  #record: Uint8Array | undefined
  #held = false
  #ended = false

  /** @param last the entry behind which nothing counts, itself included in what counts */
  constructor(handle: Uint8Array, last: Pick<AuditEntry, 'writer' | 'sequence'>) {
    this.#handle = handle
    this.#last = { writer: toHex(last.writer), sequence: last.sequence }
  }

  /** Entries about one person come in the order in which they happened. */
  take(entry: ReadEntry): void {
    const { handle, action, outcome, actor: by, policy, timeMs, record, generation, basis } = entry
    if (this.#ended || handle === null || !equalBytes(handle, this.#handle)) return
    const at = new Date(timeMs).toISOString()
    const template = generation === null ? null : generationNumber(generation)
    if (action === 'verify' || action === 'identify') {
      const how = action === 'verify' ? 'verify' : 'search'
      this.comparisons.push({ at, how, outcome, by, policy, template, ...this.#further(record) })
    } else {
      this.events.push({ at, what: action, outcome, by, policy, basis, template })
      if (outcome === 'done') this.#change(action, at, { record, template })
    }
    this.#ended = entry.sequence === this.#last.sequence && entry.writer === this.#last.writer
  }

  /** Names a record that is not the primary reference's. */
  #further(record: Uint8Array | null): { readonly reference?: RecordId } {
    const other = record !== null && this.#record !== undefined && !equalBytes(record, this.#record)
    return other ? { reference: recordId(record) } : {}
  }

  #change(
    action: AuditAction,
    at: InstantText,
    { record, template }: { readonly record: Uint8Array | null; readonly template: number | null },
  ): void {
    if (action === 'hold' || action === 'release') this.#held = action === 'hold'
    // Of a held record they change no template (VAULT-10, VAULT-60).
    const stops = (action === 'revoke' || action === 'withdraw') && !this.#held
    const makes = action === 'enroll' || action === 'reissue'
    if (makes) this.#record = record ?? undefined
    const further = this.#further(record)
    for (const present of this.templates) {
      const ends =
        action === 'reference-remove'
          ? present.reference === further.reference
          : stops || makes || action === 'erase'
      if (!ends || present.endedAt !== null) continue
      present.endedAt = at
      present.endedBy = action
    }
    if ((makes || action === 'reference-add') && template !== null)
      this.templates.push({ number: template, ...further, madeAt: at, endedAt: null, endedBy: null })
  }
}
