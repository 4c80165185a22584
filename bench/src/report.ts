/** What a run prints and keeps: machine, versions, figures, verdicts. @module */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Figure, Result } from './figures.ts'
import type { Claim, Plan } from './scenario.ts'

/** Everything that a figure needs beside it. */
export interface Circumstances {
  readonly date: string
  readonly command: string
  readonly commit: string
  readonly machine: {
    readonly model: string
    readonly cores: number
    readonly memoryGiB: number
    readonly system: string
  }
  readonly node: string
  readonly versions: Readonly<Record<string, string>>
  readonly vectors: 'synthetic'
  readonly rounds: number
  readonly plan: Omit<Plan, 'folder'>
  /** Load average of the last minute, at the beginning and at the end. */
  readonly load: readonly [begin: number, end: number]
}

const PACKAGES = [
  'libsodium-wrappers',
  'cborg',
  '@noble/hashes',
  'lmdb',
  'better-sqlite3',
  'sodium-native',
  'pg',
  'usearch',
  'node-seal',
  'assemblyscript',
]

export function circumstances(
  command: string,
  rounds: number,
  plan: Plan,
  loadAtBegin: number,
): Circumstances {
  const { folder: _, ...kept } = plan
  const [processor] = cpus()
  return {
    date: new Date().toISOString(),
    command,
    commit: commit(),
    machine: {
      model: processor?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      system: `${platform()} ${release()} ${arch()}`,
    },
    node: process.version,
    versions: Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    vectors: 'synthetic',
    rounds,
    plan: kept,
    load: [loadAtBegin, currentLoad()],
  }
}

export function currentLoad(): number {
  return loadavg()[0] ?? Number.NaN
}

/** The header of a run. */
export function headerText(at: Circumstances): string {
  const { machine, plan, load } = at
  const versions = Object.entries(at.versions).map(([name, version]) => `${name} ${version}`)
  return [
    `command   ${at.command}`,
    `date      ${at.date}   commit ${at.commit}`,
    `machine   ${machine.model}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    `software  Node ${at.node}, ${versions.join(', ')}`,
    `vectors   synthetic (seed "${plan.seed}"): of nobody, evidence of speed and size only`,
    `plan      ${at.rounds} rounds, each variant in a fresh process; ${plan.batches} batches of ${plan.batchMs} ms, or ${plan.calls} single calls, a round`,
    `load      ${load[0].toFixed(2)} at the beginning, ${load[1].toFixed(2)} at the end`,
  ].join('\n')
}

/** One scenario as a table. */
export function resultText(result: Result): string {
  const { figures } = result
  const rows = figures.every(({ unit }) => unit === 'bytes') ? sizeRows(figures) : timeRows(figures)
  return [
    `## ${result.scenario}: ${result.question}`,
    ...result.notes.map((note) => `   ${note}`),
    ...table(rows),
    ...verdictLines(result),
    ...noiseLines(result),
  ].join('\n')
}

function timeRows(figures: readonly Figure[]): readonly (readonly string[])[] {
  const head = ['variant', 'what', 'unit', 'median', 'min', 'q1', 'q3', 'max', 'n', 'of guise']
  const rows = figures.map((figure) => [
    figure.variant,
    figure.series,
    figure.unit,
    ...[figure.median, figure.min, figure.q1, figure.q3, figure.max].map(shown),
    String(figure.n),
    ratioOf(figure, figures),
  ])
  return [head, ...rows]
}

/** A line for what stands before the colon of a series, a column for what stands behind it. */
function sizeRows(figures: readonly Figure[]): readonly (readonly string[])[] {
  const lines = new Map<string, string[]>()
  const columns = new Set<string>()
  for (const { series, min, max, n } of figures) {
    const [line = '', column = ''] = series.split(': ')
    columns.add(column)
    const cells = lines.get(line) ?? [line, 'bytes', `n = ${n}`]
    cells.push(min === max ? shown(min) : `${shown(min)}–${shown(max)}`)
    lines.set(line, cells)
  }
  return [['record', 'unit', 'people', ...columns], ...lines.values()]
}

function verdictLines(result: Result): readonly string[] {
  return result.verdicts.map(({ claim, value, holds }) => {
    const of = claim.over === undefined ? '' : ` ÷ ${claim.over.variant}, ${claim.over.series}`
    return `   ${holds ? 'holds' : 'MISSED'}: ${claim.series}${of}: ${shown(value)}, ${bound(claim)}`
  })
}

function bound(claim: Claim): string {
  return 'most' in claim ? `at most ${shown(claim.most)}` : `at least ${shown(claim.least)}`
}

/** Every claim of a run in one line: ours, the peer, the ratio with its least and most of the rounds, the goal. */
export function goalsText(results: readonly Result[]): string {
  const rows = results.flatMap(({ scenario, verdicts }) =>
    verdicts.map(({ claim, value, low, high, own, peer, unit, holds }) => [
      `${scenario}: ${claim.series}`,
      claim.over === undefined ? '' : nameOf(claim.over),
      unit,
      shown(own),
      peer === undefined ? '' : shown(peer),
      shown(value),
      `${shown(low)}–${shown(high)}`,
      bound(claim),
      holds ? 'holds' : 'MISSED',
    ]),
  )
  const missed = rows.filter((row) => row.at(-1) === 'MISSED').length
  const head = ['goal', 'peer', 'unit', 'ours', 'theirs', 'value', 'rounds', 'bound', 'verdict']
  return [`## goals: ${rows.length - missed} hold, ${missed} MISSED`, ...table([head, ...rows])].join('\n')
}

function nameOf({ variant, series }: { readonly variant: string; readonly series: string }): string {
  return variant === 'guise' ? series : variant
}

function noiseLines({ smallestEffect, processorShare }: Result): readonly string[] {
  if (smallestEffect === undefined) return []
  const percent = (100 * smallestEffect).toFixed(1)
  return [
    `   smallest effect: ${percent} % (the same code against itself, its worst round); least processor share ${processorShare.toFixed(2)}`,
  ]
}

/** How the first series of a variant compares with the first of ours. */
function ratioOf(figure: Figure, figures: readonly Figure[]): string {
  const first = figures[0]
  const headline = figures.find(({ variant }) => variant === figure.variant)
  if (first === undefined || headline !== figure || figure.unit !== first.unit) return ''
  return `${shown(figure.median / first.median)}×`
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows.map((row) => {
    const cells = row.map((cell, column) =>
      column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    )
    return `   ${cells.join('  ')}`.trimEnd()
  })
}

/** Three digits that count. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return 'none'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}

function commit(): string {
  try {
    const git = (...args: readonly string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
    const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? ' with changes' : ''}`
  } catch {
    return 'unknown'
  }
}

/** Packages need not export their manifest: the folders where they may lie are asked. */
function versionOf(name: string): string {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as {
        version: string
      }
      return manifest.version
    } catch {
      // Not in this folder.
    }
  }
  return 'missing'
}
