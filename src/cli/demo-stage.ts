/** What the chapters of the demo share: a vault on LMDB in a folder, its people, and what is found out. @module */

import { systemClock } from '../base/clock.ts'
import { embedding } from '../embedding/embedding.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { Basis } from '../policy/basis.ts'
import type { Store } from '../store/store.ts'
import type { VaultContext } from '../vault/context.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { EnrollRequest, VaultOptions, VerifyDecision } from '../vault/types.ts'
import type { Vault } from '../vault/vault.ts'
import type { Cast, OnStep, Person } from './demo-cast.ts'

/** One line of the demo's table, and one entry of its JSON. */
export interface Finding {
  readonly step: string
  readonly what: string
  readonly result: string
  /** Numbers behind the result, as fractions and counts. */
  readonly figures: Readonly<Record<string, number | string | boolean>>
  /** False when the result is not what guise promises: the demo then fails. */
  readonly expected: boolean
}

export interface Stage {
  readonly folder: string
  /** Opens the provider's directory. */
  readonly key: Uint8Array
  readonly cast: Cast
  readonly store: Store
  readonly keyring: Keyring
  readonly vault: Vault
  readonly options: VaultOptions
  /** The vault without its door, for the thief and for looking behind. */
  readonly ctx: VaultContext
  readonly onStep: OnStep
}

export const PURPOSE = 'login'

type Outcome = VerifyDecision['outcome']

/** What the vault says to a vector. */
export async function present(
  { vault, cast }: Stage,
  { id }: Person,
  vector: Float32Array | Float64Array,
): Promise<Outcome> {
  const sample = { embedding: embedding(vector, cast.model), [allowUnattestedCapture]: true } as const
  return (await vault.verify({ subject: id, ...sample })).outcome
}

/** Counts of what the vault said. */
export class Outcomes {
  match = 0
  nonmatch = 0
  refused = 0;
  ['second-factor'] = 0

  add(outcome: Outcome): void {
    this[outcome]++
  }
}

/** What enrolls or reissues a person from a sample. */
export function enrollment(
  { cast }: { readonly cast: Pick<Cast, 'model'> },
  { id }: Person,
  vector: Float32Array,
): EnrollRequest {
  return {
    subject: id,
    basis: basis(),
    embedding: embedding(vector, cast.model),
    [allowUnattestedCapture]: true,
  }
}

function basis(): Basis {
  const nowMs = systemClock.nowMs()
  return {
    kind: 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(nowMs),
    expiresAt: new Date(nowMs + 365 * 86_400_000),
    noticeVersion: 'demo-1',
    evidence: new Uint8Array(32).fill(1),
    separateConsent: true,
  }
}
