/** A realm that moves from one model to another, on a directory: faces of both models in a file, one way to open it. @module */
/// <reference types="node" />

import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { toHex } from '../../src/base/bytes.ts'
import { embedding } from '../../src/embedding/embedding.ts'
import { checkModel, type Model } from '../../src/embedding/model.ts'
import { createKeyring, type Keyring, type KeyringOptions, openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import type { OperatingPoint } from '../../src/policy/operating-point.ts'
import type { Store } from '../../src/store/store.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { openContext } from '../../src/vault/open.ts'
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  revealReason,
  sameCaptureConfirmed,
  secondFactorConfirmed,
} from '../../src/vault/symbols.ts'
import type { AdaptRequest, UnattestedSample } from '../../src/vault/types.ts'
import { OpenVault, type Vault } from '../../src/vault/vault.ts'
import { seeded } from './driver.ts'
import { openWorldStore, providerKey, REALM, worldSigner } from './vault-world.ts'

export const OLD: Model = { id: 'old@1', dimensions: 128, metric: 'cosine' }
export const NEXT: Model = { id: 'next@1', dimensions: 256, metric: 'cosine' }
const BITS = { [OLD.id]: 128, [NEXT.id]: 256 } as const
const FACE_FLOATS = 2 * (OLD.dimensions + NEXT.dimensions)

/** Thresholds in ten-thousandths, and the upper bounds that are declared of them. */
export interface Thresholds {
  readonly verify: number
  readonly strict: number
  readonly next: number
}

export const THRESHOLDS: Thresholds = { verify: 4500, strict: 6000, next: 4500 }

/** Of each person an image to enrol and one to compare, each under both models. */
export class Faces {
  readonly people: number
  readonly #floats: Float32Array

  constructor(floats: Float32Array) {
    this.people = floats.length / FACE_FLOATS
    this.#floats = floats
  }

  static read(path: string): Faces {
    const bytes = new Uint8Array(readFileSync(path))
    return new Faces(new Float32Array(bytes.buffer))
  }

  write(path: string): void {
    writeFileSync(path, new Uint8Array(this.#floats.buffer), { mode: 0o600 })
  }

  /** `image` 0 is enrolled, 1 is compared. `wrong` gives the opposite vector, which no threshold lets pass. */
  sample(person: number, image: 0 | 1, model: Model, wrong = false): UnattestedSample {
    const at = person * FACE_FLOATS + (model === OLD ? 0 : 2 * OLD.dimensions) + image * model.dimensions
    const vector = this.#floats.slice(at, at + model.dimensions)
    if (wrong) for (let i = 0; i < vector.length; i++) vector[i] = -(vector[i] as number)
    return { embedding: embedding(vector, model), [allowUnattestedCapture]: true }
  }

  both(person: number, wrong = false): UnattestedSample & { readonly also: UnattestedSample } {
    return { ...this.sample(person, 1, OLD, wrong), also: this.sample(person, 1, NEXT, wrong) }
  }

  move(person: number): AdaptRequest {
    return {
      ...this.both(person),
      subject: nameOf(person),
      [secondFactorConfirmed]: true,
      [sameCaptureConfirmed]: true,
    }
  }
}

export function nameOf(person: number): string {
  return `person ${person}`
}

/** People who do not exist: the cosine of their two images is about 0.9. */
export function syntheticFaces(people: number, seed: number): Float32Array {
  const floats = new Float32Array(people * FACE_FLOATS)
  const random = seeded(seed)
  const normal = (): number => random() + random() + random() + random() - 2
  let at = 0
  for (let person = 0; person < people; person++) {
    for (const { dimensions } of [OLD, NEXT]) {
      const centre = Array.from({ length: dimensions }, normal)
      for (let image = 0; image < 2; image++) {
        for (const value of centre) floats[at++] = value + 0.35 * normal()
      }
    }
  }
  return floats
}

export function modelPoint(model: Model, threshold: number, high = 2e-4): OperatingPoint {
  return {
    model: model.id,
    meanHash: toHex(checkModel(model).meanHash),
    suite: 'B4',
    bits: BITS[model.id],
    probeClass: 'any',
    threshold,
    falseMatchRate: { value: high / 2, low: high / 4, high, trials: 10_000_000, confidence: 0.95 },
    source: 'fault tests',
  } as unknown as OperatingPoint
}

export interface ModelsWorld {
  readonly vault: Vault
  readonly ctx: VaultContext
  readonly keyring: Keyring
  readonly store: Store
  close(): Promise<void>
}

/** Opens the realm of a directory, with both models once that was announced. The keys lie in `keys` beside it. */
export async function openModelsWorld(
  directory: string,
  { dual, thresholds = THRESHOLDS }: { readonly dual: boolean; readonly thresholds?: Thresholds },
): Promise<ModelsWorld> {
  const store = await openWorldStore(directory)
  const key = providerKey()
  const provider = localKeyProvider({ path: join(dirname(directory), 'keys'), key })
  key.fill(0)
  const keyring = await openOrCreate({ realm: REALM, provider, store })
  const ctx = await openContext({
    keyring,
    store,
    model: OLD,
    purpose: 'login',
    operatingPoints: [modelPoint(OLD, thresholds.verify)],
    adaptation: { operatingPoints: [modelPoint(OLD, thresholds.strict, 2e-5)] },
    ...(dual ? { nextModel: { model: NEXT, operatingPoints: [modelPoint(NEXT, thresholds.next)] } } : {}),
    logSigner: await worldSigner(),
    custody: { profile: 'operator' },
    // Long enough that no machine is so slow that a delay ends within a test.
    attempts: {
      consecutive: 100,
      total: 1000,
      delayMs: 3_600_000,
      generation: 100_000,
      realmPerHour: 1_000_000_000,
    },
    [revealReason]: true,
    [allowHighFalseMatchRate]: true,
  })
  const vault = new OpenVault(ctx)
  const close = async (): Promise<void> => {
    await vault.close()
    keyring.close()
    provider.close()
    await store.close()
  }
  return { vault, ctx, keyring, store, close }
}

async function openOrCreate(options: KeyringOptions): Promise<Keyring> {
  try {
    return await openKeyring(options)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_KEYS_ABSENT') throw error
    return await createKeyring(options)
  }
}
