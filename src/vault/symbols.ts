/** Dangerous options: exported symbols, so that they are greppable and never set by accident. @module */

/** Admits that the sample comes from a caller's word alone: no device, moment or liveness stands behind it. */
export const allowUnattestedCapture: unique symbol = Symbol('guise.allowUnattestedCapture')

/** Stores more bits than the embedding has dimensions, which stores practically the embedding. */
export const allowOvercomplete: unique symbol = Symbol('guise.allowOvercomplete')

/** Lets refused decisions say why, and how long to wait. Not for answers that leave the backend. */
export const revealReason: unique symbol = Symbol('guise.revealReason')

/** Accepts an operating point that does not show a false match rate of 1 in 10,000. */
export const allowHighFalseMatchRate: unique symbol = Symbol('guise.allowHighFalseMatchRate')

/** Asserts that the person has just proved a second, non-biometric factor to the caller. */
export const secondFactorConfirmed: unique symbol = Symbol('guise.secondFactorConfirmed')

/**
 * Asserts that both embeddings of one call were made from one image: no capture states that of two models.
 */
export const sameCaptureConfirmed: unique symbol = Symbol('guise.sameCaptureConfirmed')

/**
 * Opens a vault without `logSigner`: what it does is queued, and another process, which has the signer, integrates, signs and anchors
 * it. Verbs that end when they are anchored wait for that process.
 */
export const logElsewhere: unique symbol = Symbol('guise.logElsewhere')

/** For tests: replaces the clock. Refused by stores that keep anything. */
export const testClock: unique symbol = Symbol('guise.testClock')
