/** Refusal times at the count at which a hundredth is seen (I-07). @module */

import { refusalTimesSuite } from './refusal-times-suite.ts'

refusalTimesSuite(Number(process.env['GUISE_REFUSALS'] ?? 20_000), 20)
