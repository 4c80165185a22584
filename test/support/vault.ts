/** Vaults for tests: a keyring on a store, a provider in memory, seeded faces. @module */
import {
  allowHighFalseMatchRate,
  allowUnattestedCapture,
  type Basis,
  createKeyring,
  type Embedding,
  embedding,
  type KeyProvider,
  type Keyring,
  type LocalLogSigner,
  logSigner,
  type Model,
  memoryStore,
  type OperatingPoint,
  openVault,
  revealReason,
  type Store,
  type UnattestedSample,
  type Vault,
  type VaultOptions,
} from 'guise'
import type { Millis } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import type { Clock } from '../../src/base/clock.ts'
import { checkModel } from '../../src/embedding/model.ts'
import { testClock } from '../../src/vault/symbols.ts'

export const MODEL: Model = { id: 'test@1', dimensions: 128, metric: 'cosine' }
export const PURPOSE = 'login'

/** Wraps by XOR under a random key for each context: enough to see that contexts are kept apart. */
export function memoryProvider(): KeyProvider & { readonly keys: Map<string, Uint8Array>; calls: number } {
  const keys = new Map<string, Uint8Array>()
  const xor = (bytes: Uint8Array, key: Uint8Array): Uint8Array =>
    bytes.map((byte, i) => byte ^ (key[i % 32] as number))
  const provider = {
    id: 'test:memory',
    keys,
    calls: 0,
    wrap: async (secret: Uint8Array, context: Uint8Array) => {
      provider.calls++
      const name = toHex(context)
      const key = keys.get(name) ?? crypto.getRandomValues(new Uint8Array(32))
      keys.set(name, key)
      return xor(secret, key)
    },
    unwrap: async (wrapped: Uint8Array, context: Uint8Array) => {
      provider.calls++
      const key = keys.get(toHex(context))
      if (key === undefined) throw new Error('no such key')
      return xor(wrapped, key)
    },
    destroy: async (context: Uint8Array) => {
      keys.delete(toHex(context))
      return { confirmedAt: Date.now() as Millis }
    },
  }
  return provider
}

/** An operating point that fits `MODEL`; the threshold was not measured, so it serves tests only. */
export function point(model: Model = MODEL, bits = 128, threshold = 4500): OperatingPoint {
  return {
    model: model.id,
    meanHash: toHex(checkModel(model).meanHash),
    suite: 'B4',
    bits,
    probeClass: 'any',
    threshold,
    falseMatchRate: { value: 1e-4, low: 5e-5, high: 2e-4, trials: 100_000, confidence: 0.95 },
    source: 'tests',
  } as unknown as OperatingPoint
}

export function basis(overrides: Partial<Basis> = {}): Basis {
  return {
    kind: 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(Date.now() - 60_000),
    expiresAt: new Date(Date.now() + 86_400_000),
    noticeVersion: '2026-01',
    evidence: new Uint8Array(32).fill(7),
    separateConsent: true,
    ...overrides,
  }
}

/** Deterministic uniform numbers in [0, 1): xorshift32. */
export function numbers(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state / 2 ** 32
  }
}

/** The face of a person: a fixed direction, and some noise for each sample. Mates reach a cosine of about 0.9. */
export function face(person: number, sample = 0, dimensions = 128): Float32Array {
  const centre = numbers(1 + person)
  const noise = numbers(1_000_003 * (1 + person) + sample + 17)
  return Float32Array.from(
    { length: dimensions },
    () => centre() + centre() - 1 + 0.35 * (noise() + noise() - 1),
  )
}

export function sample(person: number, index = 0, model: Model = MODEL): UnattestedSample {
  return { embedding: faceOf(person, index, model), [allowUnattestedCapture]: true }
}

export function faceOf(person: number, index = 0, model: Model = MODEL): Embedding {
  return embedding(face(person, index, model.dimensions), model)
}

/** A clock that only moves when told. */
export function manualClock(
  startMs: number = Date.now(),
): Clock & { advance(ms: number): void; jump(ms: number): void } {
  let wall = startMs
  let steady = 1000
  const origin = new Uint8Array(16).fill(9)
  return {
    nowMs: () => wall,
    steady: () => ({ origin, ms: steady }),
    advance: (ms) => {
      wall += ms
      steady += ms
    },
    jump: (ms) => {
      wall += ms
    },
  }
}

/** Signs the logs of tests. */
export const SIGNER: LocalLogSigner = await logSigner('test.example/guise', new Uint8Array(32).fill(5))

export interface TestVault {
  readonly vault: Vault
  readonly keyring: Keyring
  readonly store: Store
  readonly provider: KeyProvider
  open(options?: Partial<VaultOptions>): Promise<Vault>
}

/** A vault with everything made anew; `open` makes another one on the same keyring and store. */
export async function testVault(
  options: Partial<VaultOptions> & {
    readonly clock?: Clock
    readonly provider?: KeyProvider
    readonly realm?: string
  } = {},
): Promise<TestVault> {
  const { clock, provider = memoryProvider(), realm = 'clinic', store = memoryStore(), ...rest } = options
  const keyring = await createKeyring({ realm, provider, store })
  const model = rest.model ?? MODEL
  const open = (more: Partial<VaultOptions> = {}): Promise<Vault> =>
    openVault({
      keyring,
      store,
      model,
      purpose: PURPOSE,
      operatingPoints: [point(model, rest.bits ?? 128)],
      custody: { profile: 'operator' },
      logSigner: SIGNER,
      [revealReason]: true,
      [allowHighFalseMatchRate]: true,
      ...(clock === undefined ? {} : { [testClock]: clock }),
      ...rest,
      ...more,
    })
  return { vault: await open(), keyring, store, provider, open }
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error)
  }
  return 'resolved'
}
