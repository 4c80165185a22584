/** The cache of unwrapped secrets by itself. @module */
import { afterEach, expect, test, vi } from 'vitest'
import { SecretCache } from '../../src/keys/cache.ts'
import { failureOf } from './keys-support.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

class Held implements Disposable {
  disposed: number = 0;

  [Symbol.dispose](): void {
    this.disposed++
  }
}

const options = { maxSecrets: 2, lifetimeMs: 1000 }

test('the one used longest ago goes first', () => {
  const cache = new SecretCache(options)
  const [a, b, c] = [new Held(), new Held(), new Held()]
  cache.put(1, a)
  cache.put(2, b)
  expect(cache.get(1)).toBe(a)
  cache.put(3, c)
  expect([a.disposed, b.disposed, c.disposed]).toEqual([0, 1, 0])
  expect([cache.get(1), cache.get(2), cache.get(3)]).toEqual([a, undefined, c])
  cache.close()
  expect([a.disposed, b.disposed, c.disposed]).toEqual([1, 1, 1])
})

test('a value put over another ends the other, and its time begins anew', () => {
  vi.useFakeTimers()
  const cache = new SecretCache(options)
  const [a, b] = [new Held(), new Held()]
  cache.put(1, a)
  vi.advanceTimersByTime(900)
  cache.put(1, b)
  expect(a.disposed).toBe(1)
  vi.advanceTimersByTime(900)
  expect(cache.get(1)).toBe(b)
  vi.advanceTimersByTime(100)
  expect(cache.get(1)).toBeUndefined()
  cache.drop(1)
  expect(b.disposed).toBe(1)
})

test('a closed cache takes nothing and loads nothing', async () => {
  const cache = new SecretCache(options)
  cache.close()
  const held = new Held()
  expect(() => cache.put(1, held)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }))
  expect(held.disposed).toBe(1)
  const load = vi.fn(() => Promise.resolve(held))
  expect(await failureOf(cache.fill(1, load))).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
  expect(load).not.toHaveBeenCalled()
})

test('a value that comes after the last caller has gone is disposed of', async () => {
  const cache = new SecretCache(options)
  const held = new Held()
  let come = (): void => undefined
  const load = (): Promise<Held> =>
    new Promise((resolve) => {
      come = () => resolve(held)
    })
  const controller = new AbortController()
  const waiting = failureOf(cache.fill(1, load, controller.signal))
  controller.abort(new Error('enough'))
  expect(await waiting).toMatchObject({ message: 'enough' })
  come()
  await vi.waitFor(() => expect(held.disposed).toBe(1))
  expect(cache.get(1)).toBeUndefined()
})

test('timers are plain numbers in browsers', () => {
  vi.stubGlobal('setTimeout', () => 7)
  vi.stubGlobal('clearTimeout', () => undefined)
  const cache = new SecretCache(options)
  cache.put(1, new Held())
  expect(cache.get(1)).toBeDefined()
})
