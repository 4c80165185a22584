/** Nothing of a face, a key or a name leaves a vault at work: ten thousand operations on each store (I-01, I-02). @module */
import { canaryTests, leakTests } from './canary-suite.ts'

const OPERATIONS = Number(process.env['GUISE_CANARY_OPERATIONS'] ?? 10_000)
const OPERATIONS_POSTGRES = Number(process.env['GUISE_CANARY_OPERATIONS_POSTGRES'] ?? 10_000)

canaryTests({ lmdb: OPERATIONS, postgres: OPERATIONS_POSTGRES, pauses: 10 }, 3_600_000)
leakTests(240_000)
