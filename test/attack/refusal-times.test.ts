/** Refusal times, few of them: a great difference would be seen (I-07). @module */

import { refusalTimesSuite } from './refusal-times-suite.ts'

refusalTimesSuite(200, 5000)
