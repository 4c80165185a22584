/** The everyday door of guise. @module */

export type { AdvanceOptions, Anchor } from './audit/anchor.ts'
export { type Checkpoint, type LocalLogSigner, type LogSigner, logSigner } from './audit/checkpoint.ts'
export { AuditError } from './audit/errors.ts'
export type {
  Epoch,
  Generation,
  Millis,
  ModelId,
  Realm,
  RecordId,
  SubjectId,
  TransformId,
} from './base/brand.ts'
export { type CallOptions, GuiseError } from './base/errors.ts'
export { CompareError } from './compare/errors.ts'
export { CryptoError } from './crypto/errors.ts'
export { type Embedding, embedding } from './embedding/embedding.ts'
export { EmbeddingError } from './embedding/errors.ts'
export type { VectorInput } from './embedding/input.ts'
export type { Model } from './embedding/model.ts'
export type { GalleryOptions } from './gallery/declaration.ts'
export { GalleryError } from './gallery/errors.ts'
export type { IdentificationPoint } from './gallery/identification-point.ts'
export type { GalleryPart, PartPlace } from './gallery/part-place.ts'
export type { CacheOptions } from './keys/cache.ts'
export { KeysError } from './keys/errors.ts'
export {
  createKeyring,
  type EpochInfo,
  type Keyring,
  type KeyringOptions,
  openKeyring,
} from './keys/keyring.ts'
export type { KeyProvider } from './keys/provider.ts'
export type { EpochStatus } from './keys/transition.ts'
export type { AdaptationOptions } from './policy/adaptation.ts'
export type { AttemptPolicy } from './policy/attempts.ts'
export type { Basis, BasisKind } from './policy/basis.ts'
export { PolicyError } from './policy/errors.ts'
export type { Bits, OperatingPoint, Rate } from './policy/operating-point.ts'
export type { State } from './policy/states.ts'
export { RecordError } from './record/errors.ts'
export { SealError } from './seal/errors.ts'
export { StoreError } from './store/errors.ts'
export { memoryStore } from './store/memory.ts'
export type { Store, StoredRow, StoreStep, Table } from './store/store.ts'
export { TemplateError } from './template/errors.ts'
export { TransformError } from './transform/errors.ts'
export { type ErasureStatement, verifyErasureReceipt } from './vault/erasure-receipt.ts'
export { VaultError } from './vault/errors.ts'
export { expectMatch } from './vault/expect-match.ts'
export type { ScoreHistogram } from './vault/histogram.ts'
export { openVault } from './vault/open.ts'
export type { PeopleReached } from './vault/people-row.ts'
export {
  allowHighFalseMatchRate,
  allowOvercomplete,
  allowUnattestedCapture,
  logElsewhere,
  revealReason,
  sameCaptureConfirmed,
  secondFactorConfirmed,
} from './vault/symbols.ts'
export type { Telemetry, TelemetryAttributes } from './vault/telemetry.ts'
export type {
  AdaptDecision,
  AdaptRequest,
  AddDeviceRequest,
  AddReferenceDecision,
  AddReferenceRequest,
  AttestedSample,
  BulkResult,
  Candidate,
  Custody,
  Enrolled,
  EnrollRequest,
  ErasureReceipt,
  FurtherReferenceAdded,
  GalleryLoad,
  IdentifyDecision,
  IdentifyRequest,
  Irrecoverable,
  KeptReason,
  LoadedGallery,
  LoadGalleryOptions,
  NextModel,
  ReferenceSample,
  RefusalReason,
  ReissueRequest,
  RemoveDeviceRequest,
  RemoveReferenceRequest,
  RevocationReason,
  RotateOptions,
  SampleInput,
  SecondFactor,
  ShareContext,
  ShareSource,
  SubjectDescription,
  UnattestedSample,
  VaultHealth,
  VaultOptions,
  VerifyDecision,
  VerifyRequest,
} from './vault/types.ts'
export type { Vault } from './vault/vault.ts'
