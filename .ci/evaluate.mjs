/**
 * Writes scores of three data sets and guise's figures of them into a folder, for another language to compute again.
 * Usage: node .ci/evaluate.mjs FOLDER [DATASET…]; with data sets, those are taken in place of synthetic people. @module
 */
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import {
  bitStatistics,
  claimRate,
  detPoints,
  equalErrorRate,
  figuresAt,
  gradeMoments,
  groupRates,
  groupSpread,
  independentFalsePositives,
  informationFigures,
  linkability,
  perSubjectRates,
  ruleOfThirty,
  scoreHistogram,
  subjectEqualError,
  subjectRate,
  subjectRateDifference,
  tallyAt,
  thresholdAt,
  transactionRates,
  wilson,
  zeroErrorBound,
} from 'guise/evaluate'
import { openDataset } from 'guise/node'
import { syntheticPeople } from 'guise/testing'
import { choosePairs } from '../dist/evaluate/pairs.js'
import { loadPeople } from '../dist/evaluate/people.js'
import { seededKey } from '../dist/evaluate/random.js'
import { encodeReference } from '../dist/template/template.js'

const [folder = '.', ...paths] = process.argv.slice(2)
const replicates = 200

/** Signed grades of a list of pairs, and the subjects of both sides. */
function compare(people, { references, probes }, round) {
  const { dimensions, units, subjectOf } = people
  return Array.from(references, (a, pair) => {
    const b = probes[pair]
    let cosine = 0
    for (let i = 0; i < dimensions; i++) cosine += units[a * dimensions + i] * units[b * dimensions + i]
    const size = Math.min(10_000, Math.floor(Math.abs(cosine) * 10_000))
    const grade = Math.floor(size / round) * round
    return [cosine > 0 ? grade : 0, cosine > 0 ? grade : 0 - grade, subjectOf[a], subjectOf[b]]
  })
}

const bySubject = (list) => ({
  a: Uint32Array.from(list, (row) => row[2]),
  b: Uint32Array.from(list, (row) => row[3]),
  grades: Uint16Array.from(list, (row) => row[0]),
})
const plain = (rate) => rate && { value: rate.value, low: rate.low, high: rate.high, trials: rate.trials }
const interval = ({ value, low, high }) => ({ value, low, high })

function claims(target, { count, trials }) {
  try {
    return claimRate(target, { count, trials, subjects: 1 }).target === target
  } catch (error) {
    if (error.code === 'ERR_EVALUATE_TOO_FEW') return false
    throw error
  }
}

function ratesAt(scores, target) {
  const { threshold = null, falseMatchRate, trueMatchRate } = figuresAt(scores, target)
  const count = Math.round(falseMatchRate.value * falseMatchRate.trials)
  const { trials } = trueMatchRate
  return {
    threshold,
    falseMatchRate: plain(falseMatchRate),
    trueMatchRate: plain(trueMatchRate),
    wilson: wilson(Math.round(trueMatchRate.value * trials), trials),
    within: count > 0 ? ruleOfThirty(count).within : null,
    claim: claims(target, { count, trials: falseMatchRate.trials }),
  }
}

async function overPeople(data, mated, nonMated) {
  const { subjects, threshold } = data
  const options = { seed: data.seed, replicates }
  const wrong = tallyAt(nonMated, subjects, threshold)
  const stricter = tallyAt(nonMated, subjects, threshold + 300)
  const accepted = Array.from({ length: subjects }, () => 0)
  const trials = accepted.slice()
  nonMated.a.forEach((subject, i) => {
    trials[subject]++
    if (nonMated.grades[i] >= threshold) accepted[subject]++
  })
  return {
    falseMatchRate: interval(await subjectRate(wrong, options)),
    trueMatchRate: interval(await subjectRate(tallyAt(mated, subjects, threshold), options)),
    equalError: interval(await subjectEqualError({ subjects, mated, nonMated }, options)),
    difference: interval(await subjectRateDifference(stricter, wrong, options)),
    perSubject: perSubjectRates(accepted, trials),
  }
}

function overGroups(data) {
  const { threshold } = data
  const groups = data.groups.map(([group, list]) => {
    const members = new Set(list)
    const grades = (rows) =>
      Uint16Array.from(
        rows.filter(([, , a, b]) => members.has(a) && members.has(b)),
        ([grade]) => grade,
      )
    return {
      group,
      subjects: members.size,
      scores: { mated: grades(data.mated), nonMated: grades(data.nonMated) },
    }
  })
  const rates = groupRates(groups, threshold)
  const { worst, ratio } = groupSpread(rates)
  return {
    groups: rates.map((row) => ({
      ...row,
      falseMatchRate: plain(row.falseMatchRate),
      trueMatchRate: plain(row.trueMatchRate),
    })),
    spread: { worst, ratio },
  }
}

function overCodes({ codes, bits }) {
  const { worstBias, fair, worstCorrelation, constant, minEntropyBits } = bitStatistics(
    codes.map((code) => Buffer.from(code, 'hex')),
    bits,
  )
  return { worstBias, fair, worstCorrelation, constant, minEntropyBits }
}

async function figuresOf(data) {
  const mated = bySubject(data.mated)
  const nonMated = bySubject(data.nonMated)
  const scores = { mated: mated.grades, nonMated: nonMated.grades }
  const signed = (list) => gradeMoments(Int16Array.from(list, (row) => row[1]))
  const histogram = scoreHistogram(scores)
  const [falseMatchRate, falseNonMatchRate, failureToAcquire, failureToEnroll, people] = data.rates
  const linked = await linkability(scores, { seed: data.seed, bins: data.bins })
  return {
    equalErrorRate: equalErrorRate(scores),
    at: Object.fromEntries(['1e-2', '1e-3', '1e-4'].map((name) => [name, ratesAt(scores, Number(name))])),
    zeroErrorBound: zeroErrorBound(data.nonMated.length),
    det: detPoints(scores).map((point) => [point.threshold, point.falseMatchRate, point.falseNonMatchRate]),
    histogram: { mated: histogram.mated, nonMated: histogram.nonMated },
    linkability: { system: linked.system, maximal: linked.maximal },
    information: informationFigures(scores, { mated: signed(data.mated), nonMated: signed(data.nonMated) }),
    people: await overPeople(data, mated, nonMated),
    groups: overGroups(data),
    bits: overCodes(data),
    transaction: {
      ...transactionRates({ falseMatchRate, falseNonMatchRate, failureToAcquire, failureToEnroll }),
      independentFalsePositives: independentFalsePositives(falseMatchRate, people),
    },
  }
}

async function write(name, dataset, { samples = 4, round = 1 } = {}) {
  const model = { id: 'evaluate@1', dimensions: dataset.dimensions, metric: 'cosine' }
  const people = await loadPeople(dataset, { model, samplesPerSubject: samples })
  const { dimensions, subjects } = people
  const pairs = await choosePairs(people, { impostors: 20_000, seed: name })
  const mated = compare(people, pairs.mated, round)
  const nonMated = compare(people, pairs.nonMated, round)
  const codes = Array.from({ length: Math.min(people.count, 200) }, (_, sample) => {
    const z = people.integers.subarray(sample * dimensions, (sample + 1) * dimensions)
    return Buffer.from(encodeReference(z, 'B4', 64, seededKey(name, sample))).toString('hex')
  })
  const grades = Uint16Array.from(nonMated, ([grade]) => grade)
  const group = (rest) => Array.from({ length: subjects }, (_, i) => i).filter((i) => i % 3 === rest)
  const data = {
    mated,
    nonMated,
    subjects,
    seed: name,
    replicates,
    threshold: thresholdAt(grades, 1e-2) ?? 5000,
    groups: [
      ['one', group(0)],
      ['two', group(1)],
      ['three', group(2)],
    ],
    codes,
    bits: 64,
    bins: 20,
    rates: [1e-4, 0.025, 0.01, 0.005, 1000],
  }
  people.dispose()
  const figures = await figuresOf(data)
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(data))
  writeFileSync(join(folder, `${name}.figures.json`), JSON.stringify(figures))
  // The same as a plain table, which says nothing of people.
  const rows = [...mated.map((row) => ['mated', ...row]), ...nonMated.map((row) => ['nonmated', ...row])]
  writeFileSync(join(folder, `${name}.csv`), rows.map((row) => `${row.join(',')}\n`).join(''))
  const { people: _people, groups: _groups, bits: _bits, transaction: _transaction, ...plainer } = figures
  writeFileSync(join(folder, `${name}.plain.json`), JSON.stringify(plainer))
  console.log(`${name}: ${mated.length} mated, ${nonMated.length} others, ${codes.length} codes`)
}

if (paths.length > 0) {
  for (const path of paths) await write(basename(path), await openDataset(path))
} else {
  const drawn = (seed, subjects, samples, dimensions) =>
    syntheticPeople({ seed, subjects, samples, dimensions })
  await write('overlapping', drawn('overlapping', 100, 4, 64))
  await write('ties', drawn('ties', 40, 4, 64), { round: 500 })
  await write('apart', drawn('apart', 7, 2, 512))
}
