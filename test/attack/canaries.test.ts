/** Nothing of a face, a key or a name leaves a vault at work (I-01, I-02); the full run is slow. Linux only. @module */
import { canaryTests } from './canary-suite.ts'

canaryTests({ lmdb: 200, postgres: 100, pauses: 1 }, 240_000)
