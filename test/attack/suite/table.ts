/** Measured figures beside the expected ones (SPEC §15.7). @module */

import { type Expectation, expectationOf, HOLDERS, holds } from '../expected.ts'
import type { Circumstances, Figure } from './measure.ts'
import { SCENARIOS } from './scenarios.ts'

export interface Line extends Figure {
  readonly scenario: string
  /** `undefined`: the table says nothing of this figure. */
  readonly expectation: Expectation | undefined
  readonly holds: boolean | undefined
}

/** Runs one scenario and puts its figures beside the table. */
export async function linesOf(scenario: string, circumstances: Circumstances): Promise<readonly Line[]> {
  const found = SCENARIOS[scenario]
  if (found === undefined) throw new RangeError(`no scenario ${scenario}`)
  const figures = await found.run(circumstances)
  return figures.map((figure) => {
    const expectation = expectationOf(scenario, figure.name)
    return {
      ...figure,
      scenario,
      expectation,
      holds: expectation === undefined ? undefined : holds(expectation, figure.value),
    }
  })
}

/** A line a figure: value with its interval and number of trials, then what was expected. */
export function textOf({ name, value, low, high, n, expectation, holds: held }: Line): string {
  const interval = Number.isNaN(low) ? '' : ` [${low.toFixed(3)}, ${high.toFixed(3)}]`
  const measured = `${name.padEnd(64)} ${value.toFixed(4)}${interval}, n = ${n}`
  if (expectation === undefined) return measured
  const { expected, tolerance, side, source } = expectation
  const bound = side === 'near' ? `${expected} ± ${tolerance}` : `${side} ${expected} ± ${tolerance}`
  return `${measured}; expected ${bound} (${source}): ${held === true ? 'holds' : 'MISSED'}`
}

/** Who holds each attack, one line each. */
export function holdersText(): string {
  return Object.entries(HOLDERS)
    .map(([attack, { scenario, figures, tests, missing }]) => {
      const by = missing ?? [...figures.map((key) => `figures of ${key}`), ...tests].join(', ')
      return `${attack} ${scenario}: ${by}`
    })
    .join('\n')
}
