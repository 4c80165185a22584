/** What callers give to a vault and get from it (SPEC §11). @module */

import type { Anchor } from '../audit/anchor.ts'
import type { LogSigner } from '../audit/checkpoint.ts'
import type { EntryProof } from '../audit/stored-log.ts'
import type { Epoch, Generation, Millis, Realm, RecordId, SubjectId } from '../base/brand.ts'
import type { Clock } from '../base/clock.ts'
import type { CallOptions, GuiseError } from '../base/errors.ts'
import type { AttestedCapture } from '../capture/attested.ts'
import type { Embedding } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import type { GalleryOptions } from '../gallery/declaration.ts'
import type { Keyring } from '../keys/keyring.ts'
import type { AdaptationOptions } from '../policy/adaptation.ts'
import type { AttemptPolicy } from '../policy/attempts.ts'
import type { Basis } from '../policy/basis.ts'
import type { Bits, OperatingPoint } from '../policy/operating-point.ts'
import type { State } from '../policy/states.ts'
import type { Quorum } from '../quorum/client.ts'
import type { Store } from '../store/store.ts'
import type { PeopleReached } from './people-row.ts'
import type {
  allowHighFalseMatchRate,
  allowOvercomplete,
  allowUnattestedCapture,
  logElsewhere,
  revealReason,
  sameCaptureConfirmed,
  secondFactorConfirmed,
  testClock,
} from './symbols.ts'
import type { Telemetry } from './telemetry.ts'

/** Who must take part before a template can be compared: the vault alone, or also share holders, the person's device, or both. */
export type Custody =
  | { readonly profile: 'operator' | 'holder' }
  | {
      readonly profile: 'quorum' | 'quorum+holder'
      /** `quorumOf` of `guise/quorum`. */
      readonly quorum: Quorum
      /** Of the quorum, for new templates. Default: the newest that is pinned. */
      readonly epoch?: number
    }

/** Configuration of a vault; everything that decides security is stated, nothing is guessed. */
export interface VaultOptions extends CallOptions {
  readonly keyring: Keyring
  /** Sealed codes, states and attempts; must be the store that holds the keyring. Never closed by the vault. */
  readonly store: Store
  /** Wrapped record secrets; a second store under other hands. Default: the same store, another table. */
  readonly secrets?: Store
  readonly model: Model
  /** What templates of this vault may be used for; in the key derivation and the associated data of each. */
  readonly purpose: string
  readonly operatingPoints: readonly OperatingPoint[]
  readonly custody: Custody
  readonly attempts?: Partial<AttemptPolicy>
  /** Signs the checkpoints of the realm's log. Left out only with `logElsewhere`. */
  readonly logSigner?: LogSigner
  /** Keeps the newest checkpoint outside the store; without one `rollbackProtection` is false. */
  readonly anchor?: Anchor
  readonly [logElsewhere]?: true
  /** Calls under way above which new ones reject with `ERR_VAULT_OVERLOADED`, 1 to 100,000. Default 1,024. */
  readonly maxInFlight?: number
  /** Stored bits per template. Default: the largest allowed value ≤ min(dimensions, 512). */
  readonly bits?: Bits
  /** Declares the realm's gallery: then `identify` and unique enrolments search it. Custody `operator` only. */
  readonly gallery?: GalleryOptions
  /** How long the realm takes at most to destroy an epoch after an erasure, in milliseconds. Default 30 days. */
  readonly erasureBoundMs?: number
  /** Told how calls end and how long they take, never of whom. Default: nobody. */
  readonly telemetry?: Telemetry
  /**
   * For each probe class that may have references of its own: the point of comparisons of such probes with such references. It is another than
   * that of the class's probes with plain references: two masked strangers are more alike than a masked and a plain one. Default: none.
   */
  readonly referencePoints?: readonly OperatingPoint[]
  /** When `adapt` may replace a template. Default: never. */
  readonly adaptation?: AdaptationOptions
  /** The model that the realm migrates to, as it was announced; not beside a gallery. */
  readonly nextModel?: NextModel
  readonly [allowOvercomplete]?: true
  readonly [allowHighFalseMatchRate]?: true
  readonly [revealReason]?: true
  readonly [testClock]?: Clock
}

/** A second model of a vault, while a realm migrates to it. */
export type NextModel = Pick<
  VaultOptions,
  'model' | 'bits' | 'operatingPoints' | 'referencePoints' | 'adaptation'
>

/** A sample without evidence of where it came from; wiped by the verb that takes it. */
export interface UnattestedSample {
  readonly embedding: Embedding
  readonly capture?: never
  readonly [allowUnattestedCapture]: true
  /** Which operating point applies. Default `any`. */
  readonly probeClass?: string
}

/**
 * A capture that a desk of `guise/capture` accepted, of this realm, model, purpose and subject, or for a search. It enters one verb, within a
 * minute, and is wiped by it. Its policy says which operating point applies.
 */
export interface AttestedSample {
  readonly capture: AttestedCapture
  readonly embedding?: never
  readonly probeClass?: never
  readonly [allowUnattestedCapture]?: never
}
export type SampleInput = UnattestedSample | AttestedSample

/** What a device needs to derive its share of one template. */
export interface ShareContext {
  readonly realm: Realm
  readonly record: RecordId
  /** 20 bytes. */
  readonly generation: Uint8Array
}
/** Asks the person's device for its share: 32 bytes, wiped by the vault after use. */
export type ShareSource = (context: ShareContext) => Promise<Uint8Array>

/** Several samples of one person are fused before the transform. */
export type EnrollRequest = SampleInput & {
  readonly subject: string
  readonly basis: Basis
  readonly more?: readonly SampleInput[]
  /** Required under custody `holder` and `quorum+holder`, refused otherwise. */
  readonly holderShare?: ShareSource
  /** Enrols without activating: nothing matches before `activate`. */
  readonly pending?: true
  /**
   * Searches the gallery first: `true` refuses whoever resembles a member (`ERR_GALLERY_DUPLICATE`), `'flag'` enrols and names
   * those members. No two concurrent enrolments of one face can both pass.
   */
  readonly unique?: true | 'flag'
  /**
   * Up to four further references, each of another probe class, from samples that whoever enrols vouches for. They follow in batches of
   * their own: a retry with the same `operationId` adds what is missing.
   */
  readonly references?: readonly ReferenceSample[]
}
export type ReissueRequest = SampleInput & Pick<EnrollRequest, 'subject' | 'basis' | 'more' | 'holderShare'>
/** `limit`: the most candidates wanted, 1 to 32. */
export type IdentifyRequest = SampleInput & { readonly limit: number } & Partial<SecondFactor>
export type VerifyRequest = SampleInput & {
  readonly subject: string
  readonly holderShare?: ShareSource
  /** The same capture under the vault's other model: whichever is of the template's model is compared. */
  readonly also?: SampleInput
} & Partial<SecondFactor>
/** `also`: asks for a move to the vault's next model; without it the template is made anew from the very probe that is compared. */
export type AdaptRequest = VerifyRequest &
  SecondFactor & {
    /** Required with `also`. */
    readonly [sameCaptureConfirmed]?: true
  }

/** A template that exists now. */
export interface Enrolled {
  readonly record: RecordId
  /** The subject's pseudonym in this realm. */
  readonly subject: SubjectId
  readonly epoch: Epoch
  readonly generation: Generation
  /** Of an enrolment that asked to be flagged: members that it resembles, the most alike first. */
  readonly duplicates?: readonly Candidate[]
}

/** Somebody whom a search found and whose own template accepted the probe. */
export interface Candidate {
  /** From 1, the most alike first. */
  readonly rank: number
  readonly record: RecordId
  readonly subject: SubjectId
  /** True when code and key of this person were once stolen together: demand a second factor. */
  readonly exposed: boolean
}

/** The answer to a search. Never a score. */
export type IdentifyDecision =
  | { readonly outcome: 'candidates'; readonly candidates: readonly [Candidate, ...Candidate[]] }
  | { readonly outcome: 'none' }
  /** A capture was like somebody's template as no two captures are: nobody is named before a second factor was shown. */
  | { readonly outcome: 'second-factor' }
  | {
      readonly outcome: 'refused'
      /** `gallery-too-large`: it has more members than the identification point was measured with. */
      readonly reason: 'gallery-too-large' | 'throttled'
      /** Only with `throttled`. */
      readonly retryAfterMs?: number
    }

/** How far an index is loaded. */
export interface GalleryLoad {
  readonly shards: number
  /** Shards that the gallery has. */
  readonly of: number
  readonly members: number
}

/** An index in step with the store. */
export interface LoadedGallery extends GalleryLoad {
  /** Members whose rows cannot be read: `fsck` names them. */
  readonly unreadable: number
}

export interface LoadGalleryOptions extends CallOptions {
  /** Told now and then how far it is. */
  readonly onProgress?: (loaded: GalleryLoad) => void
}

export type RefusalReason =
  | 'unknown-subject'
  | 'pending'
  | 'revoked'
  | 'suspended'
  | 'held'
  | 'expired'
  | 'erased'
  | 'throttled'
  | 'locked'
  /** Under custody with a holder: the device gave no share, or one that does not open the template. */
  | 'holder-share'
  /** Of two models the probe was of the one that the template is not of; or the model has ended. */
  | 'model'

export type RevocationReason = 'breach' | 'lost-device' | 'withdrawn' | 'fraud' | 'superseded' | 'other'

/** The answer to a probe. Never a score. */
export type VerifyDecision =
  | {
      readonly outcome: 'match'
      readonly record: RecordId
      readonly subject: SubjectId
      readonly epoch: Epoch
      /** True when code and key of this person were once stolen together: demand a second factor. */
      readonly exposed: boolean
    }
  | { readonly outcome: 'nonmatch' }
  /**
   * The capture was like the template as no two captures are, as a recording is: no match before a second factor was shown. Counts as a
   * failure. Ask for another capture, and verify it with `[secondFactorConfirmed]: true`.
   */
  | { readonly outcome: 'second-factor' }
  | {
      readonly outcome: 'refused'
      /** Only when the vault was opened with `revealReason`. */
      readonly reason?: RefusalReason
      /** Only with a reason of `throttled`. */
      readonly retryAfterMs?: number
    }

/**
 * Why a template was kept that a probe matched: the probe was not accepted at the stricter point, or there is none for its class; too soon
 * after the last adaptation; too many in a row; another model is asked for than the realm lets templates have now, or the template is of it
 * already; the subject is exposed; it was compared with a further reference, which `addReference` makes anew once it was removed.
 */
export type KeptReason = 'point' | 'interval' | 'limit' | 'model' | 'exposed' | 'class'

/** The answer to a probe that may replace the template it matches. */
export type AdaptDecision =
  | Exclude<VerifyDecision, { outcome: 'match' }>
  | (Extract<VerifyDecision, { outcome: 'match' }> &
      (
        | { readonly adapted: Enrolled; readonly kept?: never }
        | { readonly kept: KeptReason; readonly adapted?: never }
      ))

/** A sample that becomes a further reference: those of a capture's class, or of the class that the caller names. Not of `any`. */
export type ReferenceSample = SampleInput & { readonly more?: readonly SampleInput[] }

/** The sample is compared, and becomes the reference of its class. Under custody with a holder the subject must have one device. */
export type AddReferenceRequest = ReferenceSample &
  SecondFactor &
  Pick<EnrollRequest, 'subject' | 'holderShare'>

export interface RemoveReferenceRequest {
  readonly subject: string
  /** As `describe` names it. */
  readonly probeClass: string
}

/** A further reference of a subject. */
export interface FurtherReferenceAdded {
  readonly probeClass: string
  /** Names the reference; of the subject, `record` stays what it is. */
  readonly record: RecordId
}

/** The answer to a sample that may become a further reference. `kept`: it matched, and nothing was added. */
export type AddReferenceDecision =
  | Exclude<VerifyDecision, { outcome: 'match' }>
  | (Extract<VerifyDecision, { outcome: 'match' }> &
      (
        | { readonly added: FurtherReferenceAdded; readonly kept?: never }
        | { readonly kept: 'exposed' | 'point'; readonly added?: never }
      ))

/** One result of a bulk call; `index` counts the inputs from 0. */
export type BulkResult<Ok> =
  | { readonly ok: true; readonly index: number; readonly value: Ok }
  | { readonly ok: false; readonly index: number; readonly error: GuiseError }

/** What a vault knows of a subject: never biometrics. */
export interface SubjectDescription {
  readonly subject: SubjectId
  readonly record: RecordId
  readonly state: State
  readonly generation: Generation
  readonly custody: Custody['profile']
  readonly exposed: boolean
  readonly model: string
  readonly bits: number
  readonly basis: Basis
  /** Identifiers of the devices that hold a share. */
  readonly devices: readonly string[]
  /** Classes of probes that have a reference of their own. */
  readonly references: readonly string[]
  readonly changedAt: Millis
}

export interface VaultHealth {
  readonly ok: boolean
  /** The store answers a linearizable read. */
  readonly store: boolean
  /** The provider opens the primary epoch. */
  readonly keyring: boolean
  readonly inFlight: number
  /** Notes of work that a crash left between two stores, and ended generations of which fewer holders than needed know. */
  readonly unfinished: number
  /** False once the log was found altered: then nothing is answered any more. */
  readonly log: boolean
  /** Log entries that wait to be integrated. */
  readonly queued: number
  /** Log entries that no anchor knows of, as far as this process knows: what a rollback of the whole store could undo unnoticed. */
  readonly unanchored: number
  /** Numbers of live persons that `watchPeople` of `guise/node` told of; `undefined` when that cannot be read. */
  readonly people: readonly PeopleReached[] | undefined
}

/** When the erased data cannot be recovered from any copy. */
export type Irrecoverable =
  | { readonly at: Millis }
  /** The realm's promise; or, when every key is destroyed but for a provider's waiting time, the end of that. */
  | { readonly by: Millis }
  /** The provider cannot destroy keys: copies in backups stay recoverable for whoever holds it. */
  | 'never'

export interface ErasureReceipt {
  readonly record: RecordId
  /** The commit that removed code, wraps, attempts and the mapping from the external identifier. */
  readonly unreachableAt: Millis
  readonly irrecoverable: Irrecoverable
  /** The signed statement (SPEC §11.3) and its Ed25519 signature under the realm's receipt key. */
  readonly statement: Uint8Array
  readonly signature: Uint8Array
  /** The log's entry of the erasure and the proof of it, in the answer to the erasure itself. */
  readonly audit?: EntryProof
}

/** A second factor, asserted at the call site. */
export interface SecondFactor {
  readonly [secondFactorConfirmed]: true
}

export type AddDeviceRequest = SecondFactor & {
  readonly subject: string
  /** A share that opens the template now. */
  readonly holderShare: ShareSource
  /** The new device's share. */
  readonly newShare: ShareSource
}
export type RemoveDeviceRequest = SecondFactor & {
  readonly subject: string
  readonly holderShare: ShareSource
  /** As `describe` and `addDevice` name it. */
  readonly device: string
}

export interface RotateOptions extends CallOptions {
  /** Yields what would be re-wrapped and writes nothing. */
  readonly dryRun?: true
  /** Told after each page how many wraps have been seen. */
  readonly onProgress?: (seen: number) => void
}
