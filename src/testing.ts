/** For tests of what is built on guise: stores and histories to check, clocks to turn, faults to plan, people who do not exist. @module */

export { type ManualClock, manualClock } from './base/manual-clock.ts'
export { type SyntheticOptions, syntheticPeople } from './dataset/synthetic.ts'
export { memoryKeyProvider, type ProviderPlan } from './keys/memory-provider.ts'
export { type ConformanceCheck, type ConformanceOptions, storeConformance } from './store/conformance.ts'
export { failingStore, type StoreFault } from './store/failing.ts'
export {
  checkRevocationHistory,
  type RevocationEvent,
  type RevocationReport,
  type RevocationViolation,
} from './store/revocation-history.ts'
export { testClock } from './vault/symbols.ts'
