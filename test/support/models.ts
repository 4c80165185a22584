/** Realms that move from one model to another, for tests. @module */
import {
  type AdaptRequest,
  allowUnattestedCapture,
  embedding,
  type Model,
  type NextModel,
  type OperatingPoint,
  sameCaptureConfirmed,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { type AnnounceModelOptions, announceModel, type ModelMigration } from 'guise/node'
import type { Clock } from '../../src/base/clock.ts'
import { allowHighFalseMatchRate, testClock } from '../../src/vault/symbols.ts'
import { face, MODEL, manualClock, point, SIGNER, sample, type TestVault, testVault } from './vault.ts'

/** The model that is moved to. */
export const NEXT: Model = { id: 'next@1', dimensions: 256, metric: 'cosine' }
export const NEXT_BITS = 256
export const DAY = 86_400_000

/** Ten times as strict as `point`. Probes of one person reach 7,150 ± 350; nobody reaches 9,000. */
export function strict(model: Model = MODEL, bits = 128, threshold = 5200): OperatingPoint {
  return {
    ...point(model, bits, threshold),
    falseMatchRate: { value: 1e-5, low: 5e-6, high: 2e-5, trials: 1_000_000, confidence: 0.95 },
  }
}

export function adaptation(threshold = 5200): { readonly operatingPoints: readonly OperatingPoint[] } {
  return { operatingPoints: [strict(MODEL, 128, threshold)] }
}

export const nextModel: NextModel = { model: NEXT, operatingPoints: [point(NEXT, NEXT_BITS)] }

/** A probe of the old model; with `also` one of the new model too. */
export function adaptRequest(subject: string, person: number, index = 1, also = false): AdaptRequest {
  return {
    subject,
    ...sample(person, index),
    [secondFactorConfirmed]: true,
    ...(also ? { also: nextSample(person, index), [sameCaptureConfirmed]: true } : {}),
  }
}

export function nextSample(person: number, index = 0): ReturnType<typeof sample> {
  return { embedding: embedding(face(person, index, NEXT.dimensions), NEXT), [allowUnattestedCapture]: true }
}

export interface ModelWorld extends TestVault {
  readonly clock: ReturnType<typeof manualClock>
  announce(options?: Partial<AnnounceModelOptions>): Promise<ModelMigration>
  /** A vault of both models. */
  dual(strictThreshold?: number): Promise<Vault>
  /** What the functions of a migration take. */
  readonly place: Pick<AnnounceModelOptions, 'keyring' | 'store' | 'logSigner'> & {
    readonly [testClock]: Clock
  }
}

/** A realm on a clock of its own; `vault` has the old model. */
export async function modelWorld(): Promise<ModelWorld> {
  const clock = manualClock()
  const world = await testVault({ clock, adaptation: adaptation() })
  const { keyring, store } = world
  const place = { keyring, store, logSigner: SIGNER, [testClock]: clock }
  return {
    ...world,
    clock,
    place,
    announce: (options = {}) =>
      announceModel({
        ...place,
        from: { model: MODEL },
        to: { model: NEXT, operatingPoints: nextModel.operatingPoints },
        closesAt: new Date(clock.nowMs() + 30 * DAY),
        [allowHighFalseMatchRate]: true,
        ...options,
      }),
    dual: (threshold = 5200) => world.open({ nextModel, adaptation: adaptation(threshold) }),
  }
}
