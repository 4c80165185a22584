/** Nothing succeeds that the log does not tell of, at length. @module */
import { vaultLogTests } from './vault-log-suite.ts'

vaultLogTests({ injections: 512, kills: [60, 5], entriesEach: 1000 }, 7_200_000)
