/** The audit log: entries, tree, proofs, checkpoints, verification, anchors. Node and browsers; only signing needs WebAssembly. @module */

export type { Accepted } from './audit/accept.ts'
export type { AdvanceOptions, Anchor } from './audit/anchor.ts'
export { type AuditEvent, type WriterChain, type WriterChainOptions, writerChain } from './audit/chain.ts'
export {
  type Checkpoint,
  type LocalLogSigner,
  type LogSigner,
  logSigner,
  openCheckpoint,
  openCosignature,
  signCheckpoint,
} from './audit/checkpoint.ts'
export {
  type AuditAction,
  type AuditBasisKind,
  type AuditEntry,
  type AuditOutcome,
  decodeEntry,
  encodeEntry,
} from './audit/entry.ts'
export { AuditError, type AuditErrorCode } from './audit/errors.ts'
export { exportLog } from './audit/export.ts'
export { verifierKey } from './audit/note.ts'
export { type InclusionProof, type TreeHead, verifyConsistency, verifyInclusion } from './audit/proof.ts'
export { type EntryProof, type StoredLog, storedLog } from './audit/stored-log.ts'
export { type MerkleTree, memoryTreeHashes, openTree, type TreeHashes } from './audit/tree.ts'
export { type VerifiedLog, type VerifyLogOptions, verifyLog } from './audit/verify.ts'
export { type WitnessOptions, witnessAnchor } from './audit/witness.ts'
