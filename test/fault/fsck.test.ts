/** Fsck on altered files, a few (I-48). @module */

import { fsckSuite } from './fsck-suite.ts'

fsckSuite(50, 1)
