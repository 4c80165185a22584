/** Opening a vault: the whole configuration is checked once, then what a crash left is finished. @module */

import type { Anchor } from '../audit/anchor.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import { Ledger } from '../audit/ledger.ts'
import type { Realm, TransformId } from '../base/brand.ts'
import { checkBytes, checkFunction, checkInteger, checkObject, checkText } from '../base/check.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { checkPurpose } from '../base/identifier.ts'
import { Lanes } from '../base/lanes.ts'
import { KeyedMutex } from '../base/mutex.ts'
import { checkModel } from '../embedding/model.ts'
import { checkGallery } from '../gallery/declaration.ts'
import { GalleryError, rejectDeclaration } from '../gallery/errors.ts'
import type { PartPlace } from '../gallery/part-place.ts'
import { ringAccess } from '../keys/keyring.ts'
import { fitAdaptation } from '../policy/adaptation.ts'
import { checkAttemptPolicy } from '../policy/attempts.ts'
import { readFields } from '../policy/fields.ts'
import { fitOperatingPoints, fitReferencePoints } from '../policy/operating-point.ts'
import type { Store } from '../store/store.ts'
import { checkBits, defaultBits } from '../template/bits.ts'
import { checkCall } from './calls.ts'
import { VaultContext, type VaultSettings } from './context.ts'
import { checkCustody, requireLog } from './custody.ts'
import { Decoys } from './decoy.ts'
import { recoverEndings } from './endings.ts'
import { rejectConfiguration } from './errors.ts'
import { Gallery } from './gallery.ts'
import { declareGallery } from './gallery-sync.ts'
import { VaultKeys } from './keys.ts'
import { ModelWindow } from './model-window.ts'
import { RealmLimit } from './realm-limit.ts'
import { recover } from './recover.ts'
import {
  allowHighFalseMatchRate,
  allowOvercomplete,
  logElsewhere,
  revealReason,
  testClock,
} from './symbols.ts'
import { openMeter } from './telemetry.ts'
import type { VaultOptions } from './types.ts'
import { OpenVault, type Vault } from './vault.ts'

const FIELDS = [
  'keyring',
  'store',
  'secrets',
  'model',
  'purpose',
  'operatingPoints',
  'custody',
  'attempts',
  'maxInFlight',
  'bits',
  'erasureBoundMs',
  'telemetry',
  'gallery',
  'nextModel',
  'adaptation',
  'referencePoints',
  'signal',
  'logSigner',
  'anchor',
  logElsewhere,
  allowOvercomplete,
  allowHighFalseMatchRate,
  revealReason,
  testClock,
] as const
const DAY_MS = 86_400_000
const DEFAULT_BOUND_MS = 30 * DAY_MS
/** One-to-one templates have a key of their own: four rounds. */
const SUITE = 'B4'

/**
 * Opens a vault on a realm's keyring and store. Refuses a configuration that does not fit: operating points of another
 * model, mean, suite or number of bits, a store that does not hold the keyring, more bits than dimensions. Finishes what a crash
 * left between two stores, reads the log, and compares it with the anchor. Throws `VaultError`, `PolicyError`, `TemplateError`,
 * `EmbeddingError`, `KeysError`, `StoreError`, and `AuditError` for a store that was put back or a log that does not hold.
 *
 * @example
 * ```ts
 * const custody = { profile: 'operator' } as const
 * const vault = await openVault({ keyring, store, model, purpose: 'login', operatingPoints, custody, logSigner })
 * await vault.enroll({ subject: 'user-1', basis, embedding: face, [allowUnattestedCapture]: true })
 * ```
 */
export async function openVault(options: VaultOptions): Promise<Vault> {
  return new OpenVault(await openContext(options))
}

/** Enough to keep the processor busy behind a flush. Each holds 16 kB, which the collector would move again and again for hundreds. */
const LANES = 64

/**
 * What `openVault` opens, without the door: for whoever measures what a thief of all keys can do. `place`: for a part of a gallery,
 * which writes no row.
 */
export async function openContext(options: VaultOptions, place?: PartPlace): Promise<VaultContext> {
  const given = readFields(options, 'options', FIELDS, rejectConfiguration) as unknown as VaultOptions
  const { signal } = checkCall({ signal: given.signal })
  signal?.throwIfAborted()
  return await openChecked(given, signal, place)
}

async function openChecked(
  options: VaultOptions,
  signal: AbortSignal | undefined,
  place: PartPlace | undefined,
): Promise<VaultContext> {
  const access = ringAccess(options.keyring)
  const ring = new VaultKeys(access)
  const store = checkStore(options.store, 'store')
  const secrets = options.secrets === undefined ? store : checkStore(options.secrets, 'secrets')
  if (ring.store !== store) throw rejectConfiguration('store must be the store that holds the keyring')
  const clock = chooseClock(options, [store, secrets])
  const settings = checkSettings(options, access.realm)
  const next = checkNext(options, settings)
  const gallery = openGallery(options, settings, place)
  const { signer, anchor } = checkLog(options)
  requireLog(settings, signer)
  const realmLimit = new RealmLimit(ring, settings.realm, clock, settings.attempts.realmPerHour)
  const ctx = new VaultContext({
    settings,
    ring,
    store,
    secrets,
    clock,
    realmLimit,
    ledger: new Ledger({ store, realm: settings.realm, keys: ring, journal: ring.journal, signer, anchor }),
    subjects: new KeyedMutex(),
    // Where devices and a quorum are asked nobody waits until others have their answers.
    lanes: settings.custody === 'operator' ? new Lanes(LANES) : undefined,
    decoys: new Decoys(settings.profile, clock.nowMs()),
    gallery,
    next,
    models: new ModelWindow(),
  })
  const call = ctx.within(signal === undefined ? {} : { signal })
  try {
    await call.ring.refresh()
    await call.ring.load()
    await ctx.ledger.open(signal === undefined ? {} : { signal })
    await call.readModels()
    ctx.models.requireFit(settings, next)
    if (place !== undefined) return ctx
    await recover(call)
    await recoverEndings(call)
    if (gallery !== undefined) await declareGallery(call, gallery)
    return ctx
  } catch (error) {
    await ctx.ledger.close()
    throw error
  }
}

/** Galleries exist where the vault alone opens templates: whoever searches opens everybody's (GALLERY-1). */
function openGallery(
  options: VaultOptions,
  { custody, profile }: VaultSettings,
  place: PartPlace | undefined,
): Gallery | undefined {
  if (options.gallery === undefined) return undefined
  if (custody !== 'operator') {
    throw new GalleryError('ERR_GALLERY_CUSTODY', 'a gallery needs custody operator')
  }
  const overcomplete = options[allowOvercomplete] === true
  const highRate = options[allowHighFalseMatchRate] === true
  const declared = checkGallery(options.gallery, profile, { overcomplete, highRate })
  if (place === undefined) return new Gallery(declared)
  if (declared.parts !== undefined) throw rejectDeclaration('a part does not ask other parts')
  return new Gallery(declared, place)
}

/** A vault whose log nobody signs is opened on purpose only: then another process integrates what this one queues. */
function checkLog(options: VaultOptions): {
  readonly signer: LogSigner | undefined
  readonly anchor: Anchor | undefined
} {
  const { logSigner, anchor } = options
  if (anchor !== undefined) {
    const methods = checkObject(anchor, 'anchor', rejectConfiguration)
    for (const method of ['read', 'advance']) {
      checkFunction(methods[method], `anchor.${method}`, rejectConfiguration)
    }
  }
  if (logSigner === undefined) {
    if (options[logElsewhere] !== true) throw rejectConfiguration('a vault needs a logSigner')
    return { signer: undefined, anchor }
  }
  const signer = checkObject(logSigner, 'logSigner', rejectConfiguration)
  checkFunction(signer['sign'], 'logSigner.sign', rejectConfiguration)
  checkText(signer['origin'], 'logSigner.origin', { maxBytes: 255 }, rejectConfiguration)
  checkBytes(signer['publicKey'], 'logSigner.publicKey', 32, rejectConfiguration)
  return { signer: logSigner, anchor }
}

/** What a vault says of each of its models. */
type ModelOptions = Pick<VaultOptions, (typeof OF_MODEL)[number]>

const OF_MODEL = ['model', 'bits', 'operatingPoints', 'referencePoints', 'adaptation'] as const

/** The model beside the vault's own: the same vault, but for what belongs to the model. */
function checkNext(options: VaultOptions, settings: VaultSettings): VaultSettings | undefined {
  if (options.nextModel === undefined) return undefined
  if (options.gallery !== undefined) throw rejectConfiguration('a vault with a gallery takes no nextModel')
  const given = readFields(options.nextModel, 'nextModel', OF_MODEL, rejectConfiguration)
  const next = checkModelOptions(given as unknown as ModelOptions, options, settings.profile)
  if (next.profile.model === settings.profile.model) {
    throw rejectConfiguration('nextModel must be another model')
  }
  return { ...settings, ...next }
}

function checkModelOptions(
  { model: given, bits: asked, operatingPoints, referencePoints, adaptation }: ModelOptions,
  options: VaultOptions,
  { realm, purpose }: Pick<VaultSettings['profile'], 'realm' | 'purpose'>,
): Pick<VaultSettings, 'profile' | 'suite' | 'points' | 'referencePoints' | 'adaptation'> {
  const { id, dimensions, meanHash } = checkModel(given)
  const overcomplete = options[allowOvercomplete] === true
  const highRate = options[allowHighFalseMatchRate] === true
  const bits = asked === undefined ? defaultBits(dimensions) : checkBits(dimensions, asked, overcomplete)
  const context = { model: id, meanHash, suite: SUITE as string as TransformId, bits }
  const points = fitOperatingPoints(operatingPoints, context, highRate)
  return {
    profile: { realm, purpose, model: id, meanHash, dimensions, bits, suite: SUITE },
    suite: SUITE,
    points,
    referencePoints:
      referencePoints === undefined
        ? undefined
        : fitReferencePoints(referencePoints, points, context, highRate),
    adaptation: adaptation === undefined ? undefined : fitAdaptation(adaptation, points, context, highRate),
  }
}

function checkSettings(options: VaultOptions, realm: Realm): VaultSettings {
  const purpose = checkPurpose(options.purpose, rejectConfiguration)
  return {
    realm,
    ...checkModelOptions(options, options, { realm, purpose }),
    ...checkCustody(options.custody, realm),
    attempts: checkAttemptPolicy(options.attempts),
    erasureBoundMs: checkInteger(
      options.erasureBoundMs ?? DEFAULT_BOUND_MS,
      'erasureBoundMs',
      [1, 3653 * DAY_MS],
      rejectConfiguration,
    ),
    maxInFlight: checkInteger(options.maxInFlight ?? 1024, 'maxInFlight', [1, 100_000], rejectConfiguration),
    reveal: options[revealReason] === true,
    meter: openMeter(options.telemetry),
  }
}

/** A store that keeps anything never runs on a clock that somebody else turns. */
function chooseClock(options: VaultOptions, stores: readonly Store[]): Clock {
  const given = options[testClock]
  if (given === undefined) return systemClock
  if (stores.some((store) => store.durable)) {
    throw rejectConfiguration('a test clock is refused by a durable store')
  }
  return given
}

function checkStore(value: unknown, name: string): Store {
  const methods = ['get', 'commit', 'scan'] as const
  const store = readFields(value, name, methods, rejectConfiguration)
  for (const method of methods) checkFunction(store[method], `${name}.${method}`, rejectConfiguration)
  return value as Store
}
