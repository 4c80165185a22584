/** Nobody is named who was revoked before a search began, in any process (I-20); the full run is slow. @module */
import { galleryHistoryTests } from './gallery-history-suite.ts'

galleryHistoryTests({ operations: 2000, share: 0.2, changeMs: 30 }, 120_000)
