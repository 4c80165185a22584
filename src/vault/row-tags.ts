/** How the log names rows: by the beginning of their tags (SPEC §14.2). @module */

import { ROW_TAG_BYTES } from '../audit/entry.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { attemptsKey, SCOPE_UNBOUND, stateKey } from '../record/place.ts'
import { TAG_BYTES } from '../record/row.ts'
import type { StoreStep } from '../store/store.ts'

/** What the log is told of the rows that steps leave behind: the beginning of their tags. */
export function rowTags(
  realm: Realm,
  handle: Uint8Array | null | undefined,
  steps: readonly StoreStep[],
): { readonly state?: Uint8Array; readonly attempts?: Uint8Array } {
  const tags: { state?: Uint8Array; attempts?: Uint8Array } = {}
  if (handle === undefined || handle === null) return tags
  for (const step of steps) {
    if (step.step !== 'put' && step.step !== 'delete') continue
    const tag = step.step === 'put' ? rowTag(step.bytes) : NO_ROW
    if (step.table === 'states' && equalBytes(step.key, stateKey(realm, handle))) tags.state = tag
    if (step.table === 'attempts' && equalBytes(step.key, attemptsKey(realm, handle, SCOPE_UNBOUND))) {
      tags.attempts = tag
    }
  }
  return tags
}

/** In place of a tag where a row was removed. */
export const NO_ROW: Uint8Array = new Uint8Array(ROW_TAG_BYTES)

/** The first 16 bytes of an authenticated row's tag. */
export function rowTag(row: Uint8Array): Uint8Array {
  return row.subarray(row.length - TAG_BYTES, row.length - TAG_BYTES + ROW_TAG_BYTES)
}
