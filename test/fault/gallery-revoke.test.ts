/** Revocations beside enrolments into the same shards (GALLERY-8); the full run is slow. @module */
import { revokeTests } from './gallery-revoke-suite.ts'

revokeTests({ processes: 2, inFlight: 16, revocations: 30 }, 120_000)
