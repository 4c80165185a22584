/** Share holders: a key in n parts, any t of which open a template, and none without a receipt from the log. Node and browsers. @module */

export type { HolderAcceptance, HolderAccepted } from './quorum/acceptance.ts'
export type { QuorumBudgets } from './quorum/budgets.ts'
export {
  type ConsistencySource,
  type Quorum,
  type QuorumMember,
  type QuorumOptions,
  type QuorumOutput,
  type QuorumQuestion,
  quorumOf,
} from './quorum/client.ts'
export { QuorumError, type QuorumErrorCode, type QuorumFault } from './quorum/errors.ts'
export {
  type QuorumHolder,
  type QuorumHolderOptions,
  type QuorumPeer,
  quorumHolder,
} from './quorum/holder.ts'
export { QuorumKey, type QuorumSize, readQuorumKey } from './quorum/key.ts'
export type { HolderMemory } from './quorum/memory.ts'
export { type QuorumRefresh, refreshQuorum } from './quorum/refresh.ts'
export { finishRepair, helpRepair, type QuorumRepair, type RepairPlan } from './quorum/repair.ts'
export {
  type DealtQuorum,
  dealQuorum,
  joinQuorum,
  type QuorumCeremony,
  type QuorumPlan,
} from './quorum/setup.ts'
export { QuorumShare, readQuorumShare } from './quorum/share.ts'
