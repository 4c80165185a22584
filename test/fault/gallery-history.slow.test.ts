/** A million verifies, searches, revocations, suspensions and reissues of four processes (I-20). @module */
import { galleryHistoryTests } from './gallery-history-suite.ts'

const OPERATIONS = Number(process.env['GUISE_GALLERY_OPERATIONS'] ?? 1_000_000)

galleryHistoryTests({ operations: OPERATIONS, share: 0.1, changeMs: 100 }, 7_200_000)
