/** Old copies of a store and old rows are refused; the full run is slow. @module */
import { rollbackTests } from './rollback-suite.ts'

rollbackTests({ stores: 60, dumps: 12, rows: 100, backups: 4 }, 120_000)
