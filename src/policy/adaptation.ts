/** Adaptation: how strict the comparison is behind which a template may be replaced, and how often (SPEC §12.8). @module */

import { checkInteger } from '../base/check.ts'
import { PolicyError } from './errors.ts'
import { readFields } from './fields.ts'
import { fitOperatingPoints, type OperatingContext, type OperatingPoint } from './operating-point.ts'

/** When a comparison may replace the template that it was made with. */
export interface AdaptationOptions {
  /**
   * For each probe class that may: the same model, mean, suite and bits as the vault's, a higher threshold, and at most a tenth of the false
   * match rate, over as many comparisons as show that.
   */
  readonly operatingPoints: readonly OperatingPoint[]
  /** Adaptations of one subject in a row, 1 to 10; then only a reissue helps. Default 3. */
  readonly mostInARow?: number
  /** Least time between two adaptations to newer captures of the same model, an hour to ten years in milliseconds. Default 30 days. */
  readonly leastIntervalMs?: number
}

/** Checked rules. */
export interface AdaptationPolicy {
  readonly points: ReadonlyMap<string, OperatingPoint>
  readonly mostInARow: number
  readonly leastIntervalMs: number
}

/** How much stricter an adaptation is than a verify. */
const TIMES_STRICTER = 10
const DAY_MS = 86_400_000
const FIELDS = ['operatingPoints', 'mostInARow', 'leastIntervalMs'] as const

/** A checked copy. Throws `ERR_POLICY_ADAPTATION`, and `ERR_POLICY_OPERATING_POINT` for points that do not fit `context`. */
export function fitAdaptation(
  value: unknown,
  verify: ReadonlyMap<string, OperatingPoint>,
  context: OperatingContext,
  allowHighRate: boolean,
): AdaptationPolicy {
  const given = readFields(value, 'adaptation', FIELDS, refuse)
  const points = fitOperatingPoints(given.operatingPoints, context, allowHighRate)
  for (const point of points.values()) {
    const base = verify.get(point.probeClass)
    if (base === undefined) throw refuse('an adaptation point is of a probe class that no verify has')
    if (!isStricter(point, base))
      throw refuse('an adaptation point is not ten times stricter than the verify')
  }
  const { mostInARow = 3, leastIntervalMs = 30 * DAY_MS } = given
  return Object.freeze({
    points,
    mostInARow: checkInteger(mostInARow, 'adaptation.mostInARow', [1, 10], refuse),
    leastIntervalMs: checkInteger(
      leastIntervalMs,
      'adaptation.leastIntervalMs',
      [3_600_000, 3653 * DAY_MS],
      refuse,
    ),
  })
}

function isStricter(point: OperatingPoint, base: OperatingPoint): boolean {
  return point.threshold > base.threshold && shownRate(point) * TIMES_STRICTER <= shownRate(base)
}

/** No rate below 3 ÷ trials is shown by the trials (rule of three). */
function shownRate({ falseMatchRate: { value, trials } }: OperatingPoint): number {
  return Math.max(value, 3 / trials)
}

function refuse(why: string): PolicyError {
  return new PolicyError('ERR_POLICY_ADAPTATION', why)
}
