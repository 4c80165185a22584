/** `guise calibrate`: from labelled embeddings to an operating-point file (SPEC §12.2). @module */
/// <reference types="node" />

import { join, parse as parsePath } from 'node:path'
import { parseArgs } from 'node:util'
import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { type Calibration, type ClassCalibration, calibrate, type ProbeClass } from '../evaluate/calibrate.ts'
import {
  calibrateGallery,
  type GalleryCalibrateOptions,
  type GalleryCalibration,
} from '../evaluate/calibrate-gallery.ts'
import { EvaluateError } from '../evaluate/errors.ts'
import { groupSpread } from '../evaluate/groups.ts'
import { encodeIdentificationPoint, encodeOperatingPoint } from '../evaluate/operating-file.ts'
import type { OnProgress } from '../evaluate/pace.ts'
import { type Bits, type Rate, showsLowRate } from '../policy/operating-point.ts'
import { BITS } from '../transform/suite.ts'
import { count, exitCode, type Io, Progress, percent, runCommand, table, UsageError } from './io.ts'
import { meanUsage, modelIdOf, readModel } from './model.ts'
import { checkOutputFile, writeWhole } from './output.ts'
import { columnsOptions, columnsUsage, openColumns } from './source.ts'

const usage = `
Usage: guise calibrate --data PATH --fmr RATE --out FILE [options]

Measures false matches between the people of a data set and writes the operating point whose rate is at most RATE.
The people must be others than those who will be enrolled. What the point promises is the upper bound of its rate:
95 %, for as many other people.

  --data PATH        folder with embeddings.f32 or one .npy, labels.csv and perhaps meta.json; or a .f32, .npy,
                     .csv or .jsonl file
  --fmr RATE         highest false match rate, such as 1e-4; at least 3 / comparisons
  --out FILE         operating point as JSON; refused when the file exists, unless --force

  --class NAME       class of probes that the data set holds; default any
  --class NAME=PATH  probes of another class, of the same people, such as masked=PATH: compared with the data set as
                     references; its operating point goes to FILE with .NAME before the end; may be repeated
  --group COLUMN     column of the data set that says a subject's group; default group, where there is one
  --every-group      the threshold keeps RATE within every group, not only over all people
  --gallery N        also writes an identification point for galleries of N people, by searches for everybody else,
                     to FILE with .gallery before the end
  --fpir RATE        with --gallery: highest share of such searches that end with a candidate; default 1e-3
  --gallery-bits M   with --gallery: of the codes that are scanned; default as --bits
  --scan T           with --gallery: threshold of the scan, ten-thousandths; default 1
  --draws N          with --gallery: galleries, each of other people and keys; default 5

  ${columnsUsage}

  --model NAME@V     model id that vaults use; default: the name of the data set, version 1
  ${meanUsage}
  --bits M           stored bits: ${BITS.join(', ')}; default: the largest that is at most d and 512
  --suite B4|B6      default B4, for keys that serve one record
  --impostors N|all  non-mated comparisons, about; default 20000000, or all where there are fewer
  --threads N        default 2, where there are two processors
  --seed TEXT        default "calibrate"
  --force            overwrite FILE
  --json             print JSON
`

const OPTIONS = {
  data: { type: 'string' },
  fmr: { type: 'string' },
  out: { type: 'string' },
  class: { type: 'string', multiple: true },
  group: { type: 'string' },
  ...columnsOptions,
  'every-group': { type: 'boolean', default: false },
  gallery: { type: 'string' },
  fpir: { type: 'string' },
  'gallery-bits': { type: 'string' },
  scan: { type: 'string' },
  draws: { type: 'string' },
  model: { type: 'string' },
  mean: { type: 'string' },
  bits: { type: 'string' },
  suite: { type: 'string', default: 'B4' },
  impostors: { type: 'string' },
  threads: { type: 'string' },
  seed: { type: 'string', default: 'calibrate' },
  force: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

/** What both measurements take. */
interface Common {
  readonly model: Model
  readonly suite: 'B4' | 'B6'
  readonly seed: string
  readonly probeClass: string
  readonly bits?: Bits
}

/** Runs `guise calibrate …`; `argv` is what follows `calibrate`. Resolves with the exit code. */
export function calibrateCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const out = required(values.out, '--out')
    const target = fraction(required(values.fmr, '--fmr'), '--fmr')
    const search = searchOptions(values)
    const { own, others } = classesOf(values.class ?? [])
    const dataset = await openColumns(required(values.data, '--data'), values, values.group)
    const common = commonOptions(values, dataset, own)
    const files = [
      out,
      ...others.map(({ name }) => besides(out, name)),
      ...(search ? [besides(out, 'gallery')] : []),
    ]
    for (const file of files) checkOutputFile(file, values.force)
    const classes = await openClasses(others, dataset, values)
    const calibration = await watch(io, `comparing ${dataset.name}`, (onProgress) =>
      calibrate(dataset, {
        ...common,
        falseMatchRate: target,
        classes,
        everyGroup: values['every-group'],
        onProgress,
        ...(values.impostors !== undefined && { impostors: pairCount(values.impostors) }),
        ...(values.threads !== undefined && { threads: wholeNumber('--threads', values.threads, 1, 64) }),
      }),
    )
    const gallery =
      search &&
      (await watch(io, `searching ${dataset.name}`, (onProgress) =>
        calibrateGallery(dataset, { ...common, ...search, onProgress }),
      ))
    const points = [calibration, ...calibration.classes].map(({ operatingPoint }) =>
      encodeOperatingPoint(operatingPoint),
    )
    if (gallery !== undefined) points.push(encodeIdentificationPoint(gallery.identificationPoint))
    writeWhole(
      points.map((text, i) => ({ path: files[i] as string, text })),
      values.force,
    )
    io.out(
      values.json
        ? `${JSON.stringify({ file: out, files, ...calibration, ...(gallery && { gallery }) }, undefined, 2)}\n`
        : describe(calibration, gallery, files),
    )
    warn(io, calibration, dataset.dimensions)
    return exitCode.ok
  })
}

/** What a vault will say to the points. */
function warn(io: Io, calibration: Calibration, dimensions: number): void {
  const points = [calibration, ...calibration.classes].map(({ operatingPoint }) => operatingPoint)
  if (!points.every(({ falseMatchRate }) => showsLowRate(falseMatchRate)))
    io.err(
      'A vault refuses a false match rate above 1 in 10,000 unless it is opened with allowHighFalseMatchRate.\n',
    )
  if (points.some(({ bits }) => bits > dimensions))
    io.err('A vault refuses more bits than dimensions unless it is opened with allowOvercomplete.\n')
}

/** Their columns are those of the data set. */
async function openClasses(
  others: readonly { readonly name: string; readonly path: string }[],
  { dimensions }: Dataset,
  values: Pick<Values, 'labels' | 'subject' | 'vector'>,
): Promise<readonly ProbeClass[]> {
  const { labels: _, ...columns } = values
  return Promise.all(
    others.map(async ({ name, path }) => {
      const dataset = await openColumns(path, columns)
      if (dataset.dimensions === dimensions) return { name, dataset }
      throw new EvaluateError('ERR_EVALUATE_INPUT', `class ${name} has other dimensions than the data set`)
    }),
  )
}

function commonOptions(values: Values, dataset: Dataset, probeClass: string): Common {
  const id = modelIdOf(values.model, dataset.name)
  const bits = bitsOf('--bits', values.bits)
  return {
    model: readModel(id, dataset.dimensions, values.mean),
    suite: oneOf(values.suite, '--suite', ['B4', 'B6']),
    seed: values.seed,
    probeClass,
    ...(bits !== undefined && { bits }),
  }
}

/** `undefined` without `--gallery`. */
function searchOptions(
  values: Values,
):
  | Pick<
      GalleryCalibrateOptions,
      'gallerySize' | 'falsePositiveRate' | 'galleryBits' | 'scanThreshold' | 'draws'
    >
  | undefined {
  const galleryBits = bitsOf('--gallery-bits', values['gallery-bits'])
  const { gallery, fpir, scan, draws } = values
  if (gallery === undefined) {
    if ([galleryBits, fpir, scan, draws].some((value) => value !== undefined))
      throw new UsageError('--fpir, --gallery-bits, --scan and --draws need --gallery')
    return undefined
  }
  return {
    gallerySize: wholeNumber('--gallery', gallery, 2, 10_000_000),
    falsePositiveRate: fraction(fpir ?? '1e-3', '--fpir'),
    ...(galleryBits !== undefined && { galleryBits }),
    ...(scan !== undefined && { scanThreshold: wholeNumber('--scan', scan, 1, 10_000) }),
    ...(draws !== undefined && { draws: wholeNumber('--draws', draws, 1, 1000) }),
  }
}

/** `--class NAME` says what the data set holds, `--class NAME=PATH` brings other probes. */
function classesOf(given: readonly string[]): {
  readonly own: string
  readonly others: readonly { readonly name: string; readonly path: string }[]
} {
  const names = given.filter((text) => !text.includes('='))
  const others = given
    .filter((text) => text.includes('='))
    .map((text) => ({ name: text.slice(0, text.indexOf('=')), path: text.slice(text.indexOf('=') + 1) }))
  const [own = 'any'] = names
  const all = [own, ...others.map(({ name }) => name)]
  if (names.length > 1)
    throw new UsageError('the data set holds one class; other probes are --class NAME=PATH')
  if (new Set(all).size < all.length || all.includes('gallery'))
    throw new UsageError('classes need names of their own, and none is called gallery')
  if (!all.every((name) => /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/.test(name)))
    throw new UsageError('the name of a class is lower-case letters, digits, dots, dashes')
  return { own, others }
}

/** `point.json` and `masked`: `point.masked.json`. */
function besides(path: string, name: string): string {
  const { dir, name: stem, ext } = parsePath(path)
  return join(dir, `${stem}.${name}${ext}`)
}

async function watch<Result>(
  io: Io,
  label: string,
  task: (onProgress: OnProgress) => Promise<Result>,
): Promise<Result> {
  const progress = new Progress(io, label)
  try {
    return await task((done, total) => progress.update(done, total))
  } finally {
    progress.finish()
  }
}

function describe(
  calibration: Calibration,
  gallery: GalleryCalibration | undefined,
  files: readonly string[],
): string {
  const { operatingPoint, subjects, samples } = calibration
  const { model, suite, bits } = operatingPoint
  const rows = [
    ['model', model],
    ['suite, bits', `${suite}, ${bits}`],
    ['measured on', `${count(subjects)} subjects, ${count(samples)} samples`],
    ...classRows(calibration, files[0] as string, 'no subject has two samples'),
    ...calibration.classes.flatMap((one, i) =>
      classRows(one, files[i + 1] as string, 'no subject is in both sets'),
    ),
  ]
  if (gallery !== undefined) {
    const { scanThreshold, threshold, gallerySize, falsePositiveRate } = gallery.identificationPoint
    rows.push(
      ['identification point', files.at(-1) as string],
      ['gallery', `${count(gallerySize)} people`],
      ['scan threshold, threshold', `${scanThreshold}, ${threshold} of 10000`],
      ['false positive rate', rateText(falsePositiveRate, 'searches')],
      ['strangers searched for', count(gallery.strangers)],
    )
    if (gallery.falseNegativeRate !== undefined)
      rows.push(['false negative rate', rateText(gallery.falseNegativeRate, 'searches')])
  }
  return table([['calibration', ''], ...rows])
}

function classRows(
  { operatingPoint, trueMatchRate, groups }: ClassCalibration,
  file: string,
  why: string,
): string[][] {
  const { probeClass, threshold, falseMatchRate } = operatingPoint
  const spread = groupSpread(groups)
  return [
    ['operating point', file],
    ['probe class', probeClass],
    ['threshold', `${threshold} of 10000`],
    ['false match rate', rateText(falseMatchRate)],
    ['promised at most', percent(falseMatchRate.high, 4)],
    ['true match rate', trueMatchRate === undefined ? `unknown: ${why}` : rateText(trueMatchRate)],
    ...(spread === undefined
      ? []
      : [
          ['worst group', `${spread.worst}: ${rateText(spread.highest)}`],
          ['highest ÷ lowest', spread.ratio === null ? 'none: the lowest is 0' : spread.ratio.toFixed(1)],
        ]),
  ]
}

function rateText({ value, low, high, trials }: Rate, what = 'comparisons'): string {
  return `${percent(value, 4)} (95 %: ${percent(low, 4)} – ${percent(high, 4)}; ${count(trials)} ${what})`
}

function required(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`)
  return value
}

function fraction(text: string, name: string): number {
  const value = Number(text)
  if (value > 0 && value < 1) return value
  throw new UsageError(`${name} is a rate between 0 and 1, such as 1e-4`)
}

function wholeNumber(name: string, text: string, low: number, high: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= low && value <= high) return value
  throw new UsageError(`${name} is a whole number from ${low} to ${high}`)
}

function bitsOf(name: string, text: string | undefined): Bits | undefined {
  const bits = BITS.find((known) => String(known) === text)
  if (text !== undefined && bits === undefined) throw new UsageError(`${name} is one of ${BITS.join(', ')}`)
  return bits
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
