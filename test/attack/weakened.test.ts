/** Each weakened build is caught by the test that is named for it, and the library as it is by none (SPEC §15.7). @module */
import { describe, expect, test } from 'vitest'
import { runAgainst, WEAKNESSES } from './weakened.ts'

const TIMEOUT = 240_000

describe('weakened builds', () => {
  test(
    'EVALUATE-58 the library as it is passes every detector',
    async () => {
      const detectors = WEAKNESSES.flatMap((weakness) => weakness.detectors)
      const { passed, failed } = await runAgainst([], [...new Set(detectors.map(({ file }) => file))])
      expect(failed).toEqual([])
      for (const { title } of detectors) expect(passed.filter((each) => each.includes(title))).toHaveLength(1)
    },
    TIMEOUT,
  )

  test.each(WEAKNESSES)(
    'EVALUATE-58 $name is caught',
    async ({ mutations, detectors }) => {
      const { failed } = await runAgainst(mutations, [...new Set(detectors.map(({ file }) => file))])
      for (const { title } of detectors) expect(failed.filter((each) => each.includes(title))).toHaveLength(1)
    },
    TIMEOUT,
  )
})
