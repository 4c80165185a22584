/** How much a holder answers (SPEC §13.5). @module */

/** How many answers a holder gives (QUORUM-11). There is no default: it decides how much an insider may open. */
export interface QuorumBudgets {
  /** Of one generation in an hour. */
  readonly recordPerHour: number
  /** Of one generation in its life. */
  readonly recordTotal: number
  /** Of the holder in an hour. */
  readonly allPerHour: number
}
