/** A keyring that moves, killed at each of its requests. @module */
import { migrationKills } from './keys-migrate-suite.ts'

const each = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)

// To destroy: the proof is shown, and shown again; then each request of a call that asks for eight at least.
migrationKills({ migrate: each(16), destroy: [1, 2, ...each(8)] })
