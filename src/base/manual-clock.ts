/** A clock that moves when it is told to, for tests. @module */

import type { Clock } from './clock.ts'

/** Wall and steady time that stand still between calls. */
export interface ManualClock extends Clock {
  /** Moves both clocks, as time does. */
  advance(ms: number): void
  /** Moves the wall clock alone, either way, as an administrator or a time server does. */
  jump(ms: number): void
}

/** A manual clock that begins at `startMs`, integer milliseconds since 1970. */
export function manualClock(startMs: number): ManualClock {
  let wallMs = startMs
  let steadyMs = 0
  const origin = new Uint8Array(16).fill(1)
  return {
    nowMs: () => wallMs,
    steady: () => ({ origin: Uint8Array.from(origin), ms: steadyMs }),
    advance(ms: number): void {
      wallMs += ms
      steadyMs += ms
    },
    jump(ms: number): void {
      wallMs += ms
    },
  }
}
