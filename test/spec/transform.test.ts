/** Requirements of SPEC §5, one test each and more. @module */
import { TransformError } from 'guise'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { portableKernel } from '../../src/transform/kernel.ts'
import { kernel, rotate } from '../../src/transform/rotate.ts'
import { keyStream } from '../../src/transform/stream.ts'
import { checkSuite, rotationBytes, rotationSize, suiteParameters } from '../../src/transform/suite.ts'
import { bytesOf } from '../faces.ts'
import * as reference from '../reference/transform.ts'

beforeAll(() => cryptoReady())
afterEach(() => {
  vi.restoreAllMocks()
})

const SIZES = [64, 128, 256, 512, 1024, 2048, 4096] as const

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof TransformError ? error.code : 'untyped'
  }
}

const ramp = (length: number): Int32Array =>
  Int32Array.from({ length }, (_, i) => (((i + 1) * 48_271) % 65_537) - 32_768)

test.each(SIZES)('TRANSFORM-1 the integers of rotate, n = %i', (n) => {
  for (const suite of ['B4', 'B6'] as const) {
    const stream = keyStream(suite, bytesOf(`integers ${n}`, 32), n, 64)
    const z = ramp(n - 7)
    const { values } = reference.rotate(Array.from(z), suite, n, stream)
    expect(Array.from(rotate(z, suite, n, stream))).toEqual(values.map((value) => value + 0))
  }
})

test('TRANSFORM-1 a known answer', () => {
  const values = rotate(ramp(512), 'B4', 512, keyStream('B4', bytesOf('digest', 32), 512, 512))
  const bytes = new DataView(new ArrayBuffer(2048))
  values.forEach((value, i) => {
    bytes.setInt32(4 * i, value, true)
  })
  expect(toHex(sha256(new Uint8Array(bytes.buffer)))).toBe(
    '6e1fcb0439fc0f80b8cd34dd11cd1b126ec6b27e4fb07924665db9e480489cdf',
  )
})

test('TRANSFORM-2 the suite of a shared key has six rounds and a key stream of its own', () => {
  expect(suiteParameters('B4').rounds).toBe(4)
  expect(suiteParameters('B6').rounds).toBe(6)
  const key = bytesOf('shared', 32)
  const once = keyStream('B4', key, 512, 512)
  const shared = keyStream('B6', key, 512, 512)
  let equal = 0
  once.forEach((byte, i) => {
    equal += Number(byte === shared[i])
  })
  expect(equal).toBeLessThan(40) // 1472 bytes, one in 256 equal by chance
})

type Kernel = (values: Int32Array, rounds: number, stream: Uint8Array) => void

/** Every address that a kernel reads and writes, values and key stream, in order. */
function traceOf(kernel: Kernel, n: number, stream: Uint8Array): string {
  const trace: string[] = []
  const values = ramp(n)
  const watched = new Proxy(values, {
    get: (target, key) => {
      trace.push(`r${String(key)}`)
      return Reflect.get(target, key) as unknown
    },
    set: (target, key, value) => {
      trace.push(`w${String(key)}`)
      return Reflect.set(target, key, value)
    },
  })
  for (const method of ['getInt8', 'getInt16', 'getInt32', 'getUint8'] as const) {
    const real = DataView.prototype[method]
    vi.spyOn(DataView.prototype, method).mockImplementation(function (this: DataView, at, little) {
      trace.push(`k${at}`)
      return real.call(this, at, little)
    })
  }
  kernel(watched, 4, stream)
  vi.restoreAllMocks()
  return trace.join()
}

/** What must not be done: exchanging only where the bit says so. */
function leakyKernel(values: Int32Array, rounds: number, stream: Uint8Array): void {
  for (let i = 0; i < rounds; i++) {
    if (((stream[i] ?? 0) & 1) === 1) [values[0], values[1]] = [values[1] ?? 0, values[0] ?? 0]
  }
}

test.each([64, 128, 256, 512, 1024])('TRANSFORM-3 addresses do not depend on key bits, n = %i', (n) => {
  const streams = [
    new Uint8Array(rotationBytes('B4', n)),
    new Uint8Array(rotationBytes('B4', n)).fill(255),
    keyStream('B4', bytesOf('one', 32), n, 64),
    keyStream('B4', bytesOf('two', 32), n, 64),
  ]
  const traces = new Set(streams.map((stream) => traceOf(portableKernel.rotate, n, stream)))
  expect(traces.size).toBe(1)
  expect([...traces][0]?.length).toBeGreaterThan(n * 10)
})

test('TRANSFORM-3 the measurement sees a kernel that leaks', () => {
  const streams = [new Uint8Array(4), new Uint8Array(4).fill(1)]
  expect(new Set(streams.map((stream) => traceOf(leakyKernel, 64, stream))).size).toBe(2)
})

test('TRANSFORM-4 unknown suites and other values of m are refused', () => {
  for (const suite of ['B2', 'B8', 'b4', '', '__proto__', 'constructor', 4, null, undefined, {}]) {
    expect(codeOf(() => checkSuite(suite))).toBe('ERR_TRANSFORM_SUITE')
    expect(codeOf(() => keyStream(suite as 'B4', new Uint8Array(32), 512, 512))).toBe('ERR_TRANSFORM_SUITE')
    expect(codeOf(() => rotate(ramp(64), suite as 'B4', 64, new Uint8Array(999)))).toBe('ERR_TRANSFORM_SUITE')
  }
  for (const m of [0, 1, 32, 63, 65, 100, 511, 513, 2048, -64, 64.5, Number.NaN]) {
    expect(codeOf(() => rotationSize(512, m))).toBe('ERR_TRANSFORM_INPUT')
  }
  for (const m of [64, 128, 256, 512, 1024]) expect(codeOf(() => rotationSize(512, m))).toBe('accepted')
})

const KERNELS = [
  ['portable', portableKernel],
  ['chosen', kernel()],
] as const
const SIZED_KERNELS = SIZES.flatMap((n) => KERNELS.map(([name, each]) => [n, name, each] as const))

test('TRANSFORM-1 there are two kernels to hold to it', () => {
  expect(kernel()).not.toBe(portableKernel)
})

test.each(SIZED_KERNELS)('TRANSFORM-5 the shifts of step 4, n = %i, %s kernel', (n, _, each) => {
  const levels = Math.log2(n)
  // Without exchanges and signs a single value 2^24 becomes n values 2^24 / 2^s, then one value again.
  let magnitude = 2 ** 24
  for (let rounds = 1; rounds <= 6; rounds++) {
    const shift = Math.floor((rounds * levels) / 2) - Math.floor(((rounds - 1) * levels) / 2)
    magnitude = (magnitude * (rounds % 2 === 1 ? 1 : n)) / 2 ** shift
    const values = new Int32Array(n)
    values[0] = 2 ** 24
    each.rotate(values, rounds, new Uint8Array(60_000))
    expect(values[0]).toBe(magnitude)
    expect(values[n - 1]).toBe(rounds % 2 === 1 ? magnitude : 0)
    if (n === 512 && rounds <= 4) expect(shift).toBe(rounds % 2 === 1 ? 4 : 5)
  }
})

test.each([64, 128, 256, 512])('TRANSFORM-5 every bit of the stream has its place, n = %i', (n) => {
  const bits = (n / 2) * Math.log2(n) + n
  const z = ramp(n)
  const seen = new Set<string>()
  for (let at = 0; at < bits; at += n === 64 ? 1 : 17) {
    const stream = new Uint8Array(rotationBytes('B4', n))
    stream[at >> 3] = 1 << (at & 7)
    const values = z.slice()
    portableKernel.rotate(values, 1, stream)
    const expected = reference.rotate(Array.from(z), 'B4', n, stream).rounds[0]
    expect(Array.from(values)).toEqual(expected?.scaled.map((value) => value + 0))
    seen.add(values.join())
  }
  expect(seen.size).toBe(Math.ceil(bits / (n === 64 ? 1 : 17)))
})
