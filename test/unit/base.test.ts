/** Errors, argument checks, secrets, the mutex and the clock. @module */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import {
  checkBoolean,
  checkBytes,
  checkFunction,
  checkInteger,
  checkObject,
  checkOneOf,
  checkText,
} from '../../src/base/check.ts'
import { type ClockHost, createClock, readHost, systemClock } from '../../src/base/clock.ts'
import { GuiseError } from '../../src/base/errors.ts'
import { KeyedMutex } from '../../src/base/mutex.ts'
import { Secret } from '../../src/base/secret.ts'

class Refused extends Error {}
const reject = (why: string): Error => new Refused(why)

describe('GuiseError', () => {
  class ExampleError extends GuiseError {
    readonly code = 'ERR_EXAMPLE'
  }

  test('carries name, cause and whether a retry makes sense', () => {
    const cause = new Error('beneath')
    const error = new ExampleError('above', { cause, retryable: true })
    expect(error).toMatchObject({ name: 'ExampleError', message: 'above', cause, retryable: true })
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toContain('above')
  })

  test('has no cause and is not retryable unless said', () => {
    const error = new ExampleError('alone')
    expect(error.retryable).toBe(false)
    expect(Object.hasOwn(error, 'cause')).toBe(false)
    expect(Object.hasOwn(new ExampleError('alone', {}), 'cause')).toBe(false)
  })
})

describe('checks', () => {
  test('checkObject', () => {
    const value = { a: 1 }
    expect(checkObject(value, 'options', reject)).toBe(value)
    for (const bad of [null, undefined, 1, 'a', [], () => 1]) {
      expect(() => checkObject(bad, 'options', reject)).toThrow('options must be an object')
    }
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(() => checkObject(proxy, 'options', reject)).toThrow('options must be an object')
  })

  test('checkBytes: type before length', () => {
    const value = Uint8Array.of(1, 2)
    expect(checkBytes(value, 'key', 2, reject)).toBe(value)
    expect(checkBytes(value, 'key', [1, 2], reject)).toBe(value)
    expect(() => checkBytes('12', 'key', 2, reject)).toThrow('key must be a Uint8Array')
    expect(() => checkBytes(new Uint16Array(2), 'key', 2, reject)).toThrow('key must be a Uint8Array')
    expect(() => checkBytes(value, 'key', 3, reject)).toThrow('key must have 3 bytes')
    expect(() => checkBytes(value, 'key', [0, 1], reject)).toThrow('key must have 0 to 1 bytes')
    expect(() => checkBytes(value, 'key', [3, 4], reject)).toThrow(Refused)
  })

  test('checkInteger', () => {
    expect(checkInteger(0, 'n', [0, 9], reject)).toBe(0)
    expect(checkInteger(-9, 'n', [-9, 9], reject)).toBe(-9)
    for (const bad of ['1', 1n, 0.5, -0, Number.NaN, 2 ** 53, undefined]) {
      expect(() => checkInteger(bad, 'n', [-1e308, 1e308], reject)).toThrow('n must be an integer')
    }
    for (const bad of [-1, 10]) {
      expect(() => checkInteger(bad, 'n', [0, 9], reject)).toThrow('n must be between 0 and 9')
    }
  })

  test('checkText: type, length, form, meaning', () => {
    expect(checkText('é', 'name', { maxBytes: 2 }, reject)).toBe('é')
    expect(checkText('ab', 'name', { maxBytes: 2, pattern: /^[a-z]+$/ }, reject)).toBe('ab')
    expect(() => checkText(1, 'name', { maxBytes: 2 }, reject)).toThrow('name must be a string')
    for (const bad of ['', 'abc', 'éa']) {
      expect(() => checkText(bad, 'name', { maxBytes: 2 }, reject)).toThrow('name must have 1 to 2 bytes')
    }
    expect(() => checkText('\udc00', 'name', { maxBytes: 2 }, reject)).toThrow('well-formed')
    expect(() => checkText('a1', 'name', { maxBytes: 2, pattern: /^[a-z]+$/ }, reject)).toThrow('must match')
  })

  test('checkBoolean, checkFunction, checkOneOf', () => {
    const task = (): number => 1
    expect(checkBoolean(false, 'flag', reject)).toBe(false)
    expect(() => checkBoolean(0, 'flag', reject)).toThrow('flag must be true or false')
    expect(checkFunction(task, 'task', reject)).toBe(task)
    expect(() => checkFunction({}, 'task', reject)).toThrow('task must be a function')
    expect(checkOneOf('b', 'suite', ['a', 'b'], reject)).toBe('b')
    expect(() => checkOneOf('toString', 'suite', ['a', 'b'], reject)).toThrow('suite must be one of a, b')
  })
})

describe('Secret', () => {
  const disposed = (): Error => new Refused('disposed')

  test('copies what it is given and lends it', () => {
    const bytes = Uint8Array.of(1, 2, 3)
    const secret = new Secret(bytes, disposed)
    bytes.fill(0)
    expect(secret.use((held) => [...held])).toEqual([1, 2, 3])
    expect(secret.length).toBe(3)
  })

  test('wipes on dispose and throws afterwards', () => {
    const secret = new Secret(Uint8Array.of(7, 7), disposed)
    const held = secret.use((bytes) => bytes)
    expect(secret.disposed).toBe(false)
    secret[Symbol.dispose]()
    secret.dispose()
    expect([...held]).toEqual([0, 0])
    expect(secret.disposed).toBe(true)
    expect(secret.length).toBe(2)
    expect(() => secret.use(() => 1)).toThrow(Refused)
  })

  test('shows itself nowhere', () => {
    const secret = new Secret(Uint8Array.of(201, 202, 203), disposed)
    const shown = [
      inspect(secret),
      inspect({ secret }, { depth: 9, showHidden: true }),
      String(secret),
      `${secret}`,
    ]
    for (const text of shown) {
      expect(text).toContain('[Secret]')
      expect(text).not.toMatch(/20[123]|c9|ca|cb/)
    }
    expect(() => JSON.stringify({ secret })).toThrow(TypeError)
    expect(Object.keys(secret)).toEqual([])
    expect(Reflect.ownKeys(secret)).toEqual([])
  })
})

describe('KeyedMutex', () => {
  /** A promise that is settled by hand. */
  function gate(): { readonly opened: Promise<void>; open(): void } {
    let open = (): void => undefined
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    return { opened, open: () => open() }
  }

  test('runs the tasks of one key in order and never two at once', async () => {
    const mutex = new KeyedMutex()
    const order: number[] = []
    let inside = 0
    const tasks = Array.from({ length: 50 }, (_, i) =>
      mutex.run('key', async () => {
        expect(++inside).toBe(1)
        await new Promise((resolve) => setTimeout(resolve, i % 3))
        inside--
        order.push(i)
        return i
      }),
    )
    const expected = Array.from({ length: 50 }, (_, i) => i)
    expect(await Promise.all(tasks)).toEqual(expected)
    expect(order).toEqual(expected)
    expect(mutex.size).toBe(0)
  })

  test('runs different keys side by side', async () => {
    const mutex = new KeyedMutex()
    const first = gate()
    const blocked = mutex.run('a', () => first.opened)
    expect(await mutex.run('b', () => Promise.resolve('free'))).toBe('free')
    expect(mutex.size).toBe(1)
    first.open()
    await blocked
    expect(mutex.size).toBe(0)
  })

  test('lets the next one in after a failure, thrown or rejected', async () => {
    const mutex = new KeyedMutex()
    const thrown = mutex.run('key', () => {
      throw new Refused('thrown')
    })
    const rejected = mutex.run('key', () => Promise.reject(new Refused('rejected')))
    const fine = mutex.run('key', () => Promise.resolve(1))
    await expect(thrown).rejects.toThrow('thrown')
    await expect(rejected).rejects.toThrow('rejected')
    expect(await fine).toBe(1)
    expect(mutex.size).toBe(0)
  })

  test('an aborted wait leaves the queue; a started task is not stopped', async () => {
    const mutex = new KeyedMutex()
    const first = gate()
    const running = new AbortController()
    const waiting = new AbortController()
    const blocked = mutex.run('key', () => first.opened.then(() => 'done'), running.signal)
    let ran = false
    const task = (): Promise<void> => {
      ran = true
      return Promise.resolve()
    }
    const skipped = mutex.run('key', task, waiting.signal)
    const kept = new AbortController()
    const last = mutex.run('key', () => Promise.resolve('last'), kept.signal)
    waiting.abort(new Refused('enough'))
    running.abort()
    await expect(skipped).rejects.toThrow('enough')
    first.open()
    expect(await blocked).toBe('done')
    expect(await last).toBe('last')
    kept.abort()
    expect(ran).toBe(false)
    expect(mutex.size).toBe(0)
  })

  test('does not start what was aborted before', async () => {
    const mutex = new KeyedMutex()
    const run = mutex.run('key', () => Promise.resolve(1), AbortSignal.abort(new Refused('before')))
    await expect(run).rejects.toThrow('before')
    expect(mutex.size).toBe(0)
  })
})

describe('clock', () => {
  const host = (change: Partial<ClockHost>): ClockHost => ({
    wallMs: () => 1_700_000_000_000.7,
    processMs: () => 5.9,
    bootId: undefined,
    uptimeSeconds: undefined,
    ...change,
  })

  test('without a boot id every clock has an origin of its own', () => {
    const clock = createClock(host({}))
    const { origin, ms } = clock.steady()
    expect(ms).toBe(5)
    expect(origin).toHaveLength(16)
    expect(clock.steady().origin).toEqual(origin)
    expect(createClock(host({})).steady().origin).not.toEqual(origin)
    expect(createClock(host({ bootId: new Uint8Array(16) })).steady().origin).not.toEqual(new Uint8Array(16))
    origin.fill(0)
    expect(clock.steady().origin).not.toEqual(origin)
    expect(clock.nowMs()).toBe(1_700_000_000_000)
  })

  test('with one, two processes of the same boot agree, sleep is counted and nothing goes back', () => {
    const bootId = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
    let processMs = 100
    let uptime = 50
    const clock = createClock(host({ bootId, processMs: () => processMs, uptimeSeconds: () => uptime }))
    expect(clock.steady()).toEqual({ origin: bootId, ms: 50_000 })
    clock.steady().origin.fill(0)
    expect(clock.steady().origin).toEqual(bootId)
    processMs += 999.5
    uptime = 1
    expect(clock.steady().ms).toBe(50_999)
    processMs += 1
    uptime = 50.99
    expect(clock.steady().ms).toBe(50_999)
    processMs += 1000
    uptime = 3600
    expect(clock.steady().ms).toBe(3_600_000)
    expect(clock.nowMs()).toBe(1_700_000_000_000)
  })

  test('the host of this machine', () => {
    const found = readHost()
    expect(Math.abs(found.wallMs() - Date.now())).toBeLessThan(1000)
    expect(found.processMs()).toBeGreaterThan(0)
    if (process.platform === 'linux') {
      expect(found.bootId).toHaveLength(16)
      expect(found.uptimeSeconds?.()).toBeGreaterThan(0)
      expect(toHex(readHost().bootId as Uint8Array)).toBe(toHex(found.bootId as Uint8Array))
    }
    const first = systemClock.steady()
    const second = systemClock.steady()
    expect(second.origin).toEqual(first.origin)
    expect(second.ms).toBeGreaterThanOrEqual(first.ms)
    expect(Number.isInteger(systemClock.nowMs())).toBe(true)
  })

  test('a container that counts time from elsewhere has another origin than its host', () => {
    const found = (spaces: Readonly<Record<string, string>>): string => {
      const modules: Readonly<Record<string, unknown>> = {
        'node:os': { uptime: () => 1 },
        'node:crypto': { createHash },
        'node:fs': {
          readFileSync: () => 'boot\n',
          readlinkSync: (path: string) => {
            const space = spaces[path]
            if (space === undefined) throw new Error('no such file')
            return space
          },
        },
      }
      const host = readHost({ platform: 'linux', getBuiltinModule: (id) => modules[id] })
      return toHex(host.bootId as Uint8Array)
    }
    const [time, pid] = ['/proc/self/ns/time', '/proc/self/ns/pid']
    const all = [
      { [time]: 't1', [pid]: 'p1' },
      { [time]: 't2', [pid]: 'p1' },
      { [time]: 't1', [pid]: 'p2' },
      {},
    ]
    expect(new Set(all.map(found)).size).toBe(all.length)
    expect(found(all[0] ?? {})).toBe(found({ ...all[0] }))
  })

  test.each([
    ['no process', undefined],
    ['another system', { platform: 'darwin', getBuiltinModule: () => ({}) }],
    ['an older runtime', { platform: 'linux' }],
    ['modules that are missing', { platform: 'linux', getBuiltinModule: () => undefined }],
  ])('a host with %s falls back', (_, found) => {
    expect(readHost(found === undefined ? (null as never) : found)).toMatchObject({
      bootId: undefined,
      uptimeSeconds: undefined,
    })
  })
})
