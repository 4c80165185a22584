/** The arithmetic that must give the same bits in every runtime. The digests were computed by the reference under Node 20. */
import { beforeAll, describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { turboshake128 } from '../../src/crypto/xof.ts'
import { portableKernel } from '../../src/transform/kernel.ts'
import { kernel } from '../../src/transform/rotate.ts'
import { keyStream, lengthOf, rotate, type Suite } from '../reference/transform.ts'

beforeAll(() => cryptoReady())

/** Bytes that depend on the label only. */
const bytesOf = (label: string, length: number) => turboshake128(new TextEncoder().encode(label), length)

/** Integers as an embedding of norm 2^20 gives them, roughly. */
function integersOf(label: string, length: number): Int32Array {
  const bytes = new DataView(bytesOf(label, 4 * length).buffer)
  const largest = (2 * 2 ** 20) / Math.sqrt(length)
  return Int32Array.from({ length }, (_, i) => Math.floor((bytes.getInt32(4 * i, true) / 2 ** 31) * largest))
}

/** The values as little-endian bytes, whatever the machine prefers. */
function littleEndian(values: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length))
  for (const [index, value] of values.entries()) view.setInt32(4 * index, value, true)
  return new Uint8Array(view.buffer)
}

describe('the rotation', () => {
  test('has a kernel in WebAssembly in every runtime that these tests know', () => {
    expect(kernel()).not.toBe(portableKernel)
  })

  const cases: readonly (readonly [
    suite: Suite,
    d: number,
    m: 64 | 128 | 256 | 512 | 1024,
    digest: string,
  ])[] = [
    ['B4', 64, 64, '9b5f755e68b0fdbf4dd91f6e56b3ee78ad7477d255324419f51ed9896ab0d014'],
    ['B4', 512, 512, 'cca9c6a18e7f2e875acbd3f17f7171ee9021c4eea54de180baaa09da8bc3f627'],
    ['B4', 700, 512, 'fae931eaec8fc7dd0bb65faa35aadc2b9f4b67187ae592af68d71fbc6f765d3a'],
    ['B6', 128, 1024, '9caa8b1983a63ff7bd09fe59668d898bf83ceee0a64442be724f30768d6a6736'],
    ['B6', 4096, 512, 'dc2dbbcd6c76823324e58ac3b9b4c94ed75f43353bc998e0aabb5331711f89ef'],
  ]

  test.each(cases)('gives the same bits: suite %s, d = %d, m = %d', (suite, d, m, digest) => {
    const label = `runtime ${suite} ${d} ${m}`
    const n = lengthOf(d, m)
    const key = bytesOf(`${label} key`, 32)
    const stream = keyStream(suite, key, n, m)
    const z = integersOf(`${label} z`, d)

    const prefix = new TextEncoder().encode(`guise/v1/${suite}`)
    const message = Uint8Array.from([prefix.length, ...prefix, ...key])
    expect(toHex(turboshake128(message, stream.length))).toBe(toHex(stream))

    for (const each of [portableKernel, kernel()]) {
      const values = new Int32Array(n)
      values.set(z)
      each.rotate(values, suite === 'B4' ? 4 : 6, stream)
      expect([...values]).toEqual(rotate([...z], suite, n, stream).values)
      expect(toHex(sha256(littleEndian(values)))).toBe(digest)
    }
  })
})
