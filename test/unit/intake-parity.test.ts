import { expect, test } from 'vitest'
import { wipe } from '../../src/base/bytes.ts'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import type { Dataset } from '../../src/dataset/dataset.ts'
import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { embedding, toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import type { Model } from '../../src/embedding/model.ts'
import { type Calibration, calibrate } from '../../src/evaluate/calibrate.ts'
import { type ParityCounts, parityReport } from '../../src/evaluate/parity.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { codeOf } from '../support/vault.ts'

const MEAN = Float32Array.from({ length: 64 }, (_, i) => (i % 5) / 200)
const PLAIN: Model = { id: 'parity@1', dimensions: 64, metric: 'cosine' }
const CENTRED: Model = { ...PLAIN, mean: MEAN }
const SUBJECTS = 12

function people(): Dataset {
  return syntheticPeople({ seed: 'parity', subjects: SUBJECTS, samples: 3, dimensions: 64 })
}

function point(model: Model): Promise<Calibration> {
  const others = syntheticPeople({ seed: 'others', subjects: 60, samples: 2, dimensions: 64 })
  return calibrate(others, { model, falseMatchRate: 0.05 })
}

/** Every pair one by one, by the public parts: unit vectors, templates, the rule of the decision. */
async function direct(model: Model, cosineThreshold: number, threshold: number): Promise<ParityCounts[]> {
  const samples: { subject: string; units: Float32Array; z: Int32Array }[] = []
  for await (const { subject, vector } of people().read()) {
    const held = embedding(vector, model)
    samples.push({ subject, units: Float32Array.from(unitVector(held)), z: toIntegers(held) })
  }
  const counts = [0, 1].map(() => ({ pairs: 0, bothAccept: 0, bothReject: 0, onlyBefore: 0, onlyAfter: 0 }))
  samples.forEach((reference, i) => {
    const key = seededKey('parity', 0, 64, i)
    const code = encodeReference(reference.z, 'B4', 64, key)
    for (const probe of samples.slice(i + 1)) {
      const cosine = reference.units.reduce((sum, value, k) => sum + value * (probe.units[k] as number), 0)
      const encoded = encodeProbe(probe.z, 'B4', 64, key)
      const { sum, energy } = score(code, encoded)
      const before = cosine >= cosineThreshold
      const after = accepts(sum, energy, 64, threshold)
      const into = counts[reference.subject === probe.subject ? 0 : 1] as (typeof counts)[number]
      into.pairs++
      into[before ? (after ? 'bothAccept' : 'onlyBefore') : after ? 'onlyAfter' : 'bothReject']++
    }
  })
  wipe(...samples.map(({ z }) => z))
  return counts
}

test.each([
  ['without a mean', PLAIN],
  ['with a mean', CENTRED],
])('counts the decisions as a direct computation does, %s', async (_, model) => {
  const { operatingPoint } = await point(model)
  for (const cosineThreshold of [0.29, 0.35, 0.5, 1]) {
    const report = await parityReport(people(), { model, operatingPoint, cosineThreshold })
    const [mated, nonMated] = await direct(model, cosineThreshold, operatingPoint.threshold)
    expect(report).toEqual({ mated, nonMated })
    expect(report.mated.pairs).toBe(3 * SUBJECTS)
  }
})

test('takes a sample of the pairs, a seed, a signal, and tells how far it is', async () => {
  const { operatingPoint } = await point(PLAIN)
  const told: number[] = []
  const controller = new AbortController()
  const options = { model: PLAIN, operatingPoint, cosineThreshold: 0.4, impostors: 100, seed: 's' }
  const report = await parityReport(people(), {
    ...options,
    signal: controller.signal,
    onProgress: (done) => told.push(done),
  })
  expect(report.nonMated.pairs).toBe(100)
  controller.abort(new Error('enough'))
  await expect(parityReport(people(), { ...options, signal: controller.signal })).rejects.toThrow('enough')
})

test('refuses thresholds that are none, and a point of another model or mean', async () => {
  const { operatingPoint } = await point(PLAIN)
  const run = (options: object): Promise<string> =>
    codeOf(parityReport(people(), { model: PLAIN, operatingPoint, cosineThreshold: 0.4, ...options }))
  for (const cosineThreshold of [0, -0.1, 1.1, Number.NaN]) {
    expect(await run({ cosineThreshold })).toBe('ERR_EVALUATE_INPUT')
  }
  expect(await run({ impostors: 0 })).toBe('ERR_EVALUATE_INPUT')
  expect(await run({ model: CENTRED })).toBe('ERR_POLICY_OPERATING_POINT')
  expect(await run({ model: { ...PLAIN, id: 'other@1' } })).toBe('ERR_POLICY_OPERATING_POINT')
})
