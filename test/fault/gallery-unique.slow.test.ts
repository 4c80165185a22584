/** Eight processes that enrol 200 faces at once, fifty times, on LMDB, and fewer on PostgreSQL (GALLERY-19). @module */
import { uniqueTests } from './gallery-unique-suite.ts'

const ROUNDS = Number(process.env['GUISE_UNIQUE_ROUNDS'] ?? 50)
const ROUNDS_POSTGRES = Number(process.env['GUISE_UNIQUE_ROUNDS_POSTGRES'] ?? 5)

uniqueTests(
  {
    lmdb: { processes: 8, faces: 200, rounds: ROUNDS },
    postgres: { processes: 8, faces: 200, rounds: ROUNDS_POSTGRES },
    control: { processes: 8, faces: 200, rounds: 1 },
  },
  7_200_000,
)
