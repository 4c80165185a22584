/** At which numbers of people somebody has to be told (SPEC §12.5). @module */

import { checkInteger } from '../base/check.ts'
import { readList } from '../policy/fields.ts'
import { rejectConfiguration } from './errors.ts'
import { MOST_PEOPLE } from './people-row.ts'

/** China's Order 19 of 2025 asks for a filing from 100,000 on; at 90 % of that there is time to prepare it. */
export const PEOPLE_THRESHOLDS: readonly number[] = [90_000, 100_000]
const MOST_THRESHOLDS = 64

/** Checked copies in ascending order, each once. */
export function checkThresholds(given: unknown = PEOPLE_THRESHOLDS): readonly number[] {
  const list = readList(given, 'thresholds', MOST_THRESHOLDS, rejectConfiguration)
  if (list.length === 0) throw rejectConfiguration('thresholds must name a number of people')
  const numbers = list.map((one) => checkInteger(one, 'thresholds', [1, MOST_PEOPLE], rejectConfiguration))
  return [...new Set(numbers)].toSorted((a, b) => a - b)
}
