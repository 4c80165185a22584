/** Score and decision: their edges. @module */
import { describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { CompareError } from '../../src/compare/errors.ts'
import { score, similarity } from '../../src/compare/score.ts'
import { Probe } from '../../src/template/probe.ts'

function codeOf(action: () => unknown): string {
  try {
    action()
    return 'accepted'
  } catch (error) {
    return error instanceof CompareError ? error.code : 'untyped'
  }
}

describe('the score', () => {
  const sevens = new Probe(new Int8Array(1024).fill(7), new Uint8Array(128))

  test('spans −7m to 7m', () => {
    expect(score(new Uint8Array(128).fill(255), sevens)).toEqual({ sum: 7168, energy: 50_176 })
    expect(score(new Uint8Array(128), sevens)).toEqual({ sum: -7168, energy: 50_176 })
  })

  test('takes the mask off the code', () => {
    const probe = new Probe(new Int8Array(64).fill(1), new Uint8Array(8).fill(0x0f))
    expect(score(new Uint8Array(8).fill(0xf0), probe).sum).toBe(64)
    expect(score(new Uint8Array(8).fill(0x0f), probe).sum).toBe(-64)
  })

  test('reads each bit at its place', () => {
    for (let j = 0; j < 64; j++) {
      const probe = new Probe(new Int8Array(64), new Uint8Array(8))
      probe.q[j] = -5
      const code = new Uint8Array(8)
      expect(score(code, probe)).toEqual({ sum: 5, energy: 25 })
      code[j >> 3] = 1 << (j & 7)
      expect(score(code, probe)).toEqual({ sum: -5, energy: 25 })
    }
  })

  test.each([
    [8, 64, 7],
    [7, 64, 8],
    [16, 64, 8],
    [8, 128, 8],
    [0, 64, 0],
  ])('refuses a code of %i bytes with %i steps and a mask of %i bytes', (code, q, mask) => {
    const probe = new Probe(new Int8Array(q), new Uint8Array(mask))
    expect(codeOf(() => score(new Uint8Array(code), probe))).toBe('ERR_COMPARE_LENGTH')
  })
})

describe('the similarity', () => {
  test('is S / √(mQ), and 0 without energy', () => {
    expect(similarity(7168, 50_176, 1024)).toBe(1)
    expect(similarity(-7168, 50_176, 1024)).toBe(-1)
    expect(similarity(0, 0, 1024)).toBe(0)
  })
})

describe('the decision', () => {
  test('compares exactly at the boundary', () => {
    expect(accepts(7168, 50_176, 1024, 10_000)).toBe(true)
    expect(accepts(7167, 50_176, 1024, 10_000)).toBe(false)
    expect(accepts(50, 625, 64, 2500)).toBe(true) // 50 / √(64 · 625) = 0.25
    expect(accepts(50, 625, 64, 2501)).toBe(false)
    expect(accepts(49, 625, 64, 2500)).toBe(false)
  })

  test('needs a score above zero', () => {
    expect(accepts(0, 0, 512, 1)).toBe(false)
    expect(accepts(-0, 0, 512, 1)).toBe(false)
    expect(accepts(-7168, 50_176, 1024, 1)).toBe(false)
    expect(accepts(1, 1, 64, 1)).toBe(true)
  })

  test.each([0, -1, 10_001, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses the threshold %f',
    (threshold) => {
      expect(codeOf(() => accepts(1, 1, 64, threshold))).toBe('ERR_COMPARE_THRESHOLD')
    },
  )

  test('refuses a threshold that is no number', () => {
    for (const threshold of ['5000', null, undefined, 5000n, [5000]]) {
      expect(codeOf(() => accepts(1, 1, 64, threshold as unknown as number))).toBe('ERR_COMPARE_THRESHOLD')
    }
  })
})
