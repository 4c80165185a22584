/** Galleries for tests: a declaration that fits `MODEL`, people by number. @module */
import {
  allowHighFalseMatchRate,
  type GalleryOptions,
  type GalleryPart,
  type IdentificationPoint,
  type Model,
  type Vault,
  type VaultOptions,
} from 'guise'
import { type GalleryPartOptions, type OpenGalleryPart, openGalleryPart } from 'guise/node'
import { toHex } from '../../src/base/bytes.ts'
import type { Clock } from '../../src/base/clock.ts'
import { checkModel } from '../../src/embedding/model.ts'
import type { GalleryTable } from '../../src/gallery/table.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { openContext } from '../../src/vault/open.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { OpenVault } from '../../src/vault/vault.ts'
import { basis, MODEL, PURPOSE, point, SIGNER, sample, type TestVault, testVault } from './vault.ts'

/** Bits of templates and of members: together the dimensions of `MODEL`. */
export const BITS = 64

/** An identification point; the thresholds were not measured, so it serves tests only. */
export function idPoint(
  overrides: Partial<IdentificationPoint> = {},
  model: Model = MODEL,
): IdentificationPoint {
  return {
    model: model.id,
    meanHash: toHex(checkModel(model).meanHash),
    bits: BITS,
    galleryBits: BITS,
    probeClass: 'any',
    scanThreshold: 4000,
    threshold: 4500,
    gallerySize: 100_000,
    falsePositiveRate: { value: 5e-4, low: 1e-4, high: 1e-3, trials: 10_000, confidence: 0.95 },
    source: 'tests',
    ...overrides,
  } as IdentificationPoint
}

export function gallery(overrides: Partial<GalleryOptions> = {}): GalleryOptions {
  return { purpose: 'one-record', basis: 'consent', limit: 100_000, points: [idPoint()], ...overrides }
}

export async function galleryVault(
  options: Partial<VaultOptions> & { readonly clock?: Clock; readonly realm?: string } = {},
): Promise<TestVault> {
  return await testVault({
    bits: BITS,
    operatingPoints: [point(MODEL, BITS)],
    gallery: gallery(),
    ...options,
  })
}

/** Enrols people by number, as `person-1` and so on. */
export async function enrollPeople(vault: Vault, numbers: readonly number[]): Promise<void> {
  await Promise.all(
    numbers.map((number) => vault.enroll({ subject: `person-${number}`, basis: basis(), ...sample(number) })),
  )
}

/** Whom a search for a fresh capture of a person names. */
export async function search(vault: Vault, person: number, index = 5): Promise<readonly string[]> {
  const decision = await vault.identify({ limit: 8, ...sample(person, index) })
  if (decision.outcome === 'refused') return [decision.reason]
  return decision.outcome === 'candidates' ? decision.candidates.map(({ subject }) => subject) : []
}

/** The pseudonym of a person. */
export async function pseudonym(vault: Vault, person: number): Promise<string> {
  const described = await vault.describe(`person-${person}`)
  if (described === undefined) throw new Error('nobody has this number')
  return described.subject
}

export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** A vault on the same realm, with what it is made of. */
export async function openInside(
  { keyring, store }: TestVault,
  clock?: Clock,
): Promise<{ readonly vault: Vault; readonly context: VaultContext; readonly table: GalleryTable }> {
  const context = await openContext({
    keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point(MODEL, BITS)],
    custody: { profile: 'operator' },
    logSigner: SIGNER,
    bits: BITS,
    gallery: gallery(),
    [allowHighFalseMatchRate]: true,
    ...(clock === undefined ? {} : { [testClock]: clock }),
  })
  const { table } = context.gallery as NonNullable<VaultContext['gallery']>
  return { vault: new OpenVault(context), context, table }
}

/** Parts of the world's gallery, in this process; `of` of them. */
export async function openParts(
  { keyring, store }: TestVault,
  of: number,
  options: Partial<GalleryPartOptions> & { readonly clock?: Clock } = {},
): Promise<readonly OpenGalleryPart[]> {
  const { clock, ...rest } = options
  return await Promise.all(
    range(0, of - 1).map((index) =>
      openGalleryPart({
        keyring,
        store,
        model: MODEL,
        purpose: PURPOSE,
        operatingPoints: [point(MODEL, BITS)],
        custody: { profile: 'operator' },
        bits: BITS,
        gallery: gallery(),
        part: { index, of },
        [allowHighFalseMatchRate]: true,
        ...(clock === undefined ? {} : { [testClock]: clock }),
        ...rest,
      }),
    ),
  )
}

/** How a coordinator in this process reaches them. */
export function reached(parts: readonly OpenGalleryPart[]): readonly GalleryPart[] {
  return parts.map((part) => (question, options) => part.answer(question, options))
}

/** A vault that asks parts. */
export async function coordinator(
  world: TestVault,
  parts: readonly GalleryPart[],
  options: Partial<VaultOptions> & { readonly partTimeoutMs?: number } = {},
): Promise<Vault> {
  const { partTimeoutMs, ...rest } = options
  const limit = partTimeoutMs === undefined ? {} : { partTimeoutMs }
  return await world.open({ gallery: gallery({ parts, ...limit }), ...rest })
}
