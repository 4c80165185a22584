/** Ten million alterations over all decoders (I-52). @module */
import { decoderTests } from './decoders-suite.ts'

decoderTests(Number(process.env['GUISE_ALTERATIONS'] ?? 10_000_000), 52_101)
