/** The references of a subject: which there are, which one a probe is compared with, and room for another (SPEC §11.15). @module */

import { equalBytes } from '../base/bytes.ts'
import { checkText } from '../base/check.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { RecordName } from '../record/place.ts'
import { ANY_CLASS, type FurtherReference, MOST_FURTHER, type StateRow } from '../record/state-row.ts'
import type { VaultContext, VaultSettings } from './context.ts'
import { rejectInput, rejectReference } from './errors.ts'

/** The further references, each as the state row with its record and generation in place of the primary one's. */
export function furtherOf(state: StateRow): readonly StateRow[] {
  return (state.references ?? []).map(({ record, generation }) => ({ ...state, record, generation }))
}

/** All references, the primary one first. */
export function templatesOf(state: StateRow): readonly StateRow[] {
  return [state, ...furtherOf(state)]
}

/**
 * The one reference that a probe of the point's class is compared with, and at which point: no other is ever tried beside it (VAULT-85). A
 * vault without a point for that pair compares with the primary one.
 */
export function pairFor(
  { referencePoints }: VaultSettings,
  state: StateRow,
  point: OperatingPoint,
): { readonly template: StateRow; readonly point: OperatingPoint } {
  const { probeClass } = point
  const own = state.references?.find((reference) => reference.probeClass === probeClass)
  const pair = referencePoints?.get(probeClass)
  if (own === undefined || pair === undefined) return { template: state, point }
  return { template: { ...state, record: own.record, generation: own.generation }, point: pair }
}

/** The reference that a row or a note speaks of, if the subject has it. */
export function templateNamed(
  state: StateRow,
  { record, generation }: Pick<RecordName, 'record' | 'generation'>,
): StateRow | undefined {
  return templatesOf(state).find(
    (template) => equalBytes(template.record, record) && equalBytes(template.generation, generation),
  )
}

/** Refuses another reference that the limits do not let in (TEMPLATE-6). Throws `ERR_VAULT_REFERENCE`. */
export function requireRoom(
  { settings, gallery }: VaultContext,
  known: readonly FurtherReference[],
  probeClasses: readonly string[],
): void {
  const { bits, dimensions } = settings.profile
  const all = [...known.map(({ probeClass }) => probeClass), ...probeClasses]
  if (new Set(all).size !== all.length) throw rejectReference('the subject has a reference of this class')
  if (all.length > MOST_FURTHER)
    throw rejectReference(`a subject has at most ${MOST_FURTHER} further references`)
  const stored = (1 + probeClasses.length) * bits + known.reduce((sum, one) => sum + one.bits, 0)
  if (stored + (gallery?.settings.profile.bits ?? 0) > dimensions) {
    throw rejectReference("the bits of the subject's references would exceed the dimensions of the model")
  }
}

/** A class that a vault makes references of. Throws `ERR_VAULT_INPUT`. */
export function requirePair({ settings }: VaultContext, probeClass: string): void {
  if (settings.referencePoints?.has(probeClass) === true) return
  throw rejectInput('the vault has no operating point for references of this probe class')
}

/** A class that a further reference may have. Throws `ERR_VAULT_INPUT`. */
export function checkClass(value: unknown): string {
  const probeClass = checkText(value, 'probeClass', { maxBytes: 64 }, rejectInput)
  if (probeClass === ANY_CLASS) throw rejectInput("the reference of class 'any' is the primary one")
  return probeClass
}
