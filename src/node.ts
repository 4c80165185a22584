/** What needs Node, or an operator: keys in a directory, embeddings in files, fsck, status. @module */

export { fileAnchor } from './audit/file-anchor.ts'
export type { Dataset, LabelledVector, ReadOptions } from './dataset/dataset.ts'
export { DatasetError, type DatasetErrorCode } from './dataset/errors.ts'
export { type DatasetFormat, type OpenDatasetOptions, openDataset } from './dataset/open.ts'
export { type DedupedRow, type DedupeOptions, dedupe } from './intake/dedupe.ts'
export { IntakeError, type IntakeErrorCode } from './intake/errors.ts'
export {
  type ImportedRow,
  type ImportOptions,
  importEmbeddings,
} from './intake/import.ts'
export { type LocalKeyOptions, type LocalKeyProvider, localKeyProvider } from './keys/local.ts'
export { destroyFormerKeys, migrateKeyring } from './keys/migrate.ts'
export type { RetentionPolicy, RetentionReason } from './policy/retention.ts'
export { type SelfSigned, selfSignedCertificate } from './quorum/https-certificate.ts'
export { type HttpsPeer, type HttpsPeerOptions, httpsPeer } from './quorum/https-client.ts'
export {
  type HolderEvent,
  type HolderServer,
  type HolderServerOptions,
  serveHolder,
} from './quorum/https-holder.ts'
export { certificatePin, type TlsIdentity, type TlsTrust } from './quorum/https-tls.ts'
export { type ProcessingRecords, processingRecords, type RecordsOptions } from './report/records.ts'
export type { RecordDocument, RecordLine, RecordSection, RecordsSettings } from './report/records-form.ts'
export { recordMarkdown } from './report/records-text.ts'
export { type AcceptAnchorOptions, acceptAnchor } from './vault/accept-anchor.ts'
export { type MarkBreachOptions, markBreach } from './vault/breach-mark.ts'
export {
  type AffectedTemplate,
  type BreachOptions,
  type BreachReport,
  breachReport,
  type Exposure,
  type Missing,
  type StolenSet,
} from './vault/breach-report.ts'
export { breachMarkdown } from './vault/breach-text.ts'
export type {
  CampaignCensus,
  CampaignName,
  CampaignOptions,
  CampaignProgress,
  CampaignReport,
  Straggler,
} from './vault/campaign.ts'
export {
  type RewrapCampaignOptions,
  type RotateCampaignOptions,
  rewrapCampaign,
  rotateCampaign,
} from './vault/campaign-rotate.ts'
export { openCaptureDesk, type VaultDesk, type VaultDeskOptions } from './vault/capture-desk.ts'
export { countPeople } from './vault/count-people.ts'
export {
  type BoundStep,
  type ErasureBoundOptions,
  type ErasureBoundReport,
  keepErasureBound,
} from './vault/erasure-bound.ts'
export {
  type ErasedEpoch,
  type ErasureStatus,
  type ErasureStatusOptions,
  erasureStatus,
} from './vault/erasure-status.ts'
export {
  type ExportSubjectOptions,
  exportSubject,
  type Held,
  type SubjectExport,
} from './vault/export-subject.ts'
export { type FsckOptions, type FsckSummary, fsck } from './vault/fsck.ts'
export type { Fault, FaultKind } from './vault/fsck-fault.ts'
export { type GalleryPartOptions, type OpenGalleryPart, openGalleryPart } from './vault/gallery-part.ts'
export {
  type AnnounceModelOptions,
  announceModel,
  type FinishModelOptions,
  finishModel,
  type ModelFinish,
  modelStatus,
  withdrawModel,
} from './vault/model-migration.ts'
export type { ModelMigration, ModelStraggler } from './vault/model-report.ts'
export type { Rest } from './vault/model-rest.ts'
export type { ModelStage } from './vault/model-window.ts'
export type { PeopleReached } from './vault/people-row.ts'
export { type Purged, type PurgeOptions, type PurgeSummary, purge } from './vault/purge.ts'
export type { RealmOptions } from './vault/realm-context.ts'
export { rewrapGrant, type WorkerPlace } from './vault/rewrap-grant.ts'
export type { RealmPlace } from './vault/rewrap-host.ts'
export {
  type EpochUse,
  type Notice,
  type NoticeKind,
  type StatusOptions,
  type VaultStatus,
  vaultStatus,
} from './vault/status.ts'
export type {
  InstantText,
  SubjectComparison,
  SubjectEvent,
  SubjectTemplate,
} from './vault/subject-history.ts'
export { subjectMarkdown } from './vault/subject-text.ts'
export { type PeopleReading, type WatchPeopleOptions, watchPeople } from './vault/watch-people.ts'
