/** `guise demo`: the main job on a temporary store, with synthetic people or with your own embeddings. @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { openDataset } from '../dataset/open.ts'
import { type AccuracyReport, accuracyReport } from '../evaluate/report.ts'
import { type Cast, castOf, type OnStep, syntheticCast } from './demo-cast.ts'
import type { Finding } from './demo-stage.ts'
import { tellStory } from './demo-story.ts'
import { count, exitCode, type Io, Progress, percent, runCommand, table, UsageError, wrap } from './io.ts'
import { meanUsage, readModel } from './model.ts'

const usage = `
Usage: guise demo [--people N] [--seed TEXT] [--json]
       guise demo --data PATH [--mean FILE] [--keys N] [--impostors N|all] [--seed TEXT] [--json]

Without --data: opens a vault on LMDB in a temporary folder, enrols synthetic people, verifies, steals, revokes,
reissues, rotates, erases, and looks for vectors on the disk.

With --data: accuracy of templates beside the unprotected cosine, on the same pairs, every reference under a key of its
own; then the same story with half of the people, while the other half calibrates.

  --people N      synthetic people, 50 to 20000; default 1000
  --data PATH     folder with embeddings.f32 or one .npy, labels.csv and perhaps meta.json; or a .f32, .npy, .csv
                  or .jsonl file
  ${meanUsage.replace('FILE        ', 'FILE     ')}; of people who are not in the data
  --keys N        draws of record keys; default 5
  --impostors N   non-mated comparisons, sampled by the seed; default 600000, or all where there are fewer
  --seed TEXT     default "demo"
  --json          print JSON

Exit code 1 when something is not as guise promises.
`

/** A table of two such columns beside a short one stays within 120. */
const WIDEST_CELL = 52

/** Runs `guise demo …`; `argv` is what follows `demo`. Resolves with the exit code. */
export function demoCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        data: { type: 'string' },
        mean: { type: 'string' },
        people: { type: 'string', default: '1000' },
        keys: { type: 'string', default: '5' },
        impostors: { type: 'string', default: '600000' },
        seed: { type: 'string', default: 'demo' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const people = wholeNumber('--people', values.people, 50, 20_000)
    const keys = wholeNumber('--keys', values.keys, 1, 100)
    const impostors =
      values.impostors === 'all' ? 'all' : wholeNumber('--impostors', values.impostors, 1, 100_000_000)
    if (values.data !== undefined) return measure(io, { ...values, data: values.data, keys, impostors })
    return perform(io, { people, seed: values.seed, json: values.json })
  })
}

interface Story {
  readonly people: number
  readonly ok: boolean
  readonly findings: readonly Finding[]
}

async function perform(
  io: Io,
  options: { readonly people: number; readonly seed: string; readonly json: boolean },
): Promise<number> {
  if (!options.json) io.out('Synthetic people, no evidence about real faces.\n\n')
  const { ok, findings } = await hear(io, (onStep) => syntheticCast(options.people, options.seed, onStep))
  if (options.json) {
    const { people, seed } = options
    io.out(`${JSON.stringify({ synthetic: true, people, seed, ok, findings }, undefined, 2)}\n`)
  } else io.out(describeStory(findings, ok))
  return ok ? exitCode.ok : exitCode.failure
}

/** The findings of a story, with its progress on the terminal. */
async function hear(io: Io, makeCast: (onStep: OnStep) => Promise<Cast>): Promise<Story> {
  let progress = new Progress(io, '')
  let shown = ''
  const onStep: OnStep = (label, done, total) => {
    if (label !== shown) {
      progress.finish()
      progress = new Progress(io, label)
      shown = label
    }
    progress.update(done, total)
  }
  try {
    const cast = await makeCast(onStep)
    const findings: Finding[] = []
    for await (const finding of tellStory(cast, onStep)) findings.push(finding)
    const ok = findings.every(({ expected }) => expected)
    return { people: cast.people.length, ok, findings }
  } finally {
    progress.finish()
  }
}

async function measure(
  io: Io,
  options: {
    readonly data: string
    readonly mean?: string | undefined
    readonly keys: number
    readonly impostors: number | 'all'
    readonly seed: string
    readonly json: boolean
  },
): Promise<number> {
  const dataset = await openDataset(options.data)
  const model = readModel('measured@1', dataset.dimensions, options.mean)
  const progress = new Progress(io, `scoring ${dataset.name}`)
  const { keys, impostors, seed } = options
  const onProgress: (done: number, total: number) => void = (done, total) => progress.update(done, total)
  const report = await accuracyReport(dataset, { model, keys, impostors, seed, onProgress }).finally(() =>
    progress.finish(),
  )
  if (!options.json) io.out(describe(report))
  const cast = await castOf(dataset, model)
  const vault = cast === undefined ? null : await hear(io, () => Promise.resolve(cast))
  if (options.json) io.out(`${JSON.stringify({ ...report, vault }, undefined, 2)}\n`)
  else if (vault === null) io.out('Too few people with two samples for a vault.\n')
  else {
    io.out(
      `The vault itself with ${count(vault.people)} of these people, calibrated on others of the set:\n\n`,
    )
    io.out(describeStory(vault.findings, vault.ok))
  }
  return vault?.ok === false ? exitCode.failure : exitCode.ok
}

function describeStory(findings: readonly Finding[], ok: boolean): string {
  const rows = findings.map(({ step, what, result, expected }) => [
    step,
    what,
    expected ? result : `NOT AS PROMISED: ${result}`,
  ])
  const verdict = ok ? 'All as promised.' : 'NOT as promised: see the table.'
  return `${table([['step', 'what', 'result'], ...rows], WIDEST_CELL)}\n${verdict}\n`
}

function describe(report: AccuracyReport): string {
  const names = Object.keys(report.accuracy) as (keyof AccuracyReport['accuracy'])[]
  const rows = names.map((name) => {
    const figures = report.accuracy[name]
    const range = name === 'cosine' ? undefined : report.range[name]
    return [
      name === 'cosine' ? 'cosine, unprotected' : `template, ${name.slice(1)} bits`,
      percent(figures.eer),
      range === undefined ? '' : `${percent(range.low)} – ${percent(range.high)}`,
      ...(['1e-2', '1e-3', '1e-4'] as const).map((rate) => {
        const value = figures.tmr[rate]
        return value === null ? '–' : percent(value)
      }),
      count(figures.genuine),
      count(figures.impostor),
    ]
  })
  const heading = ['', 'EER', 'over keys', 'TMR@1e-2', 'TMR@1e-3', 'TMR@1e-4', 'mated', 'non-mated']
  const people = `${count(report.subjects)} subjects, ${count(report.samples)} samples, d = ${report.dimensions}`
  return `${report.dataset}: ${people}
${wrap(report.protocol, 2 * WIDEST_CELL).join('\n')}

${table([heading, ...rows])}
${differenceLine(report)}

`
}

function differenceLine({ delta }: AccuracyReport): string {
  const { value, low, high } = delta.mean
  const [middle, least, most] = [value, low, high].map((part) => (part * 100).toFixed(2))
  return `EER at ${delta.bits} bits less that of the cosine: ${middle} points, 95 % interval ${least} to ${most}`
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new UsageError(`${name} is a whole number from ${least} to ${most}`)
}
