/** Pacing: so many in one turn of the event loop, the others in the order they came. @module */
import { expect, test, vi } from 'vitest'
import { Pace } from '../../src/base/pace.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('so many go on at once, the others turn by turn in their order', async () => {
  const pace = new Pace(2)
  const passed: number[] = []
  const calls = Array.from({ length: 7 }, async (_, i) => {
    await pace.pass()
    passed.push(i)
  })
  await Promise.resolve()
  expect(passed).toEqual([0, 1])
  await turn()
  expect(passed).toEqual([0, 1, 2, 3])
  // Whoever comes now stands behind those who wait.
  const late = pace.pass()
  expect(late).toBeInstanceOf(Promise)
  await Promise.all([...calls, late])
  expect(passed).toEqual([0, 1, 2, 3, 4, 5, 6])
  await turn()
  await turn()
  expect(pace.pass()).toBeUndefined()
})

test('without anything quicker than timers it goes on all the same', async () => {
  vi.stubGlobal('setImmediate', undefined)
  try {
    const pace = new Pace(1)
    expect(pace.pass()).toBeUndefined()
    await pace.pass()
  } finally {
    vi.unstubAllGlobals()
  }
})
