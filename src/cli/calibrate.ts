/** `guise calibrate`: from labelled embeddings to an operating-point file (SPEC §12.2). @module */
/// <reference types="node" />

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { openDataset } from '../dataset/open.ts'
import { type Calibration, calibrate } from '../evaluate/calibrate.ts'
import { encodeOperatingPoint } from '../evaluate/operating-file.ts'
import { HIGHEST_FALSE_MATCH_RATE, type Rate } from '../policy/operating-point.ts'
import { BITS } from '../transform/suite.ts'
import { count, exitCode, type Io, Progress, percent, runCommand, table, UsageError } from './io.ts'
import { meanUsage, readModel } from './model.ts'

const usage = `
Usage: guise calibrate --data PATH --fmr RATE --out FILE [options]

Measures false matches between the people of a data set and writes the operating point whose rate is at most RATE.
The people must be others than those who will be enrolled.

  --data PATH        folder with embeddings.f32 or one .npy, labels.csv and perhaps meta.json; or a .f32, .npy,
                     .csv or .jsonl file
  --fmr RATE         highest false match rate, such as 1e-4; at least 3 / comparisons
  --out FILE         operating point as JSON; refused when the file exists, unless --force

  --model NAME@V     model id that vaults use; default: the name of the data set, version 1
  ${meanUsage}
  --bits M           stored bits: ${BITS.join(', ')}; default: the largest that is at most d and 512
  --suite B4|B6      default B4, for keys that serve one record
  --class NAME       class of probes that the data set holds; default any
  --impostors N|all  non-mated comparisons; default 600000 or more, or all where there are fewer
  --seed TEXT        default "calibrate"
  --force            overwrite FILE
  --json             print JSON
`

const OPTIONS = {
  data: { type: 'string' },
  fmr: { type: 'string' },
  out: { type: 'string' },
  model: { type: 'string' },
  mean: { type: 'string' },
  bits: { type: 'string' },
  suite: { type: 'string', default: 'B4' },
  class: { type: 'string', default: 'any' },
  impostors: { type: 'string' },
  seed: { type: 'string', default: 'calibrate' },
  force: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Runs `guise calibrate …`; `argv` is what follows `calibrate`. Resolves with the exit code. */
export function calibrateCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const out = required(values.out, '--out')
    const dataset = await openDataset(required(values.data, '--data'))
    const id = values.model ?? `${dataset.name.toLowerCase()}@1`
    const model = readModel(id, dataset.dimensions, values.mean)
    const bits = values.bits === undefined ? undefined : BITS.find((known) => String(known) === values.bits)
    if (values.bits !== undefined && bits === undefined)
      throw new UsageError(`--bits is one of ${BITS.join(', ')}`)
    const progress = new Progress(io, `comparing ${dataset.name}`)
    const calibration = await calibrate(dataset, {
      model,
      falseMatchRate: fraction(required(values.fmr, '--fmr')),
      suite: oneOf(values.suite, '--suite', ['B4', 'B6']),
      probeClass: values.class,
      seed: values.seed,
      ...(bits !== undefined && { bits }),
      ...(values.impostors !== undefined && { impostors: pairCount(values.impostors) }),
      onProgress: (done, total) => progress.update(done, total),
    })
    progress.finish()
    writeFileSync(out, encodeOperatingPoint(calibration.operatingPoint), { flag: values.force ? 'w' : 'wx' })
    io.out(
      values.json
        ? `${JSON.stringify({ file: out, ...calibration }, undefined, 2)}\n`
        : describe(calibration, out),
    )
    const { falseMatchRate } = calibration.operatingPoint
    if (falseMatchRate.value > HIGHEST_FALSE_MATCH_RATE) {
      io.err(
        'A vault refuses a false match rate above 1 in 10,000 unless it is opened with allowHighFalseMatchRate.\n',
      )
    }
    return exitCode.ok
  })
}

function describe({ operatingPoint, trueMatchRate, subjects, samples }: Calibration, file: string): string {
  const { model, suite, bits, probeClass, threshold, falseMatchRate } = operatingPoint
  const rows = [
    ['operating point', file],
    ['model', model],
    ['suite, bits', `${suite}, ${bits}`],
    ['probe class', probeClass],
    ['threshold', `${threshold} of 10000`],
    ['false match rate', rateText(falseMatchRate)],
    [
      'true match rate',
      trueMatchRate === undefined ? 'unknown: no subject has two samples' : rateText(trueMatchRate),
    ],
    ['measured on', `${count(subjects)} subjects, ${count(samples)} samples`],
  ]
  return table([['calibration', ''], ...rows])
}

function rateText({ value, low, high, trials }: Rate): string {
  return `${percent(value, 4)} (95 %: ${percent(low, 4)} – ${percent(high, 4)}; ${count(trials)} comparisons)`
}

function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`)
  return value
}

function fraction(text: string): number {
  const value = Number(text)
  if (value > 0 && value < 1) return value
  throw new UsageError('--fmr is a rate between 0 and 1, such as 1e-4')
}

function pairCount(text: string): number | 'all' {
  if (text === 'all') return text
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new UsageError('--impostors is a number of comparisons or all')
}

function oneOf<const Choice extends string>(value: string, name: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new UsageError(`${name} is one of ${choices.join(', ')}`)
  return found
}
