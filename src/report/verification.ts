/** Accuracy in a report: error trade-offs, histograms, thresholds, groups (SPEC §15.8). @module */

import type { TargetName, VerificationReport, WayAccuracy } from '../evaluate/figures.ts'
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
  rounded,
  SERIES,
  stepsOf,
  up,
} from './chart.ts'
import { type Markup, markup, NOTHING } from './markup.ts'
import { figure, intervalFigures, type Path, rateFigures, shown } from './number.ts'
import { foldedTable, table } from './table.ts'

const TARGETS: readonly TargetName[] = ['1e-2', '1e-3', '1e-4']
const PATH = 'verification.ways'

/** `asymmetric, 512 bits`. */
export function wayName({ way, bits }: Pick<WayAccuracy, 'way' | 'bits'>): string {
  return bits === null ? 'unprotected cosine' : `${way}, ${bits} bits`
}

export function verificationSection({ ways }: VerificationReport): Markup {
  return markup`<section id="accuracy"><h2>Accuracy</h2>
<p>Right-key comparisons: every reference under a record key of its own, the probe rotated under it. <i>Asymmetric</i> is what a vault
decides by; <i>Hamming</i> compares two stored codes; the cosine of the unprotected embeddings is the limit. Intervals in brackets are of
95 %: of equal error rates over subjects (bootstrap), of rates the wider of that and the exact one over comparisons.</p>
${equalErrorTable(ways)}
${operatingTable(ways)}
<h3>Detection error trade-off</h3>
<div class="charts">${detChart(ways, 'asymmetric')}${detChart(ways, 'hamming')}</div>
${ways.map((way, index) => detTable(way, index))}
<h3>Scores</h3>
<div class="charts">${ways.map((way, index) => (way.way === 'hamming' ? NOTHING : histogramChart(way, index)))}</div>
${ways.map((way, index) => histogramTable(way, index))}
${groupTables(ways)}
${informationTable(ways)}</section>`
}

function equalErrorTable(ways: readonly WayAccuracy[]): Markup {
  return table({
    caption: 'Equal error rate, and the share of mated comparisons that match at a false match rate',
    heading: [
      'comparison',
      'mated',
      'non-mated',
      'EER',
      ...TARGETS.map((name) => `TMR at FMR ${percentOf(name)}`),
    ],
    rows: ways.map((way, index) => {
      const path = `${PATH}.${index}`
      const { eer, at } = way
      return [
        wayName(way),
        figure(`${path}.mated`, way.mated, 'count'),
        figure(`${path}.nonMated`, way.nonMated, 'count'),
        markup`${figure(`${path}.eer.value`, eer.value, 'percent')} ${intervalFigures(`${path}.eer.bySubject`, eer.bySubject, 'percent')}`,
        ...TARGETS.map((name) =>
          at[name] === null
            ? figure(`${path}.at.${name}`, null, 'percent')
            : rateFigures(`${path}.at.${name}.trueMatchRate`, at[name].trueMatchRate),
        ),
      ]
    }),
  })
}

function operatingTable(ways: readonly WayAccuracy[]): Markup {
  const rows = ways.flatMap((way, index) =>
    TARGETS.flatMap((name) => {
      const path = `${PATH}.${index}.at.${name}`
      const found = way.at[name]
      if (found === null) return []
      const { threshold, falseMatchRate, perSubject } = found
      const wider =
        falseMatchRate.bySubject === undefined
          ? NOTHING
          : intervalFigures(`${path}.falseMatchRate.bySubject`, falseMatchRate.bySubject, 'percent')
      return [
        [
          `${wayName(way)}, FMR at most ${percentOf(name)}`,
          figure(`${path}.threshold`, threshold, 'count'),
          rateFigures(`${path}.falseMatchRate`, falseMatchRate),
          wider,
          ...(['median', 'q90', 'q99', 'highest'] as const).map((quantile) =>
            figure(`${path}.perSubject.${quantile}`, perSubject[quantile], 'percent'),
          ),
        ],
      ]
    }),
  )
  return foldedTable({
    caption:
      'Thresholds (ten-thousandths of similarity), measured false match rates, and how they differ between subjects',
    heading: [
      'threshold for',
      'threshold',
      'FMR, over comparisons',
      'over subjects',
      'median subject',
      '90 %',
      '99 %',
      'worst',
    ],
    rows,
  })
}

function detChart(ways: readonly WayAccuracy[], which: 'asymmetric' | 'hamming'): Markup {
  const shownWays = ways.filter(({ way, det }) => (way === which || way === 'cosine') && det.length > 1)
  const x = logAxis('false match rate', [lowest(shownWays, 'falseMatchRate'), 1], PLOT_WIDTH, tickText)
  const y = logAxis(
    'false non-match rate',
    [lowest(shownWays, 'falseNonMatchRate'), 1],
    PLOT_HEIGHT,
    rateText,
  )
  const protectedWays = shownWays.filter(({ way }) => way !== 'cosine')
  const styled = shownWays.map((way) => ({
    way,
    style:
      way.way === 'cosine'
        ? { color: COLORS.black, dash: '' }
        : (SERIES[protectedWays.indexOf(way) % SERIES.length] as (typeof SERIES)[number]),
  }))
  return chart({
    id: `det-${which}`,
    title: `Error trade-off, ${which === 'asymmetric' ? 'the score of a vault (asymmetric)' : 'Hamming distance of codes'}`,
    description: `False non-match rate against false match rate, both logarithmic, down to three counts of the comparisons. ${shownWays.map((way) => `${wayName(way)}: EER ${shown(way.eer.value, 'percent')}`).join('; ')}.`,
    x,
    y,
    marks: [
      equalLine(x, y),
      ...styled.map(({ way, style }) =>
        pathOf(
          way.det.map((point) => [x.at(point.falseMatchRate), up(y, point.falseNonMatchRate)] as const),
          style,
        ),
      ),
    ],
    keys: [
      ...styled.map(({ way, style }) => ({ text: wayName(way), ...style })),
      { text: 'equal errors', color: COLORS.grey, dash: '1 4' },
    ],
  })
}

/** Where both rates are equal. */
function equalLine(x: Axis, y: Axis): Markup {
  return pathOf(
    [1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].map((value) => [x.at(value), up(y, value)] as const),
    { color: COLORS.grey, dash: '1 4' },
  )
}

/** The power of ten, or half of one, below every rate that is drawn. */
function lowest(ways: readonly WayAccuracy[], of: 'falseMatchRate' | 'falseNonMatchRate'): number {
  const rates = ways.flatMap(({ det }) => det.map((point) => point[of])).filter((value) => value > 0)
  const least = Math.min(0.1, ...rates)
  const power = 10 ** Math.floor(Math.log10(least))
  return least >= 3 * power ? 3 * power : power
}

function detTable(way: WayAccuracy, index: number): Markup {
  const every = Math.max(1, Math.ceil(way.det.length / 40))
  const rows = way.det.flatMap((point, i) => {
    if (i % every !== 0 && i !== way.det.length - 1) return []
    const path = `${PATH}.${index}.det.${i}`
    return [
      [
        figure(`${path}.threshold`, point.threshold, 'count'),
        figure(`${path}.falseMatchRate`, point.falseMatchRate, 'percent'),
        figure(`${path}.falseNonMatchRate`, point.falseNonMatchRate, 'percent'),
      ],
    ]
  })
  return foldedTable({
    caption: `Error trade-off of ${wayName(way)}${every > 1 ? ', every so many steps' : ''}`,
    heading: ['threshold', 'false match rate', 'false non-match rate'],
    rows,
  })
}

function histogramChart(way: WayAccuracy, index: number): Markup {
  const { mated, nonMated, from, to } = way.histogram
  const x = linearAxis('similarity', [from, to], PLOT_WIDTH, (value) => value.toFixed(1))
  const all = [...mated, ...nonMated].filter((value) => value > 0)
  const floor = 10 ** Math.floor(Math.log10(Math.max(1e-8, Math.min(...all))))
  const y = logAxis('share of comparisons, per part', [floor, 1], PLOT_HEIGHT, tickText)
  const width = (to - from) / mated.length
  const steps = (shares: readonly number[], color: string): Markup =>
    stepsOf(
      shares.map((share, i) => ({
        x0: x.at(from + i * width),
        x1: x.at(from + (i + 1) * width),
        height: y.at(share),
      })),
      color,
    )
  const lines = TARGETS.flatMap((name, place) => {
    const found = way.at[name]
    if (found === null) return []
    const at = rounded(x.at(found.threshold / 10_000))
    return [
      markup`<path class="line thin" stroke="${COLORS.black}" stroke-dasharray="3 3" d="M${at} ${4 + 15 * place}V${PLOT_HEIGHT}"/>`,
      note(at + 4, 14 + 15 * place, `FMR ${percentOf(name)}`),
    ]
  })
  return chart({
    id: `scores-${index}`,
    title: `Scores, ${wayName(way)}`,
    description: `Shares of all mated and of all non-mated similarities in ${mated.length} equal parts, logarithmic, with the thresholds for the false match rates that could be shown. Similarities that are not positive lie in the first part.`,
    x,
    y,
    marks: [steps(nonMated, COLORS.orange), steps(mated, COLORS.blue), ...lines],
    keys: [
      { text: 'mated', color: COLORS.blue, filled: true },
      { text: 'non-mated', color: COLORS.orange, filled: true },
      ...(lines.length > 0 ? [{ text: 'threshold', color: COLORS.black, dash: '3 3' }] : []),
    ],
  })
}

function histogramTable(way: WayAccuracy, index: number): Markup {
  const { mated, nonMated, from, to } = way.histogram
  const path = `${PATH}.${index}.histogram`
  const width = (to - from) / mated.length
  const rows = mated.flatMap((share, i) =>
    share === 0 && nonMated[i] === 0
      ? []
      : [
          [
            `${(from + i * width).toFixed(3)} to ${(from + (i + 1) * width).toFixed(3)}`,
            figure(`${path}.mated.${i}`, share, 'percent'),
            figure(`${path}.nonMated.${i}`, nonMated[i] as number, 'percent'),
          ],
        ],
  )
  return foldedTable({
    caption: `Scores of ${wayName(way)}`,
    heading: ['similarity', 'of the mated', 'of the non-mated'],
    rows,
  })
}

function groupTables(ways: readonly WayAccuracy[]): Markup {
  const rows = ways.flatMap((way, index) =>
    TARGETS.flatMap((name) =>
      (way.at[name]?.groups ?? []).map((group, place) => {
        const path = `${PATH}.${index}.at.${name}.groups.${place}`
        return [
          `${wayName(way)}, threshold for ${percentOf(name)}`,
          markup`<span data-path="${`${path}.group`}">${group.group}</span>`,
          figure(`${path}.subjects`, group.subjects, 'count'),
          rateFigures(`${path}.falseMatchRate`, group.falseMatchRate),
          rateFigures(`${path}.trueMatchRate`, group.trueMatchRate),
        ]
      }),
    ),
  )
  if (rows.length === 0)
    return markup`<h3>Groups</h3><p>The data set names no groups; rates by group were not measured.</p>`
  return markup`<h3>Groups</h3>${table({
    caption: 'By group, at the threshold of everybody; both samples of a non-mated pair are of the group',
    heading: ['comparison', 'group', 'subjects', 'false match rate', 'true match rate'],
    rows,
  })}`
}

function informationTable(ways: readonly WayAccuracy[]): Markup {
  return markup`<h3>Information</h3><p>What right-key scores tell of a person, in bits; guessing bits are −log<sub>2</sub> of the measured false match rate:
whoever runs the verifier finds an accepted face with about as many guesses.</p>${table({
    caption: 'Information in scores',
    heading: [
      'comparison',
      'degrees of freedom',
      'identity, bits',
      'relative entropy, bits',
      ...TARGETS.map((name) => `guessing at ${percentOf(name)}, bits`),
    ],
    rows: ways.map((way, index) => {
      const path: Path = `${PATH}.${index}.information`
      const { degreesOfFreedom, identityBits, relativeEntropyBits, guessingBits } = way.information
      return [
        wayName(way),
        figure(`${path}.degreesOfFreedom`, degreesOfFreedom, 'decimal'),
        figure(`${path}.identityBits`, identityBits, 'decimal'),
        figure(`${path}.relativeEntropyBits`, relativeEntropyBits, 'decimal'),
        ...TARGETS.map((name) => figure(`${path}.guessingBits.${name}`, guessingBits[name], 'decimal')),
      ]
    }),
  })}`
}

/** `1e-3` as `0.1 %`. */
function percentOf(name: TargetName): string {
  return rateText(Number(name))
}

/** A power of ten, short enough to stand beside an axis. */
function tickText(value: number): string {
  const power = Math.round(Math.log10(value)) + 2
  if (power >= -2) return rateText(value)
  return `10⁻${String(-power).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'.charAt(Number(digit)))} %`
}

/** Powers of ten as per cent, without trailing zeros. */
export function rateText(value: number): string {
  const text = (value * 100).toFixed(12).replace(/\.?0+$/, '')
  return `${text} %`
}
