/** Every manipulation of every entry of a log of 1,000, and of every bit of 20 entries. @module */
import { auditAttacks } from './audit.ts'

auditAttacks(1)
