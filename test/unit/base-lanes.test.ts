/** Lanes: so many tasks side by side, the others in the order in which they came. @module */
import { expect, test } from 'vitest'
import { Lanes } from '../../src/base/lanes.ts'

test('so many enter at once, and whoever leaves lets the first one in', async () => {
  const lanes = new Lanes(2)
  expect([lanes.enter(), lanes.enter()]).toEqual([undefined, undefined])
  const entered: number[] = []
  const waiting = [1, 2, 3].map(async (i) => {
    await lanes.enter()
    entered.push(i)
  })
  await Promise.resolve()
  expect(entered).toEqual([])
  lanes.leave()
  await waiting[0]
  expect(entered).toEqual([1])
  lanes.leave()
  lanes.leave()
  await Promise.all(waiting)
  expect(entered).toEqual([1, 2, 3])
  lanes.leave()
  lanes.leave()
  expect([lanes.enter(), lanes.enter()]).toEqual([undefined, undefined])
  expect(lanes.enter()).toBeInstanceOf(Promise)
})

test('a signal ends the waiting, and takes nobody else’s place', async () => {
  const lanes = new Lanes(1)
  expect(() => lanes.enter(AbortSignal.abort(new Error('over')))).toThrow('over')
  expect(lanes.enter()).toBeUndefined()
  const controller = new AbortController()
  const aborted = lanes.enter(controller.signal)
  const next = lanes.enter(new AbortController().signal)
  controller.abort(new Error('no longer'))
  await expect(aborted).rejects.toThrow('no longer')
  lanes.leave()
  await next
  lanes.leave()
  expect(lanes.enter()).toBeUndefined()
})
