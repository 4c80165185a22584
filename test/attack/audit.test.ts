/** A part of the manipulations of a log; the slow tests try them all. @module */
import { auditAttacks } from './audit.ts'

// A prime, so that every kind of byte and every bit of a byte comes up.
auditAttacks(37)
