/** Processes that enrol the same faces at once: one record a face (GALLERY-19); the full run is slow. @module */
import { uniqueTests } from './gallery-unique-suite.ts'

uniqueTests(
  {
    lmdb: { processes: 4, faces: 20, rounds: 1 },
    postgres: { processes: 2, faces: 10, rounds: 1 },
    control: { processes: 4, faces: 20, rounds: 1 },
  },
  120_000,
)
