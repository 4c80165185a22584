/** Old copies of a store and old rows, a thousand of each. @module */
import { rollbackTests } from './rollback-suite.ts'

rollbackTests({ stores: 1000, dumps: 100, rows: 1000, backups: 34 }, 7_200_000)
