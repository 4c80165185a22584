/** What each stolen set may open (SPEC §15.8). @module */

import type { DrillReport } from '../evaluate/figures.ts'

/** How many templates each set must open: none where it is not named. */
const OPENS: Readonly<Record<string, (templates: number) => number>> = {
  operator: (templates) => templates,
  'old backup': (templates) => templates,
  'holder+device': () => 1,
  'holder+devices': (templates) => templates,
}

/** True when every set opened as many templates as the first table of SPEC §15.8 says, neither more nor fewer. */
export function asPromised({ thefts }: DrillReport): boolean {
  return thefts.every(
    ({ stolen, measured, templates, opened }) => !measured || opened === (OPENS[stolen]?.(templates) ?? 0),
  )
}
