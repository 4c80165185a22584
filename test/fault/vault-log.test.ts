/** Nothing succeeds that the log does not tell of; the full run is slow. @module */
import { vaultLogTests } from './vault-log-suite.ts'

vaultLogTests({ injections: 32, kills: [8, 1], entriesEach: 25 }, 240_000)
