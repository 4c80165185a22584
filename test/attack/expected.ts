/** The one table of what each attack of the suite is expected to give, how near, and why that number (SPEC §15.7). @module */

import { GUESSED } from './expected-guesses.ts'
import { KEYS } from './expected-keys.ts'
import { STOLEN } from './expected-stolen.ts'

/** Where the expected value comes from. No synthetic value says anything of real faces. */
export type Source = 'derived' | 'synthetic' | 'definition'

/** What is asked of a measured value: near the expected one, or on one side of it, tolerance included. */
export type Side = 'near' | 'at most' | 'at least'

/** Name of the figure, expected value, tolerance, and the side when it is not `near`. */
export type Row = readonly [figure: string, expected: number, tolerance: number, side?: Side]

/** Figures of one scenario that have one reason. */
export interface Group {
  /** Key of the scenario in suite/scenarios.ts. */
  readonly scenario: string
  readonly source: Source
  readonly why: string
  readonly rows: readonly Row[]
  /** True: only the slow tier measures them. */
  readonly slow?: true
}

export const EXPECTED: readonly Group[] = [...STOLEN, ...KEYS, ...GUESSED]

/** Who holds an attack: scenarios of the table, files of tests, or nobody. */
export interface Holder {
  readonly scenario: string
  /** Keys of scenarios; figures stand in the table. */
  readonly figures: readonly string[]
  /** Files below test/ whose tests hold it. */
  readonly tests: readonly string[]
  /** Why nothing holds it. */
  readonly missing?: string
}

const NOT_BUILT = 'not built: this version has no such part'

export const HOLDERS: Readonly<Record<string, Holder>> = {
  B01: held('stolen rows, no key', ['withoutKeys'], ['attack/detectors.test.ts']),
  B02: held('code and key, no prior', ['linear'], ['attack/detectors.test.ts']),
  B03: held('code and key, prior of the population', ['accepted']),
  B04: held('who accepts a preimage', ['accepted']),
  B05: held('accuracy with the right key and with a wrong one', ['accuracy']),
  B06: held('two codes and both keys', ['linkedByKeys']),
  B07: held('several old codes with their keys', ['accumulated']),
  B08: held('one key, known pairs, no structure', ['sharedKey']),
  B09: held(
    'one key, known pairs, structure',
    ['structure', 'halvesOfColumns', 'exactMatrix'],
    ['attack/detectors.test.ts'],
  ),
  B10: held('many codes, no pairs', ['unsupervised'], ['attack/detectors.test.ts']),
  B11: held('a shard, all members but one known', [], ['attack/shard.test.ts', 'attack/shard.slow.test.ts']),
  B12: held('the cosine is told', ['cosineOracle'], ['attack/detectors.test.ts', 'spec/compare.test.ts']),
  B13: held('a score is told', ['scoreOracle'], ['spec/compare.test.ts', 'attack/log-canaries.test.ts']),
  B14: held('decisions only', ['decisions', 'limited'], ['spec/policy.test.ts']),
  B15: held('a dictionary with keys, by custody', ['dictionary', 'custody']),
  B16: held('untargeted guesses', ['dictionary']),
  B17: held('one ciphertext, two keys', [], ['attack/two-keys.test.ts']),
  B18: held(
    'rows spliced, moved and put back',
    [],
    [
      'attack/tamper.test.ts',
      'attack/tamper.slow.test.ts',
      'attack/binding.test.ts',
      'attack/rollback.test.ts',
      'attack/rollback.slow.test.ts',
      'attack/rollback-limits.test.ts',
      'attack/tenants.test.ts',
    ],
  ),
  B19: held(
    'all of the vault and t − 1 shares; a holder that lies; a request that no log shows',
    [],
    [
      'attack/quorum-shares.test.ts',
      'attack/quorum.test.ts',
      'attack/quorum-times.slow.test.ts',
      'spec/quorum-shares.test.ts',
    ],
  ),
  B20: { ...held('a malicious blind matcher', []), missing: NOT_BUILT },
  B21: held(
    'captures replayed, injected, passed on or unsigned',
    [],
    ['attack/replay.test.ts', 'attack/capture.test.ts', 'attack/capture.slow.test.ts'],
  ),
  B22: held('log: omission, fork, edit', [], ['attack/audit.test.ts', 'attack/audit.slow.test.ts']),
  B23: held(
    'material kept over an erasure',
    [],
    ['attack/canaries.test.ts', 'attack/rollback.test.ts', 'attack/review-erase.test.ts'],
  ),
  B24: held(
    'estimators on data whose answer is known',
    [],
    ['spec/evaluate.test.ts', 'attack/shard.test.ts'],
  ),
  B25: held('wolves', ['dictionary']),
}

function held(scenario: string, figures: readonly string[], tests: readonly string[] = []): Holder {
  return { scenario, figures, tests }
}

/** One expectation, with what stands around it. */
export interface Expectation {
  readonly expected: number
  readonly tolerance: number
  readonly side: Side
  readonly source: Source
  readonly why: string
  readonly slow: boolean
}

/** The expectation of a figure, by scenario and name. */
export function expectationOf(scenario: string, figure: string): Expectation | undefined {
  for (const { scenario: owner, source, why, rows, slow = false } of EXPECTED) {
    if (owner !== scenario) continue
    const found = rows.find(([name]) => name === figure)
    if (found === undefined) continue
    const [, expected, tolerance, side = 'near'] = found
    return { expected, tolerance, side, source, why, slow }
  }
  return undefined
}

export function holds({ expected, tolerance, side }: Expectation, value: number): boolean {
  if (side === 'at most') return value <= expected + tolerance
  if (side === 'at least') return value >= expected - tolerance
  return Math.abs(value - expected) <= tolerance
}
