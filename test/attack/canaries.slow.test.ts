/** Nothing of a face, a key or a name leaves a vault at work: ten thousand operations on each store (I-01, I-02). @module */
import { canaryTests, leakTests } from './canary-suite.ts'

const OPERATIONS = Number(process.env['GUISE_CANARY_OPERATIONS'] ?? 10_000)

canaryTests({ lmdb: OPERATIONS, postgres: OPERATIONS, pauses: 10 }, 3_600_000)
leakTests(240_000)
