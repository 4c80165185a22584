/** What a workload gives to the kill loop and to the power cut simulator. @module */
/// <reference types="node" />

/** Says that a unit of work was acknowledged; the line reaches the parent before the call returns. */
export type Acknowledge = (token: string) => void

/** What verification found. Both lists are empty when nothing went wrong. */
export interface Verdict {
  /** Acknowledged work that is not there. */
  readonly lost: readonly string[]
  /** Work that is there in part, or that differs from what was written. */
  readonly torn: readonly string[]
}

/**
 * A workload on one directory. `run` works until it is killed or has done `rounds`, and goes on where a killed run
 * stopped. `verify` opens the directory as after a crash and closes it again.
 */
export interface Driver {
  run(directory: string, options: RunOptions, acknowledge: Acknowledge): Promise<void>
  verify(directory: string, acknowledged: readonly string[]): Promise<Verdict>
}

export interface RunOptions {
  readonly seed: number
  readonly rounds: number
  /** Acknowledge before the work is durable: the control, in which verification must find losses. */
  readonly early: boolean
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32), so that every run can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
