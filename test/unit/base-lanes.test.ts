/** Lanes: so many tasks side by side, of one key one at a time. @module */
import { expect, test } from 'vitest'
import { Lanes } from '../../src/base/lanes.ts'

/** Tasks that are begun in lanes and end when they are told to. */
function tasks(lanes: Lanes): {
  readonly begun: string[]
  readonly begin: (key: string, name?: string, signal?: AbortSignal) => Promise<string>
  readonly end: (name: string) => Promise<void>
} {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  return {
    begun,
    begin: (key, name = key, signal) =>
      lanes.run(
        key,
        () =>
          new Promise((resolve) => {
            begun.push(name)
            ends.set(name, () => resolve(name))
          }),
        signal,
      ),
    end: async (name) => {
      ends.get(name)?.()
      await turn()
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('so many run at once, and whoever ends lets the first one in', async () => {
  const { begun, begin, end } = tasks(new Lanes(2))
  const all = ['a', 'b', 'c', 'd', 'e'].map((key) => begin(key))
  await turn()
  expect(begun).toEqual(['a', 'b'])
  await end('b')
  expect(begun).toEqual(['a', 'b', 'c'])
  await end('a')
  await end('c')
  expect(begun).toEqual(['a', 'b', 'c', 'd', 'e'])
  await end('d')
  await end('e')
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e'])
  void begin('f')
  void begin('g')
  await turn()
  expect(begun.slice(5)).toEqual(['f', 'g'])
})

test('of one key one at a time, and the others take no lane from anybody', async () => {
  const { begun, begin, end } = tasks(new Lanes(2))
  const crowd = [1, 2, 3, 4].map((i) => begin('a', `a${i}`))
  const other = begin('b')
  await turn()
  expect(begun).toEqual(['a1', 'b'])
  await end('b')
  expect(await other).toBe('b')
  for (const i of [1, 2, 3, 4]) await end(`a${i}`)
  expect(await Promise.all(crowd)).toEqual(['a1', 'a2', 'a3', 'a4'])
})

test('a task that fails gives its lane back', async () => {
  const lanes = new Lanes(1)
  const failed = lanes.run('a', () => Promise.reject(new Error('broken')))
  const next = lanes.run('b', async () => 'next')
  await expect(failed).rejects.toThrow('broken')
  expect(await next).toBe('next')
})

test('a signal ends the waiting, and takes nobody else’s place', async () => {
  const { begun, begin, end } = tasks(new Lanes(1))
  await expect(begin('z', 'z', AbortSignal.abort(new Error('over')))).rejects.toThrow('over')
  const first = begin('a')
  const [forLane, forKey] = [new AbortController(), new AbortController()]
  const aborted = begin('b', 'b', forLane.signal)
  const alsoAborted = begin('a', 'again', forKey.signal)
  const next = begin('c', 'c', new AbortController().signal)
  await turn()
  forLane.abort(new Error('no longer'))
  forKey.abort(new Error('nor this'))
  await expect(aborted).rejects.toThrow('no longer')
  await expect(alsoAborted).rejects.toThrow('nor this')
  await end('a')
  await end('c')
  expect(await Promise.all([first, next])).toEqual(['a', 'c'])
  expect(begun).toEqual(['a', 'c'])
})

test.each(['a', 'b'])(
  'whoever had not begun when its signal came never begins, however close it was: %s behind a',
  async (key) => {
    let close = 0
    for (let hops = 0; hops < 12; hops++) {
      const { begun, begin, end } = tasks(new Lanes(1))
      const controller = new AbortController()
      const first = begin('a')
      const second = begin(key, 'second', controller.signal).catch((error: Error) => error.message)
      await turn()
      let hadBegun: boolean | undefined
      const abort = async (): Promise<void> => {
        for (let hop = 0; hop < hops; hop++) await Promise.resolve()
        hadBegun = begun.includes('second')
        controller.abort(new Error('just now'))
      }
      const ended = end('a')
      await Promise.all([abort(), ended, first])
      expect(begun.includes('second')).toBe(hadBegun)
      await end('second')
      expect(await second).toBe(hadBegun === true ? 'second' : 'just now')
      close += hadBegun === true ? 0 : 1
    }
    expect(close).toBeGreaterThan(0)
    expect(close).toBeLessThan(12)
  },
)

test('a signal that comes while one turn is handed on ends the waiting for the other', async () => {
  for (let hops = 0; hops < 12; hops++) {
    const { begin, end } = tasks(new Lanes(1))
    const controller = new AbortController()
    const first = begin('a')
    const between = begin('c')
    const second = begin('a', 'second', controller.signal).catch((error: Error) => error.message)
    await turn()
    const abort = async (): Promise<void> => {
      for (let hop = 0; hop < hops; hop++) await Promise.resolve()
      controller.abort(new Error('just now'))
    }
    await Promise.all([abort(), end('a'), first])
    // The one between has the lane still.
    expect(await Promise.race([second, turn()])).toBe('just now')
    await end('c')
    expect(await between).toBe('c')
  }
})
