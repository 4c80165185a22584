/** `guise evaluate`: measures a data set in every way there is and writes the figures and the report (SPEC §15.8). @module */
/// <reference types="node" />

import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { toHex } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { syntheticPeople } from '../dataset/synthetic.ts'
import { checkModel } from '../embedding/model.ts'
import { EvaluateError } from '../evaluate/errors.ts'
import type { CostFigures, Evaluation } from '../evaluate/figures.ts'
import { shareRate } from '../evaluate/rates.ts'
import { type Bits, checkOperatingPoint } from '../policy/operating-point.ts'
import { renderCard } from '../report/card.ts'
import { shown } from '../report/number.ts'
import { renderReport } from '../report/page.ts'
import { defaultBits } from '../template/bits.ts'
import { BITS } from '../transform/suite.ts'
import { bitsOf, peopleOf } from './drill.ts'
import { asPromised } from './drill-promise.ts'
import { MOST_PEOPLE, USUAL_PEOPLE } from './drill-report.ts'
import { costFigures } from './evaluate-cost.ts'
import { measureSections, type Plan, SECTIONS, type SectionName, type Sections } from './evaluate-sections.ts'
import { encodeEvaluation, refuseOverwriting, writeFiles } from './evaluate-write.ts'
import { exitCode, type Io, Progress, runCommand, UsageError } from './io.ts'
import { meanUsage, modelIdOf, readModel } from './model.ts'
import { checkOutputFolder } from './output.ts'
import { needed } from './secret.ts'
import { columnsOptions, columnsUsage, openColumns } from './source.ts'
import { version } from './version.ts'

const usage = `
Usage: guise evaluate --data PATH --out FOLDER [options]
       guise evaluate --synthetic SUBJECTS,SAMPLES,DIMENSIONS --out FOLDER [options]

Measures accuracy, unlinkability, inversion and thefts on labelled embeddings, and writes evaluation.json and the report
index.html into FOLDER: one file that needs no network and no scripts.

  --synthetic S,P,D  in place of --data: S people of P samples and D dimensions who do not exist, for times and for trying out
  --data PATH        folder with embeddings.f32 or one .npy, labels.csv and perhaps meta.json; or a .f32, .npy,
                     .csv or .jsonl file
  --out FOLDER       made when missing; files that are there are refused, unless --force
  ${columnsUsage}

  --model NAME@V     model id; default: the name of the data set, version 1
  ${meanUsage}
  --bits M,M…        stored bits to measure: ${BITS.join(', ')}; default all
  --only PART,PART…  ${SECTIONS.map(({ name }) => name).join(', ')}; default all
  --pairs N|all      non-mated comparisons for sizes that take longer; default 2000000; else all are made
  --people N         of the drill, 10 to ${MOST_PEOPLE}; default ${USUAL_PEOPLE}
  --seed TEXT        default "evaluate"
  --card FILE        one page of the figures in Markdown
  --force            replace files
  --json             print evaluation.json too

Exit code 1 when the drill is not as guise promises, or nothing can be measured.
`

const OPTIONS = {
  data: { type: 'string' },
  synthetic: { type: 'string' },
  out: { type: 'string' },
  model: { type: 'string' },
  mean: { type: 'string' },
  ...columnsOptions,
  bits: { type: 'string' },
  only: { type: 'string' },
  pairs: { type: 'string', default: '2000000' },
  people: { type: 'string', default: String(USUAL_PEOPLE) },
  seed: { type: 'string', default: 'evaluate' },
  force: { type: 'boolean', default: false },
  card: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Runs `guise evaluate …`; `argv` is what follows `evaluate`. Resolves with the exit code. */
export function evaluateCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({ args: [...argv], options: OPTIONS })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const out = needed(values.out, '--out')
    const wanted = values.only === undefined ? SECTIONS.map(({ name }) => name) : partsOf(values.only)
    const sizes = values.bits === undefined ? BITS : values.bits.split(',').map(bitsOf)
    const pairs = pairsOf(values.pairs)
    const people = peopleOf(values.people)
    refuseOverwriting(out, values.force)
    checkOutputFolder(out)
    const dataset = await sourceOf(values)
    const model = readModel(modelIdOf(values.model, dataset.name), dataset.dimensions, values.mean)
    const plan: Plan = { model, seed: values.seed, sizes, bits: deployed(dataset, sizes), pairs, people }
    const evaluation = await evaluate(io, dataset, { plan, wanted, argv })
    const json = encodeEvaluation(evaluation)
    writeFiles(out, { 'evaluation.json': json, 'index.html': renderReport(evaluation) })
    if (values.card !== undefined)
      writeFileSync(values.card, renderCard([evaluation], []), { flag: values.force ? 'w' : 'wx' })
    io.out(values.json ? json : describe(evaluation, out))
    const ok = evaluation.drill === null || asPromised(evaluation.drill)
    if (!ok) io.err('The drill is NOT as guise promises: see its table.\n')
    return ok ? exitCode.ok : exitCode.failure
  })
}

async function evaluate(
  io: Io,
  dataset: Dataset,
  {
    plan,
    wanted,
    argv,
  }: { readonly plan: Plan; readonly wanted: readonly SectionName[]; readonly argv: readonly string[] },
): Promise<Evaluation> {
  const clock = systemClock
  const startedAt = new Date(clock.nowMs()).toISOString()
  const startMs = clock.steady().ms
  let progress = new Progress(io, '')
  const taskOf = (
    label: string,
    index: number,
    of: number,
  ): { onProgress: (done: number, total: number) => void } => {
    progress.finish()
    progress = new Progress(io, `${index + 1} of ${of}, ${label}:`)
    const own = progress
    return { onProgress: (done, total) => own.update(done, total) }
  }
  const cost = await costOf(dataset, plan)
  const size = await sizeOf(dataset)
  const { sections, missing } = await measureSections(dataset, plan, wanted, taskOf).finally(() =>
    progress.finish(),
  )
  const suite = Object.values(sections).find((section) => section !== null)?.suite
  if (suite === undefined) {
    const reasons = missing.filter((sentence) => sentence.startsWith('Not measured'))
    throw new EvaluateError('ERR_EVALUATE_TOO_FEW', `no part could be measured. ${reasons.join(' ')}`)
  }
  return {
    format: 'guise-evaluation/1',
    guise: version(),
    runtime: `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}`,
    command: ['guise', 'evaluate', ...argv.map(quoted)].join(' '),
    startedAt,
    durationMs: Math.round(clock.steady().ms - startMs),
    dataset: dataset.name,
    synthetic: dataset.synthetic,
    model: plan.model.id,
    dimensions: dataset.dimensions,
    ...size,
    suite,
    seed: plan.seed,
    protocol: [...missing, ...PROTOCOL],
    ...sections,
    cost,
  }
}

const PROTOCOL: readonly string[] = [
  'Sections that draw from the seed give the same figures again; the keys of the drill are random, and times are of the machine.',
  'The data set is read as it is: duplicates, wrong labels and samples of one sitting are not noticed.',
]

async function costOf(dataset: Dataset, { model, bits }: Plan): Promise<CostFigures> {
  const checked = checkModel(model)
  // Decides nothing here: the strictest threshold, and a rate that claims nothing.
  const point = checkOperatingPoint({
    model: checked.id,
    meanHash: toHex(checked.meanHash),
    suite: 'B4',
    bits,
    probeClass: 'any',
    threshold: 5000,
    falseMatchRate: shareRate(3, 3),
    source: 'none: for measuring time',
  })
  return costFigures(dataset, model, point)
}

/** Everybody in the data set, whatever a part takes of it. */
async function sizeOf(dataset: Dataset): Promise<{ readonly subjects: number; readonly samples: number }> {
  const subjects = new Set<string>()
  let samples = 0
  for await (const { subject, vector } of dataset.read()) {
    vector.fill(0)
    subjects.add(subject)
    samples++
  }
  return { subjects: subjects.size, samples }
}

/** The usual bits of so many dimensions, or the nearest below or above that are measured. */
function deployed(dataset: Dataset, sizes: readonly Bits[]): Bits {
  const usual = defaultBits(dataset.dimensions)
  const sorted = [...sizes].sort((a, b) => a - b)
  return sorted.filter((bits) => bits <= usual).at(-1) ?? (sorted[0] as Bits)
}

function partsOf(text: string): readonly SectionName[] {
  return text.split(',').map((word) => {
    const section = SECTIONS.find(({ name }) => name === word)
    if (section === undefined)
      throw new UsageError(`--only is of ${SECTIONS.map(({ name }) => name).join(', ')}`)
    return section.name
  })
}

type Values = Parameters<typeof openColumns>[1] & {
  readonly data?: string | undefined
  readonly synthetic?: string | undefined
}

function sourceOf(values: Values): Dataset | Promise<Dataset> {
  const { data, synthetic } = values
  if (synthetic === undefined) return openColumns(needed(data, '--data'), values)
  if (data !== undefined) throw new UsageError('give --data or --synthetic, not both')
  const sizes = /^(\d{1,7}),(\d{1,4}),(\d{1,4})$/.exec(synthetic)
  if (sizes === null) throw new UsageError('--synthetic is SUBJECTS,SAMPLES,DIMENSIONS')
  const [subjects = 0, samples = 0, dimensions = 0] = sizes.slice(1).map(Number)
  return syntheticPeople({ seed: 'evaluate', subjects, samples, dimensions })
}

function pairsOf(text: string): number | 'all' {
  if (text === 'all') return text
  const value = Number(text)
  if (/^\d{1,9}$/.test(text) && value > 0) return value
  throw new UsageError('--pairs is a number of comparisons or all')
}

/** As a shell takes it back. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function describe(evaluation: Evaluation, folder: string): string {
  const { verification, protocol, durationMs } = evaluation
  const lines = [
    `${evaluation.dataset}: ${evaluation.subjects} subjects, ${evaluation.samples} samples, ${shown(durationMs / 1000, 'decimal')} s`,
    ...protocol.filter((sentence) => sentence.startsWith('Not ')),
    ...(verification?.ways ?? []).map(
      ({ way, bits, eer }) =>
        `EER ${shown(eer.value, 'percent').padStart(8)}  ${way}${bits === null ? '' : ` ${bits} bits`}`,
    ),
    ...partsDone(evaluation),
    join(folder, 'index.html'),
  ]
  return `${lines.join('\n')}\n`
}

function partsDone(sections: Sections): readonly string[] {
  const { drill } = sections
  return (drill?.thefts ?? [])
    .filter(({ measured }) => measured)
    .map(({ stolen, opened, templates }) => `stolen: ${stolen}: ${opened} of ${templates} templates opened`)
}
