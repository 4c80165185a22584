/** How far down a list of near codes the right one stands (SPEC §5, §6). @module */
import { beforeAll, expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { candidateReport } from '../../src/evaluate/candidates.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeReference } from '../../src/template/template.ts'
import { rotationSize, type Suite } from '../../src/transform/suite.ts'

beforeAll(cryptoReady)

const model = { id: 'synthetic@1', dimensions: 96, metric: 'cosine' } as const
const people = (subjects: number, samples = 3) =>
  syntheticPeople({ seed: 'candidates', subjects, samples, dimensions: 96 })

/** The place of each search, by a sort of all distances between templates of the library. */
function places(
  { integers, dimensions, subjectOf, count }: People,
  suite: Suite,
  m: Bits,
  seed: string,
): number[] {
  const key = seededKey(seed, rotationSize(dimensions, m))
  const codes = Array.from({ length: count }, (_, i) =>
    encodeReference(integers.slice(i * dimensions, (i + 1) * dimensions), suite, m, key),
  )
  const first = (i: number): boolean => subjectOf[i] !== subjectOf[i - 1]
  const distance = (a: Uint8Array, b: Uint8Array): number =>
    a.reduce((sum, byte, i) => sum + (byte ^ b[i]!).toString(2).replaceAll('0', '').length, 0)
  return codes.flatMap((code, i) => {
    if (first(i)) return []
    const list = codes
      .flatMap((other, j) => (first(j) ? [{ subject: subjectOf[j], far: distance(code, other) }] : []))
      .sort((a, b) => a.far - b.far)
    return [list.findIndex(({ subject }) => subject === subjectOf[i])]
  })
}

test.each([
  ['B6', 64],
  ['B4', 128],
] as const)('the rates are those of a sort of all distances: %s, m = %i', async (suite, bits) => {
  const dataset = people(120)
  const report = await candidateReport(dataset, { model, suite, bits, seed: 'x' })
  const expected = places(await loadPeople(dataset, { model }), suite, bits, 'x')
  expect(report).toMatchObject({ synthetic: true, suite, bits, enrolled: 120, searches: 240 })
  expect(report.found.map(({ most }) => most)).toEqual([1, 10, 100])
  for (const { most, rate } of report.found) {
    expect(rate.value).toBe(expected.filter((place) => place < most).length / 240)
    expect(rate.trials).toBe(240)
    expect(rate.low).toBeLessThanOrEqual(rate.value)
  }
})

test('one person is found at once; nobody with a second sample is an error', async () => {
  const [only] = (await candidateReport(people(1), { model })).found
  expect(only).toMatchObject({ most: 1, rate: { value: 1, trials: 2 } })
  await expect(candidateReport(people(5, 1), { model })).rejects.toMatchObject({
    code: 'ERR_EVALUATE_TOO_FEW',
  })
})

test('stops when aborted; a suite that is not known is refused', async () => {
  await expect(candidateReport(people(5), { model, signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  await expect(candidateReport(people(5), { model, suite: 'B5' as Suite })).rejects.toMatchObject({
    code: 'ERR_TRANSFORM_SUITE',
  })
})
