/** Fsck on altered files at full count (I-48). @module */

import { fsckSuite } from './fsck-suite.ts'

fsckSuite(Number(process.env['GUISE_FSCK_ALTERATIONS'] ?? 1000), 100)
