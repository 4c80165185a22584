/** Revocations beside enrolments of eight processes into the same shards (GALLERY-8). @module */
import { revokeTests } from './gallery-revoke-suite.ts'

const REVOCATIONS = Number(process.env['GUISE_GALLERY_REVOKED'] ?? 1000)

revokeTests({ processes: 8, inFlight: 16, revocations: REVOCATIONS }, 7_200_000)
