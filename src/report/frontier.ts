/** The frontier of leak and accuracy: what more bits buy, and what they cost once code and key are stolen (SPEC §15.8). @module */

import type { Evaluation, InversionFigures, WayAccuracy } from '../evaluate/figures.ts'
import {
  type Axis,
  COLORS,
  chart,
  linearAxis,
  logAxis,
  note,
  PLOT_HEIGHT,
  PLOT_WIDTH,
  pathOf,
  pointOf,
  rounded,
  up,
} from './chart.ts'
import { type Markup, markup, NOTHING } from './markup.ts'
import { figure, intervalFigures, rateFigures } from './number.ts'
import { table } from './table.ts'
import { rateText, wayName } from './verification.ts'

/** Of a number of bits above a point, half a digit's width with a little air, in the frame's units. */
const HALF_DIGIT = 4.5

const WAYS = [
  { way: 'asymmetric', color: COLORS.blue, dash: '' },
  { way: 'hamming', color: COLORS.vermilion, dash: '6 3' },
] as const

/** One way of comparing at one number of bits, beside what that many bits leak. */
interface Spot {
  readonly way: WayAccuracy
  readonly wayIndex: number
  readonly leak: InversionFigures
  readonly leakIndex: number
}

export function frontierSection({ verification, inversion }: Evaluation): Markup {
  if (verification === null || inversion === null) return NOTHING
  const attack = inversion.inversions.some((one) => one.attack === 'prior') ? 'prior' : 'linear'
  const spots = verification.ways.flatMap((way, wayIndex): Spot[] => {
    const leakIndex = inversion.inversions.findIndex((one) => one.attack === attack && one.bits === way.bits)
    const leak = inversion.inversions[leakIndex]
    return leak === undefined ? [] : [{ way, wayIndex, leak, leakIndex }]
  })
  if (spots.length === 0) return NOTHING
  const limit = verification.ways.find(({ way }) => way === 'cosine')
  return markup`<section id="frontier"><h2>Leak against accuracy</h2>
<p>No projection escapes this curve: with code and key in one hand, the bits that make a comparison accurate make the preimage near. Only the secrecy of the
key separates the two. Attack: <i>${attack}</i>. The number above a point is that of its stored bits; error bars are 95 % intervals over subjects.</p>
<div class="charts">${frontierChart(spots, limit, {
    id: 'frontier-cosine',
    title: 'Equal error rate against the cosine of the preimage',
    label: 'mean cosine of the preimage to the face',
    leakOf: ({ cosine }) => cosine.mean,
    text: (value) => value.toFixed(1),
  })}${frontierChart(spots, limit, {
    id: 'frontier-prar',
    title: 'Equal error rate against acceptance after a reissue',
    label: 'PRAR at a false match rate of 0.1 %',
    leakOf: ({ prar }) => prar.mean['1e-3']?.value ?? null,
    text: (value) => `${Math.round(100 * value)} %`,
  })}</div>${spotTable(spots)}</section>`
}

interface Leak {
  readonly id: string
  readonly title: string
  readonly label: string
  readonly leakOf: (figures: InversionFigures) => number | null
  readonly text: (value: number) => string
}

function frontierChart(spots: readonly Spot[], limit: WayAccuracy | undefined, leak: Leak): Markup {
  const shownSpots = spots.flatMap((spot) => {
    const at = leak.leakOf(spot.leak)
    return at === null ? [] : [{ ...spot, at }]
  })
  if (shownSpots.length === 0) return NOTHING
  const rates = [...spots.map(({ way }) => way), ...(limit === undefined ? [] : [limit])].flatMap(({ eer }) =>
    [eer.value, eer.bySubject.low, eer.bySubject.high].filter((value) => value > 0),
  )
  const x = linearAxis(leak.label, [0, 1], PLOT_WIDTH, leak.text)
  const y = eerAxis(Math.min(...rates), Math.max(...rates))
  const marks = WAYS.flatMap(({ way: name, color, dash }) => {
    const own = shownSpots.filter(({ way }) => way.way === name)
    return [
      pathOf(
        own.map(({ way, at }) => [x.at(at), up(y, way.eer.value)] as const),
        { color, dash },
      ),
      ...own.map(({ way, at }) =>
        pointOf(
          [x.at(at), up(y, way.eer.value)],
          [up(y, way.eer.bySubject.high), up(y, way.eer.bySubject.low)],
          color,
        ),
      ),
    ]
  })
  return chart({
    id: leak.id,
    title: leak.title,
    description: shownSpots
      .map(
        ({ way, at }) =>
          `${wayName(way)}: ${leak.text(at)}, EER ${rateText(Number(way.eer.value.toPrecision(3)))}`,
      )
      .join('; '),
    x,
    y,
    marks: [...sizeLines(x, shownSpots), ...(limit === undefined ? [] : [limitLine(y, limit)]), ...marks],
    keys: [
      { text: 'asymmetric score', color: COLORS.blue },
      { text: 'Hamming distance', color: COLORS.vermilion, dash: '6 3' },
      ...(limit === undefined ? [] : [{ text: 'unprotected cosine', color: COLORS.black, dash: '2 3' }]),
    ],
  })
}

function eerAxis(low: number, high: number): Axis {
  const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]
  const from = Math.max(1e-5, low * 0.8)
  const to = Math.min(1, high * 2)
  const axis = logAxis('equal error rate', [from, to], PLOT_HEIGHT, rateText)
  const ticks = [1e-4, 2e-4, 5e-4, ...steps].filter((value) => value >= from && value <= to)
  return { ...axis, ticks: ticks.map((value) => ({ value, text: rateText(value) })) }
}

/** Numbers of bits above their points: each in the first row where it touches no other, and inside of the frame. */
function sizeLines(
  x: Axis,
  spots: readonly { readonly way: WayAccuracy; readonly at: number }[],
): readonly Markup[] {
  const places = new Map(spots.map(({ way, at }) => [way.bits, at]))
  const ends: number[] = []
  return [...places].map(([bits, value]) => {
    const text = String(bits)
    const at = rounded(x.at(value))
    const half = text.length * HALF_DIGIT
    const middle = Math.min(Math.max(at, half), PLOT_WIDTH - half)
    const free = ends.findIndex((end) => middle - half > end)
    const row = free < 0 ? ends.length : free
    ends[row] = middle + half
    const y = 14 + 15 * row
    return markup`<path class="grid strong" d="M${at} ${y + 5}V${PLOT_HEIGHT}"/>${note(middle, y, text, { anchor: 'middle' })}`
  })
}

function limitLine(y: Axis, { eer }: WayAccuracy): Markup {
  const at = rounded(up(y, eer.value))
  return markup`<path class="line thin" stroke="${COLORS.black}" stroke-dasharray="2 3" d="M0 ${at}H${PLOT_WIDTH}"/>`
}

function spotTable(spots: readonly Spot[]): Markup {
  return table({
    caption: 'Accuracy and leak side by side',
    heading: [
      'comparison',
      'EER',
      'TMR at FMR 0.1 %',
      'cosine of the preimage',
      'PRAR at 0.1 %',
      'PRAR at 0.01 %',
    ],
    rows: spots.map(({ way, wayIndex, leak, leakIndex }) => {
      const own = `verification.ways.${wayIndex}`
      const stolen = `inversion.inversions.${leakIndex}`
      const at = way.at['1e-3']
      return [
        wayName(way),
        markup`${figure(`${own}.eer.value`, way.eer.value, 'percent')} ${intervalFigures(`${own}.eer.bySubject`, way.eer.bySubject, 'percent')}`,
        at === null ? '–' : rateFigures(`${own}.at.1e-3.trueMatchRate`, at.trueMatchRate),
        figure(`${stolen}.cosine.mean`, leak.cosine.mean, 'decimal'),
        rateFigures(`${stolen}.prar.mean.1e-3`, leak.prar.mean['1e-3']),
        rateFigures(`${stolen}.prar.mean.1e-4`, leak.prar.mean['1e-4']),
      ]
    }),
  })
}
