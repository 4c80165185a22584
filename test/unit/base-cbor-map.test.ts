/** Maps with known labels: one encoding, in one order, and nothing else. @module */
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { type CborValue, decodeLabelled, encodeLabelled } from '../../src/base/cbor.ts'
import { map } from '../reference/cose.ts'

const LABELS = [1, 23, 24, 265, -1, -24, -25, -70001] as const
const VALUES: readonly CborValue[] = [0, 'a', Uint8Array.of(1), [1, [2]], true, null, false, 2 ** 40]
const reject = (why: string): Error => new Error(why)

describe('labelled maps', () => {
  test('are encoded as the reference does, and read again', () => {
    const bytes = encodeLabelled(LABELS, VALUES)
    expect(toHex(bytes)).toBe(toHex(map(LABELS.map((label, i) => [label, VALUES[i] as CborValue]))))
    expect(decodeLabelled(bytes, LABELS, 1024, reject)).toEqual(VALUES)
  })

  test('of other labels, order, number, form or length are refused', () => {
    const good = [...encodeLabelled([1, -1], [0, 0])]
    expect(good).toEqual([0xa2, 1, 0, 0x20, 0])
    const bad = [
      [0xa2, 2, 0, 0x20, 0],
      [0xa2, 0x20, 0, 1, 0],
      [0xa2, 1, 0, 0x21, 0],
      [0xa2, 0x18, 1, 0, 0x20, 0],
      [0xa2, 1, 0, 1, 0],
      [0xa2, 0x61, 0x31, 0, 0x20, 0],
      [0xa1, 1, 0],
      [0xa3, 1, 0, 0x20, 0, 0x21, 0],
      [0xbf, 1, 0, 0x20, 0, 0xff],
      [0x82, 1, 0],
      [...good, 0],
      good.slice(0, 4),
      [],
    ]
    for (const bytes of bad)
      expect(() => decodeLabelled(Uint8Array.from(bytes), [1, -1], 1024, reject)).toThrow('malformed')
    expect(() => decodeLabelled(Uint8Array.from(good), [1, -1], 4, reject)).toThrow('longer than 4 bytes')
    expect(decodeLabelled(Uint8Array.from(good), [1, -1], 5, reject)).toEqual([0, 0])
  })
})
