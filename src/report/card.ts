/** One page of figures from evaluation files and benchmark results (SPEC §15.8). @module */

import type {
  Evaluation,
  InversionFigures,
  LinkerFigures,
  RateFigures,
  WayAccuracy,
} from '../evaluate/figures.ts'
import type { Interval } from '../evaluate/rates.ts'
import { shown, widestInterval } from './number.ts'

/** What the card takes of a file in bench/results. */
export interface GoalsFile {
  readonly date: string
  readonly command: string
  readonly node: string
  readonly machine: { readonly model: string; readonly cores: number }
  readonly results: readonly {
    readonly scenario: string
    readonly verdicts: readonly Goal[]
  }[]
}

interface Goal {
  readonly claim: {
    readonly series: string
    readonly over?: { readonly variant: string; readonly series: string }
    readonly most?: number
    readonly least?: number
  }
  /** `null`: one side was not measured. */
  readonly value: number | null
  readonly unit?: string
  readonly holds: boolean
}

/** Markdown, in the order in which the evaluations are given; of goals the newest file that measured a scenario counts. */
export function renderCard(evaluations: readonly Evaluation[], goals: readonly GoalsFile[]): string {
  return [
    '# Performance card',
    'Made by `node bench/dist/card.js`, not by hand: every figure is that of an evaluation file (`guise evaluate`) or of a file in bench/results. Synthetic vectors are behind goals of speed and size. Brackets are 95 % intervals: of equal error rates over subjects, of rates the wider of that and the exact one over comparisons. Thresholds are set on the data that they are scored on.',
    accuracy(evaluations),
    linking(evaluations),
    leak(evaluations),
    thefts(evaluations),
    costs(evaluations),
    goalsText(goals),
    provenance(evaluations),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n')
}

function accuracy(evaluations: readonly Evaluation[]): string {
  const rows = evaluations.flatMap((evaluation) =>
    (evaluation.verification?.ways ?? [])
      .filter(({ way, bits }) => way === 'cosine' || (way === 'asymmetric' && bits === deployed(evaluation)))
      .map((way) => [
        nameOf(evaluation),
        String(evaluation.dimensions),
        `${count(evaluation.verification?.subjects)} / ${count(evaluation.verification?.samples)}`,
        way.bits === null ? 'unprotected cosine' : `template, ${way.bits} bits`,
        `${count(way.mated)} / ${count(way.nonMated)}`,
        withInterval(way.eer.value, way.eer.bySubject),
        ...matches(way),
      ]),
  )
  return section('Accuracy, right keys', [
    [
      'set',
      'd',
      'subjects / samples',
      'comparison',
      'mated / non-mated',
      'EER',
      'TMR at FMR 1 %',
      'TMR at 0.1 %',
      'TMR at 0.01 %',
    ],
    ...rows,
  ])
}

function matches({ at }: WayAccuracy): readonly string[] {
  return (['1e-2', '1e-3', '1e-4'] as const).map((target) => rateText(at[target]?.trueMatchRate ?? null))
}

function linking(evaluations: readonly Evaluation[]): string {
  const rows = evaluations.flatMap((evaluation) => {
    const { linkage } = evaluation
    if (linkage === null) return []
    const { linkers, above, expected, holm, linked } = linkage.family
    const unknown = highest(linkage.linkers.filter(({ keys }) => keys === 'unknown'))
    const known = highest(linkage.linkers.filter(({ keys }) => keys === 'known'))
    return [
      [
        nameOf(evaluation),
        String(linkage.bits),
        unknown === undefined ? '–' : linkerText(unknown, true),
        `${above} of ${linkers} (chance ${shown(expected, 'decimal')})`,
        shown(holm, 'decimal'),
        linked ? '**linked**' : 'nothing found',
        known === undefined ? '–' : linkerText(known, false),
      ],
    ]
  })
  return section('Linking two templates of one person', [
    [
      'set',
      'bits',
      'highest D_sys, keys unknown',
      'linkers above their 95 % quantile',
      'least p (Holm)',
      'verdict',
      'highest D_sys, keys known',
    ],
    ...rows,
  ])
}

function highest(linkers: readonly LinkerFigures[]): LinkerFigures | undefined {
  return linkers.toSorted((a, b) => b.linkability.system - a.linkability.system)[0]
}

function linkerText({ linker, linkability, auc }: LinkerFigures, beside: boolean): string {
  const { system, mated, chance } = linkability
  const dealt = beside ? `; chance up to ${shown(chance.quantile95, 'decimal')}` : ''
  return `${shown(system, 'decimal')} (\`${linker}\`${dealt}; ${count(mated)} mated), AUC ${shown(auc.value, 'decimal')} [${shown(auc.bySubject.low, 'decimal')}, ${shown(auc.bySubject.high, 'decimal')}]`
}

/** What the best measured attack makes of code and key, and of the code with a wrong key. */
function leak(evaluations: readonly Evaluation[]): string {
  const rows = evaluations.flatMap((evaluation) => {
    const own = evaluation.inversion?.inversions.filter(({ bits }) => bits === deployed(evaluation)) ?? []
    const labels = { prior: 'code and key', code: 'code, wrong key', face: 'the face (control)' } as const
    return (['prior', 'code', 'face'] as const).flatMap((attack) => {
      const found = own.find((one) => one.attack === attack)
      return found === undefined ? [] : [leakRow(evaluation, labels[attack], found)]
    })
  })
  return section('What a stolen template gives', [
    [
      'set',
      'bits',
      'stolen',
      'targets / subjects',
      'cosine to the face',
      'accepted after reissue, FMR 0.1 %',
      'FMR 0.01 %',
    ],
    ...rows,
  ])
}

function leakRow(evaluation: Evaluation, stolen: string, found: InversionFigures): readonly string[] {
  return [
    nameOf(evaluation),
    String(found.bits),
    stolen,
    `${count(found.targets)} / ${count(found.subjects)}`,
    shown(found.cosine.mean, 'decimal'),
    rateText(found.prar.mean['1e-3']),
    rateText(found.prar.mean['1e-4']),
  ]
}

function thefts(evaluations: readonly Evaluation[]): string {
  const kinds = [
    'rows+secrets',
    'rows+secrets+keys',
    'old rows',
    'erased',
    'holder',
    'operator',
    'holder+devices',
  ]
  const rows = evaluations.flatMap((evaluation) => {
    const { drill } = evaluation
    if (drill === null) return []
    return [
      [
        nameOf(evaluation),
        String(drill.bits),
        ...kinds.map((kind) => {
          const theft = drill.thefts.find(({ stolen }) => stolen === kind)
          return theft?.measured === true ? `${theft.opened} of ${theft.templates}` : '–'
        }),
      ],
    ]
  })
  return section('Templates that a thief opened', [
    ['set', 'bits', ...kinds.map((kind) => `\`${kind}\``)],
    ...rows,
  ])
}

function costs(evaluations: readonly Evaluation[]): string {
  return section('Cost of a template; processor time of whole calls, store in memory', [
    [
      'set',
      'code',
      'reference row',
      'secret row',
      'enrol, median [quartiles]',
      'verify, median [quartiles]',
      'calls',
    ],
    ...evaluations.map((evaluation) => {
      const { codeBytes, referenceRowBytes, secretRowBytes, enrollMs, compareMs } = evaluation.cost
      const time = ({ low, median, high }: typeof enrollMs): string =>
        `${shown(median, 'milliseconds')} [${shown(low, 'milliseconds')}, ${shown(high, 'milliseconds')}]`
      return [
        nameOf(evaluation),
        ...[codeBytes, referenceRowBytes, secretRowBytes].map((bytes) => `${bytes} B`),
        time(enrollMs),
        time(compareMs),
        count(enrollMs.samples),
      ]
    }),
  ])
}

/** Every goal of the newest run of each scenario: the missed ones first. */
function goalsText(files: readonly GoalsFile[]): string {
  const newest = new Map<string, { readonly file: GoalsFile; readonly verdicts: readonly Goal[] }>()
  for (const file of files.toSorted((a, b) => a.date.localeCompare(b.date)))
    for (const { scenario, verdicts } of file.results ?? [])
      if (verdicts.length > 0) newest.set(scenario, { file, verdicts })
  const rows = [...newest].flatMap(([scenario, { file, verdicts }]) =>
    verdicts.map((goal) => ({ goal, scenario, run: runOf(file) })),
  )
  if (rows.length === 0) return ''
  const held = rows.filter(({ goal }) => goal.holds)
  const unmeasured = rows.filter(({ goal }) => !goal.holds && goal.value === null)
  const missed = rows.filter(({ goal }) => !goal.holds && goal.value !== null)
  return section(
    `Goals of speed and size: ${held.length} held, ${missed.length} missed, ${unmeasured.length} not measured`,
    [
      ['goal', 'measured', 'bound', 'verdict', 'run'],
      ...[...missed, ...unmeasured, ...held].map(({ goal, scenario, run }) => {
        const { claim, value, unit } = goal
        const over = claim.over === undefined ? '' : ` ÷ ${claim.over.variant}, ${claim.over.series}`
        const of = claim.over === undefined && unit !== undefined ? ` ${unit}` : ''
        const verdict = value === null ? 'not measured' : goal.holds ? 'held' : '**missed**'
        return [
          `${scenario}: ${claim.series}${over}`,
          value === null ? '–' : `${digits(value)}${of}`,
          `${bound(claim)}${of}`,
          verdict,
          run,
        ]
      }),
    ],
  )
}

/** A machine is half as fast again as another: who reads a goal must see where it was measured. */
function runOf({ date, machine }: GoalsFile): string {
  return `${date.slice(0, 10)}, ${escaped(machine.model)}`
}

function bound({ most, least }: Goal['claim']): string {
  return most === undefined ? `at least ${digits(least ?? 0)}` : `at most ${digits(most)}`
}

function provenance(evaluations: readonly Evaluation[]): string {
  const lines = evaluations.map(
    (evaluation) =>
      `* ${nameOf(evaluation)}: guise ${evaluation.guise}, ${evaluation.runtime}, ${evaluation.startedAt}, ${shown(evaluation.durationMs / 1000, 'decimal')} s, seed \`${evaluation.seed}\`, suite ${evaluation.suite}.${evaluation.protocol
        .filter((sentence) => sentence.startsWith('Not '))
        .map((sentence) => ` ${escaped(sentence)}`)
        .join('')}`,
  )
  return `## Runs\n\n${lines.join('\n')}`
}

/** The bits that a template of these dimensions is deployed with: those that cost and drill were measured at. */
function deployed({ cost }: Evaluation): number {
  return 8 * cost.codeBytes
}

function nameOf({ dataset, synthetic }: Evaluation): string {
  return `${escaped(dataset)}${synthetic ? ' (synthetic: no evidence about faces)' : ''}`
}

function rateText(rate: RateFigures | null): string {
  return rate === null ? '–' : withInterval(rate.value, widestInterval(rate).interval)
}

function withInterval(value: number, { low, high }: Interval): string {
  return `${shown(value, 'percent')} [${shown(low, 'percent')}, ${shown(high, 'percent')}]`
}

function count(value: number | undefined): string {
  return value === undefined ? '–' : shown(value, 'count')
}

/** Three digits that count, without an exponent. */
function digits(value: number): string {
  if (value !== 0 && Math.abs(value) < 0.0001) return value.toExponential(1)
  return Math.abs(value) >= 100
    ? Math.round(value).toLocaleString('en')
    : String(Number(value.toPrecision(3)))
}

/** A table; nothing where there is only a heading. */
function section(title: string, [heading = [], ...rows]: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [`## ${title}`, '', line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Texts of files stay texts: no markup, no new cells. */
function escaped(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').replace(/[\\`*_[\]<>|#&]/g, '\\$&')
}
