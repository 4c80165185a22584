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
  cache.put('a', a)
  cache.put('b', b)
  expect(cache.get('a')).toBe(a)
  cache.put('c', c)
  expect([a.disposed, b.disposed, c.disposed]).toEqual([0, 1, 0])
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([a, undefined, c])
  cache.close()
  expect([a.disposed, b.disposed, c.disposed]).toEqual([1, 1, 1])
})

test('a value put over another ends the other, and its time begins anew', () => {
  vi.useFakeTimers()
  const cache = new SecretCache(options)
  const [a, b] = [new Held(), new Held()]
  cache.put('a', a)
  vi.advanceTimersByTime(900)
  cache.put('a', b)
  expect(a.disposed).toBe(1)
  vi.advanceTimersByTime(900)
  expect(cache.get('a')).toBe(b)
  vi.advanceTimersByTime(100)
  expect(cache.get('a')).toBeUndefined()
  cache.drop('a')
  expect(b.disposed).toBe(1)
})

test('a closed cache takes nothing and loads nothing', async () => {
  const cache = new SecretCache(options)
  cache.close()
  const held = new Held()
  expect(() => cache.put('a', held)).toThrow(expect.objectContaining({ code: 'ERR_KEYS_DISPOSED' }))
  expect(held.disposed).toBe(1)
  const load = vi.fn(() => Promise.resolve(held))
  expect(await failureOf(cache.fill('a', load))).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
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
  const waiting = failureOf(cache.fill('a', load, controller.signal))
  controller.abort(new Error('enough'))
  expect(await waiting).toMatchObject({ message: 'enough' })
  come()
  await vi.waitFor(() => expect(held.disposed).toBe(1))
  expect(cache.get('a')).toBeUndefined()
})

test('timers are plain numbers in browsers', () => {
  vi.stubGlobal('setTimeout', () => 7)
  vi.stubGlobal('clearTimeout', () => undefined)
  const cache = new SecretCache(options)
  cache.put('a', new Held())
  expect(cache.get('a')).toBeDefined()
})
