/** Unlinkability in a report: D↔sys beside chance, and the densities of each linker (SPEC §15.1, §15.8). @module */

import type { LinkageReport, LinkerFigures } from '../evaluate/figures.ts'
import {
  bandAxis,
  COLORS,
  chart,
  linearAxis,
  PLOT_HEIGHT,
  PLOT_WIDTH,
  pathOf,
  rounded,
  stepsOf,
  up,
} from './chart.ts'
import { type Markup, markup, NOTHING } from './markup.ts'
import { figure, intervalFigures } from './number.ts'
import { foldedTable, table } from './table.ts'

const PATH = 'linkage.linkers'

export function linkageSection({ bits, linkers, family, diversity }: LinkageReport): Markup {
  return markup`<section id="linkage"><h2>Unlinkability</h2>
<p>Can two templates of one person be told from those of two people, at ${figure('linkage.bits', bits, 'count')} bits? D<sub>sys</sub> is 0 where they cannot
and 1 where they always can (Gomez-Barrero et al., 2018). Of finitely many scores it is never quite 0: beside it stands what the same scores
give when it is dealt at random which of them are mated. With many linkers some exceed the 95 % quantile by chance:
of ${figure('linkage.family.linkers', family.linkers, 'count')} without keys ${figure('linkage.family.above', family.above, 'count')} did, where chance lets ${figure('linkage.family.expected', family.expected, 'decimal')}; the least p after Holm is ${figure('linkage.family.holm', family.holm, 'decimal')},
so they are ${family.linked ? markup`<strong>linked</strong>` : 'not found to be linked'}. Intervals of areas under the curve (AUC, 0.5 is chance) are of 95 %, over subjects.</p>
<p>${figure('linkage.diversity.reissues', diversity.reissues, 'count')} templates of one face: mean distance ${figure('linkage.diversity.mean', diversity.mean, 'decimal')} of ${figure('linkage.bits', bits, 'count')} bits (expected ${figure('linkage.diversity.expected', diversity.expected, 'decimal')} ± ${figure('linkage.diversity.tolerance', diversity.tolerance, 'decimal')}),
variance ÷ that of random codes ${figure('linkage.diversity.varianceRatio', diversity.varianceRatio, 'decimal')}, the two nearest ${figure('linkage.diversity.nearest', diversity.nearest, 'count')} bits apart, Kolmogorov–Smirnov p ${figure('linkage.diversity.shape.p', diversity.shape.p, 'decimal')}.</p>
${summaryTable(linkers)}
<div class="charts">${systemChart(linkers)}${linkers.map((figures, index) => (figures.setting === 'realms' ? NOTHING : linkerChart(figures, index)))}</div>
${linkers.map((figures, index) => linkerTable(figures, index))}</section>`
}

function nameOf({ linker, keys, setting }: LinkerFigures): string {
  return keys === 'known' ? `${linker}, keys known` : `${linker}, ${setting}`
}

function summaryTable(linkers: readonly LinkerFigures[]): Markup {
  return table({
    caption: 'Global linkability of every linker, with what chance gives',
    heading: [
      'linker',
      'mated',
      'non-mated',
      'D_sys',
      'chance: mean',
      'chance: 95 % quantile',
      'p after Holm',
      'AUC',
      'maximal, bits',
      'unlinkable here',
    ],
    rows: linkers.map((figures, index) => {
      const { linkability } = figures
      const path = `${PATH}.${index}.linkability`
      return [
        nameOf(figures),
        figure(`${path}.mated`, linkability.mated, 'count'),
        figure(`${path}.nonMated`, linkability.nonMated, 'count'),
        figure(`${path}.system`, linkability.system, 'decimal'),
        figure(`${path}.chance.mean`, linkability.chance.mean, 'decimal'),
        figure(`${path}.chance.quantile95`, linkability.chance.quantile95, 'decimal'),
        figure(`${PATH}.${index}.holm`, figures.holm, 'decimal'),
        markup`${figure(`${PATH}.${index}.auc.value`, figures.auc.value, 'decimal')} ${intervalFigures(`${PATH}.${index}.auc.bySubject`, figures.auc.bySubject, 'decimal')}`,
        figure(`${path}.maximal`, linkability.maximal, 'decimal'),
        linkability.unlinkable === undefined ? 'too few pairs' : linkability.unlinkable ? 'yes' : 'no',
      ]
    }),
  })
}

/** Every linker's D_sys over the band of chance. */
function systemChart(linkers: readonly LinkerFigures[]): Markup {
  const {
    axis: x,
    width,
    from,
  } = bandAxis(
    'linker (numbers of the table, from the top)',
    linkers.map((_, index) => String(index + 1)),
  )
  const highest = Math.max(0.1, ...linkers.map(({ linkability }) => linkability.system))
  const y = linearAxis('D_sys', [0, highest > 0.5 ? 1 : highest * 1.15], PLOT_HEIGHT, (value) =>
    value.toFixed(2),
  )
  const marks = linkers.map(({ linkability, keys }, index) => {
    const top = rounded(up(y, linkability.chance.quantile95))
    const color = keys === 'known' ? COLORS.vermilion : COLORS.blue
    return markup`<rect x="${rounded(from(index))}" y="${top}" width="${rounded(width)}" height="${rounded(PLOT_HEIGHT - top)}" fill="${COLORS.grey}" fill-opacity="0.3"/><circle cx="${rounded(x.at(index))}" cy="${rounded(up(y, linkability.system))}" r="5" fill="${color}"/>`
  })
  return chart({
    id: 'linkage-system',
    title: 'D_sys of every linker beside chance',
    description: linkers
      .map((figures) => `${nameOf(figures)}: ${figures.linkability.system.toFixed(3)}`)
      .join('; '),
    x,
    y,
    marks,
    keys: [
      { text: 'keys unknown', color: COLORS.blue, filled: true },
      { text: 'keys known', color: COLORS.vermilion, filled: true },
      { text: 'chance, up to its 95 % quantile', color: COLORS.grey, filled: true },
    ],
  })
}

function linkerChart(figures: LinkerFigures, index: number): Markup {
  const { bins, chance } = figures.linkability
  const first = bins[0]
  const last = bins.at(-1)
  if (first === undefined || last === undefined) return markup``
  const x = linearAxis(
    'linkage score',
    [first.from, last.to === first.from ? first.from + 1 : last.to],
    PLOT_WIDTH,
    short,
  )
  const highest = Math.max(...bins.flatMap(({ mated, nonMated }) => [mated, nonMated]))
  const y = linearAxis(
    'share of pairs; D(s) from 0 to 1 (dotted)',
    [0, highest * 1.08],
    PLOT_HEIGHT,
    (value) => `${short(100 * value)} %`,
  )
  const steps = (kind: 'mated' | 'nonMated', color: string): Markup =>
    stepsOf(
      bins.map((bin) => ({ x0: x.at(bin.from), x1: x.at(bin.to), height: y.at(bin[kind]) })),
      color,
    )
  const local = bins.map((bin) => [x.at((bin.from + bin.to) / 2), PLOT_HEIGHT * (1 - bin.local)] as const)
  return chart({
    id: `linkage-${index}`,
    title: `${index + 1}. ${nameOf(figures)}`,
    description: `Shares of mated and of non-mated pairs by linkage score, and local linkability D(s). D_sys ${figures.linkability.system.toFixed(4)}, chance up to ${chance.quantile95.toFixed(4)}.`,
    x,
    y,
    marks: [
      steps('nonMated', COLORS.orange),
      steps('mated', COLORS.blue),
      pathOf(local, { color: COLORS.black, dash: '1 3' }),
    ],
    keys: [
      { text: 'mated', color: COLORS.blue, filled: true },
      { text: 'non-mated', color: COLORS.orange, filled: true },
      { text: 'D(s): bottom 0, top 1', color: COLORS.black, dash: '1 3' },
    ],
  })
}

function linkerTable(figures: LinkerFigures, index: number): Markup {
  return foldedTable({
    caption: `Scores of linker ${index + 1}, ${nameOf(figures)}`,
    heading: ['part', 'from', 'to', 'of the mated', 'of the non-mated', 'D(s)'],
    rows: figures.linkability.bins.map((bin, i) => {
      const path = `${PATH}.${index}.linkability.bins.${i}`
      return [
        `part ${i + 1}`,
        figure(`${path}.from`, bin.from, 'decimal'),
        figure(`${path}.to`, bin.to, 'decimal'),
        figure(`${path}.mated`, bin.mated, 'percent'),
        figure(`${path}.nonMated`, bin.nonMated, 'percent'),
        figure(`${path}.local`, bin.local, 'decimal'),
      ]
    }),
  })
}

function short(value: number): string {
  return String(Number(value.toPrecision(4))).replace('-', '−')
}
