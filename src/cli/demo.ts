/** `guise demo`: the main job on a temporary store, or accuracy on your own embeddings. @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { openDataset } from '../dataset/open.ts'
import { type AccuracyReport, accuracyReport, type TemplateName } from '../evaluate/report.ts'
import { type Finding, tellStory } from './demo-story.ts'
import { count, exitCode, type Io, percent, Progress, runCommand, table, UsageError } from './io.ts'

const usage = `
Usage: guise demo [--people N] [--seed TEXT] [--json]
       guise demo --data DIR [--keys N] [--impostors N|all] [--seed TEXT] [--json]

Without --data: opens a vault on LMDB in a temporary folder, enrols synthetic people, verifies, steals, revokes,
reissues, rotates, erases, and looks for vectors on the disk.

With --data: accuracy of templates beside the unprotected cosine, on the same pairs. DIR holds embeddings.f32 and
labels.csv (and meta.json), or a .npy file with labels. Every reference has a key of its own.

  --people N      synthetic people, 50 to 100000; default 1000
  --keys N        draws of record keys; default 5
  --impostors N   non-mated comparisons, sampled by the seed; default 600000, or all where there are fewer
  --seed TEXT     default "demo"
  --json          print JSON
`

/** Runs `guise demo …`; `argv` is what follows `demo`. Resolves with the exit code. */
export function demoCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        data: { type: 'string' },
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
    if (values.data !== undefined) return measure(io, { ...values, data: values.data })
    return perform(io, {
      people: wholeNumber(values.people, 50, 100_000),
      seed: values.seed,
      json: values.json,
    })
  })
}

async function perform(
  io: Io,
  options: { readonly people: number; readonly seed: string; readonly json: boolean },
): Promise<number> {
  const findings: Finding[] = []
  let progress = new Progress(io, '')
  let shown = ''
  const onProgress = (label: string, done: number, total: number): void => {
    if (label !== shown) {
      progress.finish()
      progress = new Progress(io, label)
      shown = label
    }
    progress.update(done, total)
  }
  if (!options.json) io.out('Synthetic people, no evidence about real faces.\n\n')
  for await (const finding of tellStory({ ...options, onProgress })) findings.push(finding)
  progress.finish()
  const ok = findings.every((finding) => finding.expected)
  if (options.json) {
    io.out(
      `${JSON.stringify({ synthetic: true, people: options.people, seed: options.seed, ok, findings }, undefined, 2)}\n`,
    )
  } else {
    io.out(
      table([['step', 'what', 'result'], ...findings.map(({ step, what, result }) => [step, what, result])]),
    )
    io.out(ok ? '\nAll as promised.\n' : '\nNOT as promised: see the table.\n')
  }
  return ok ? exitCode.ok : exitCode.failure
}

async function measure(
  io: Io,
  options: {
    readonly data: string
    readonly keys: string
    readonly impostors: string
    readonly seed: string
    readonly json: boolean
  },
): Promise<number> {
  const dataset = await openDataset(options.data)
  const progress = new Progress(io, `scoring ${dataset.name}`)
  const report = await accuracyReport(dataset, {
    model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
    keys: wholeNumber(options.keys, 1, 100),
    impostors: options.impostors === 'all' ? 'all' : wholeNumber(options.impostors, 1, 100_000_000),
    seed: options.seed,
    onProgress: (done, total) => progress.update(done, total),
  })
  progress.finish()
  io.out(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : describe(report))
  return exitCode.ok
}

function describe(report: AccuracyReport): string {
  const names = Object.keys(report.accuracy) as (keyof AccuracyReport['accuracy'])[]
  const rows = names.map((name) => {
    const figures = report.accuracy[name]
    const range = name === 'cosine' ? undefined : report.range[name as TemplateName]
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
  return `${report.dataset}: ${report.subjects} subjects, ${report.samples} samples, d = ${report.dimensions}
${report.protocol}

${table([heading, ...rows])}
${differenceLine(report)}
`
}

function differenceLine({ delta }: AccuracyReport): string {
  const { mean } = delta
  const points = (value: number): string => `${(value * 100).toFixed(2)}`
  return `EER at 512 bits less that of the cosine: ${points(mean.value)} points, 95 % interval ${points(mean.low)} to ${points(mean.high)}`
}

function wholeNumber(text: string, least: number, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new UsageError(`expected a whole number from ${least} to ${most}`)
}
