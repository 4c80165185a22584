/** A keyring that moves, killed at a few of its requests; all of them in the slow tier. @module */
import { migrationKills } from './keys-migrate-suite.ts'

migrationKills({ migrate: [7, 16], destroy: [1, 6] })
