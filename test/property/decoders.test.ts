/** A hundred thousand alterations over all decoders; the full number is slow (I-52). @module */
import { decoderTests } from './decoders-suite.ts'

decoderTests(Number(process.env['GUISE_ALTERATIONS_SMOKE'] ?? 100_000), 52_001)
