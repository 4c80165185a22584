/** A vault on a directory for the fault tests: a key directory beside it, seeded faces, one way to open and close. @module */
/// <reference types="node" />

import { dirname, join } from 'node:path'
import { type LocalLogSigner, logSigner } from '../../src/audit/checkpoint.ts'
import { fileAnchor } from '../../src/audit/file-anchor.ts'
import { toHex } from '../../src/base/bytes.ts'
import { embedding } from '../../src/embedding/embedding.ts'
import { checkModel, type Model } from '../../src/embedding/model.ts'
import type { GalleryOptions } from '../../src/gallery/declaration.ts'
import { createKeyring, type Keyring, type KeyringOptions, openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import type { AttemptPolicy } from '../../src/policy/attempts.ts'
import type { Basis } from '../../src/policy/basis.ts'
import type { Bits, OperatingPoint } from '../../src/policy/operating-point.ts'
import type { Quorum } from '../../src/quorum/client.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'
import type { Store } from '../../src/store/store.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { openContext } from '../../src/vault/open.ts'
import { allowHighFalseMatchRate, allowUnattestedCapture, revealReason } from '../../src/vault/symbols.ts'
import type { Telemetry } from '../../src/vault/telemetry.ts'
import type { Custody, UnattestedSample, VaultOptions } from '../../src/vault/types.ts'
import { OpenVault, type Vault } from '../../src/vault/vault.ts'
import { seeded } from './driver.ts'
import { POSTGRES_WORLD, postgresWorldStore } from './postgres-world.ts'

export const DIMENSIONS = 128
export const MODEL: Model = { id: 'faults@1', dimensions: DIMENSIONS, metric: 'cosine' }
const PURPOSE = 'login'
export const REALM = 'faults'

/** The raw key of the key directory: no passphrase, so that a start costs no Argon2. */
export function providerKey(): Uint8Array {
  return numberedBytes(0)
}

/** 32 bytes that look random and follow from a number; the caller wipes them. */
export function numberedBytes(number: number): Uint8Array {
  const random = seeded(0x6b65_7973 ^ number)
  const bytes = new Uint8Array(new ArrayBuffer(32))
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(256 * random())
  return bytes
}

export interface WorldOptions {
  /** Wraps lie in a store of their own. */
  readonly split?: boolean
  readonly custody?: 'operator' | 'holder' | 'quorum'
  /** For custody `quorum`. */
  readonly quorum?: Quorum
  /** Stands between the vault and each store. */
  readonly between?: (store: Store) => Store
  readonly telemetry?: Telemetry
  /** The file of an anchor. */
  readonly anchor?: string
  /** Templates of 64 bits, and a gallery of as many. */
  readonly gallery?: true
  /** The most members of that gallery, 1,000 unless told. */
  readonly galleryLimit?: number
  readonly attempts?: Partial<AttemptPolicy>
  /** In ten-thousandths, 5,000 unless told. */
  readonly threshold?: number
}

export interface World {
  readonly vault: Vault
  readonly ctx: VaultContext
  readonly keyring: Keyring
  close(): Promise<void>
}

/** Opens the vault of a directory, and makes it when it is missing. The keys lie in `keys` beside the directory. */
export async function openWorld(directory: string, options: WorldOptions = {}): Promise<World> {
  const { split = false, between = (store) => store } = options
  const opened = await openWorldStore(split ? join(directory, 'codes') : directory)
  const apart = split ? await lmdbStore({ path: join(directory, 'wraps') }) : undefined
  const store = between(opened)
  const key = providerKey()
  const provider = localKeyProvider({ path: join(dirname(directory), 'keys'), key })
  key.fill(0)
  const keyring = await openOrCreate({ realm: REALM, provider, store })
  const signer = await worldSigner()
  const ctx = await openContext({
    keyring,
    store,
    ...(apart === undefined ? {} : { secrets: between(apart) }),
    model: MODEL,
    purpose: PURPOSE,
    ...(options.gallery === undefined ? { operatingPoints: [operatingPoint()] } : galleryWorld(options)),
    logSigner: signer,
    custody: custodyOf(options),
    ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }),
    ...(options.anchor === undefined ? {} : { anchor: fileAnchor(options.anchor) }),
    // Long enough that no machine is so slow that a delay ends within a test.
    attempts: { delayMs: 3_600_000, realmPerHour: 1_000_000_000, ...options.attempts },
    [revealReason]: true,
    [allowHighFalseMatchRate]: true,
  })
  const vault = new OpenVault(ctx)
  const close = async (): Promise<void> => {
    await vault.close()
    keyring.close()
    provider.close()
    await store.close()
    await apart?.close()
  }
  return { vault, ctx, keyring, close }
}

function custodyOf({ custody = 'operator', quorum }: WorldOptions): Custody {
  if (custody !== 'quorum') return { profile: custody }
  if (quorum === undefined) throw new Error('custody quorum needs one')
  return { profile: custody, quorum }
}

/** The store itself: the schema that `POSTGRES_WORLD` names, or LMDB in the directory. */
export async function openWorldStore(directory: string): Promise<Store> {
  const place = process.env[POSTGRES_WORLD]
  return place === undefined ? await lmdbStore({ path: directory }) : await postgresWorldStore(place)
}

/** Signs the log of the world. */
export async function worldSigner(): Promise<LocalLogSigner> {
  return await logSigner(`${REALM}.example/guise`, new Uint8Array(32).fill(6))
}

async function openOrCreate(options: KeyringOptions): Promise<Keyring> {
  try {
    return await openKeyring(options)
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_KEYS_ABSENT') throw error
    return await createKeyring(options)
  }
}

function operatingPoint(bits: number = DIMENSIONS, threshold = 5000): OperatingPoint {
  return {
    model: MODEL.id,
    meanHash: toHex(checkModel(MODEL).meanHash),
    suite: 'B4',
    bits,
    probeClass: 'any',
    threshold,
    falseMatchRate: { value: 1e-4, low: 5e-5, high: 2e-4, trials: 100_000, confidence: 0.95 },
    source: 'fault tests',
  } as unknown as OperatingPoint
}

/** Half of the bits in templates, half in the members of a gallery. */
function galleryWorld({
  galleryLimit: limit = 1000,
  threshold: asked = 5000,
}: WorldOptions): Pick<VaultOptions, 'bits' | 'operatingPoints' | 'gallery'> {
  const half = (DIMENSIONS / 2) as Bits
  const { model, meanHash, probeClass, threshold, falseMatchRate, source } = operatingPoint(half, asked)
  const shown = { model, meanHash, probeClass, threshold, falsePositiveRate: falseMatchRate, source }
  const point = { ...shown, bits: half, galleryBits: half, scanThreshold: threshold, gallerySize: 1000 }
  const gallery: GalleryOptions = { purpose: 'one-record', basis: 'consent', limit, points: [point] }
  const queriesPerHour = 1_000_000
  return {
    bits: half,
    operatingPoints: [operatingPoint(half, asked)],
    gallery: { ...gallery, queriesPerHour },
  }
}

export function basis(): Basis {
  return {
    kind: 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(Date.now() - 60_000),
    expiresAt: new Date(Date.now() + 86_400_000),
    noticeVersion: '2026-01',
    evidence: new Uint8Array(32).fill(7),
    separateConsent: true,
  }
}

/** The vector of a face: numbered faces have nothing in common. */
export function vectorOf(face: number): Float32Array {
  const random = seeded(face + 1)
  const vector = new Float32Array(new ArrayBuffer(4 * DIMENSIONS))
  for (let i = 0; i < vector.length; i++) vector[i] = random() + random() + random() - 1.5
  return vector
}

/** A sample of a face; `wrong` gives the opposite vector, which no threshold lets pass. */
export function sampleOf(face: number, wrong = false): UnattestedSample {
  const vector = vectorOf(face)
  if (wrong) for (let i = 0; i < vector.length; i++) vector[i] = -(vector[i] as number)
  const sample = { embedding: embedding(vector, MODEL), [allowUnattestedCapture]: true } as const
  vector.fill(0)
  return sample
}
