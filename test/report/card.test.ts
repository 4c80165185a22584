/** The card of performance: figures of the files and no others (SPEC §15.8). @module */
import type { Evaluation, InversionReport, LinkageReport, VerificationReport } from 'guise/evaluate'
import { beforeAll, describe, expect, test } from 'vitest'
import { type GoalsFile, renderCard } from '../../src/report/card.ts'
import { shown } from '../../src/report/number.ts'
import { renderReport } from '../../src/report/page.ts'
import { temporaryFolder } from '../unit/cli-support.ts'
import { makeEvaluation } from './evaluation.ts'

const folder = temporaryFolder()
let evaluation: Evaluation

beforeAll(async () => {
  evaluation = (await makeEvaluation(folder.at)).evaluation
}, 240_000)

const machine = { model: 'processor', cores: 2 }
const goals: readonly GoalsFile[] = [
  {
    date: '2026-01-02T00:00:00Z',
    command: 'new',
    node: 'v20',
    machine,
    results: [
      {
        scenario: 'rotate',
        verdicts: [
          { claim: { series: 'kernel', most: 2 }, value: 1.2345, unit: 'µs', holds: true },
          {
            claim: { series: 'whole', over: { variant: 'peer', series: 'all' }, least: 0.5 },
            value: 0.25,
            holds: false,
          },
          { claim: { series: 'absent', most: 1 }, value: null, holds: false },
        ],
      },
    ],
  },
  {
    date: '2026-01-01T00:00:00Z',
    command: 'old',
    node: 'v20',
    machine,
    results: [
      { scenario: 'rotate', verdicts: [{ claim: { series: 'kernel', most: 2 }, value: 7, holds: false }] },
    ],
  },
]

/** All numbers of a file as the card may show them. */
function everyNumber(value: unknown, found: Set<string>): Set<string> {
  if (typeof value === 'number') {
    for (const format of ['percent', 'decimal', 'count', 'milliseconds'] as const)
      found.add(shown(value, format))
    found.add(`${value} B`)
    found.add(String(value))
  } else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) everyNumber(inner, found)
  return found
}

describe('EVALUATE-70', () => {
  test('EVALUATE-70 every number in a table of the card is one of the file', () => {
    const allowed = everyNumber(evaluation, new Set())
    const rows = renderCard([evaluation], [])
      .split('\n')
      .filter((line) => line.startsWith(`| ${evaluation.dataset}`))
    const numbers = rows.flatMap((row) =>
      row
        .slice(evaluation.dataset.length + 2)
        .replaceAll(/`[^`]*`|95 %/g, '')
        .match(/−?\d[\d\u202F.]*(?: (?:%|ms|B)(?![a-z]))?/g),
    )
    expect(rows.length).toBeGreaterThan(7)
    expect(numbers.length).toBeGreaterThan(60)
    expect(numbers.filter((number) => number !== null && !allowed.has(number))).toEqual([])
  })

  test('EVALUATE-70 accuracy is that of the bits that are deployed, with intervals over subjects and comparisons', () => {
    const card = renderCard([evaluation], [])
    const ways = evaluation.verification?.ways ?? []
    for (const way of ways) {
      const { low, high } = way.eer.bySubject
      const text = `${shown(way.eer.value, 'percent')} [${shown(low, 'percent')}, ${shown(high, 'percent')}]`
      const wanted =
        way.way === 'cosine' || (way.way === 'asymmetric' && way.bits === 8 * evaluation.cost.codeBytes)
      if (wanted) expect(card).toContain(`${shown(way.nonMated, 'count')} | ${text}`)
    }
    expect(card).toContain('unprotected cosine')
    expect(card).not.toContain('hamming, ')
  })

  test('EVALUATE-70 goals: the newest run of a scenario, missed first, and what was not measured is neither', () => {
    const card = renderCard([evaluation], goals)
    expect(card).toContain('1 held, 1 missed, 1 not measured')
    const order = [
      'rotate: whole ÷ peer, all | 0.25 | at least 0.5 | **missed** |',
      'rotate: absent',
      'rotate: kernel',
    ]
    const places = order.map((text) => card.indexOf(text))
    expect(places.every((place) => place > 0)).toBe(true)
    expect(places.toSorted((a, b) => a - b)).toEqual(places)
    expect(card).toContain('rotate: kernel | 1.23 µs | at most 2 µs | held | 2026-01-02, processor |')
    expect(card).not.toContain('2026-01-01')
  })

  test('EVALUATE-70 sets keep their order, parts that are missing are named, and names stay text', () => {
    const other: Evaluation = {
      ...evaluation,
      dataset: 'a|b<script>*',
      synthetic: false,
      protocol: ['Not asked for: inversion.', 'Other.'],
      inversion: null,
      linkage: null,
      drill: null,
      verification: null,
    }
    const card = renderCard([other, evaluation], goals)
    expect(card).toContain('| a\\|b\\<script\\>\\* | ')
    expect(card).not.toMatch(/(?<!\\)</)
    expect(card).toContain('Not asked for: inversion.')
    const runs = card.slice(card.indexOf('## Runs'))
    expect(runs.indexOf('* a')).toBeLessThan(runs.indexOf(`* ${evaluation.dataset}:`))
    expect(card.split('\n').filter((line) => line.startsWith('* '))).toHaveLength(2)
    expect(renderCard([other], [])).not.toContain('## Accuracy')
  })
})

describe('EVALUATE-66 what an evaluation could not show', () => {
  const verification = (): VerificationReport => evaluation.verification as VerificationReport
  const inversion = (): InversionReport => evaluation.inversion as InversionReport
  const linkage = (): LinkageReport => evaluation.linkage as LinkageReport
  const nothing = { '1e-3': null, '1e-4': null }

  test('templates that are linked are called so, in the report and on the card', () => {
    const linked: Evaluation = {
      ...evaluation,
      linkage: { ...linkage(), family: { ...linkage().family, linked: true, holm: 0.01 } },
    }
    expect(renderReport(evaluation)).not.toContain('<strong>linked</strong>')
    expect(renderReport(linked)).toContain('<strong>linked</strong>')
    expect(renderCard([linked], [])).toContain('**linked**')
  })

  test('without linkers there is a section and no chart of them', () => {
    const none: Evaluation = { ...evaluation, linkage: { ...linkage(), linkers: [] } }
    const html = renderReport(none)
    expect(html).toContain('<section id="linkage">')
    expect(html).not.toContain('linkage.linkers.0')
    expect(renderCard([none], [])).toContain(' | – | ')
  })

  test('of an attack without a prior the linear one is shown, and of none there is nothing', () => {
    const { inversions } = inversion()
    const linear = inversions.filter(({ attack }) => attack === 'linear')
    expect(linear.length).toBeGreaterThan(0)
    const poorer = { ...evaluation, inversion: { ...inversion(), inversions: linear } }
    expect(renderReport(poorer)).toContain('Attack: <i>linear</i>')
    const none = {
      ...evaluation,
      inversion: { ...inversion(), inversions: [], accumulation: [], genuine: [] },
    }
    const html = renderReport(none)
    expect(html).toContain('<section id="inversion">')
    expect(html).not.toContain('<section id="frontier">')
    expect(html).not.toContain('inversion.accumulation')
  })

  test('rates that so few comparisons cannot show are dashes, and no bars', () => {
    const { inversions } = inversion()
    const blind = inversions.map((one) => ({
      ...one,
      sar: { I: nothing, II: nothing, III: nothing },
      prar: { ...one.prar, mean: nothing },
    }))
    const ways = verification().ways.map((way) => ({
      ...way,
      at: Object.fromEntries(Object.keys(way.at).map((rate) => [rate, null])) as unknown as typeof way.at,
    }))
    const html = renderReport({
      ...evaluation,
      inversion: { ...inversion(), inversions: blind },
      verification: { ...verification(), ways },
    })
    expect(html).toContain('<section id="frontier">')
    expect(html).not.toContain('frontier-prar')
    expect(html).toContain('<td>–')
  })

  test('without the cosine there is no limit in the frontier', () => {
    const ways = verification().ways.filter(({ way }) => way !== 'cosine')
    const html = renderReport({ ...evaluation, verification: { ...verification(), ways } })
    expect(html).toContain('<section id="frontier">')
    expect(html.slice(html.indexOf('<section id="frontier">'))).not.toContain('unprotected cosine</')
  })

  test('a theft that found nothing is a success, one that nobody measured a dash', () => {
    const drill = evaluation.drill as NonNullable<Evaluation['drill']>
    const thefts = drill.thefts.map((theft) => ({
      ...theft,
      measured: false,
      auc: null,
      prar: null,
      ends: [],
    }))
    const poorer: Evaluation = { ...evaluation, drill: { ...drill, thefts } }
    expect(renderReport(poorer)).toContain('<section id="thefts">')
    expect(renderCard([poorer], [])).not.toMatch(/\| \d+ of \d+ \| \d+ of \d+ \|\n/)
    expect(renderReport({ ...evaluation, drill: { ...drill, thefts: [] } })).not.toContain('drill.thefts.0')
  })
})
