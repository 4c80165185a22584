/** Inversion in a report: how near a thief of code and key comes, and who accepts it (SPEC §15.8). @module */

import type { InversionFigures, InversionReport, RateFigures } from '../evaluate/figures.ts'
import { bandAxis, COLORS, chart, linearAxis, PLOT_HEIGHT, rounded, up, whisker } from './chart.ts'
import { type Markup, markup, NOTHING } from './markup.ts'
import { figure, rateFigures, widestInterval } from './number.ts'
import { table } from './table.ts'

const PATH = 'inversion.inversions'
const RATES = ['1e-3', '1e-4'] as const
type Kind = 'I' | 'II' | 'III' | 'PRAR'
const KINDS: readonly { readonly kind: Kind; readonly color: string; readonly text: string }[] = [
  { kind: 'I', color: COLORS.grey, text: 'SAR-I: the very template' },
  { kind: 'III', color: COLORS.orange, text: 'SAR-III: another sample, unprotected' },
  { kind: 'II', color: COLORS.sky, text: 'SAR-II: another sample, another key' },
  { kind: 'PRAR', color: COLORS.vermilion, text: 'PRAR: mean over fresh keys' },
]

export function inversionSection(report: InversionReport): Markup {
  const { inversions } = report
  const attacks = [...new Set(inversions.map(({ attack }) => attack))]
  const worst = attacks.includes('prior') ? 'prior' : (attacks[0] ?? '')
  return markup`<section id="inversion"><h2>Inversion and revocation</h2>
<p>A thief has code <em>and</em> key. An exact preimage of the code always exists (SAR-I); what counts is how near it lies to the face, and whether a
template issued <em>afterwards</em> accepts it (post-revocation acceptance, PRAR). <i>Linear</i> knows nothing of the population, <i>prior</i> its mean and
covariance from other people, <i>code</i> knows the same but has a wrong key; <i>none</i> and <i>face</i> are the controls. A thief with a better prior does better.
Intervals of shares are of 95 %, Wilson's over targets or the wider bootstrap over subjects.</p>
${cosineTable(inversions)}
<div class="charts">${cosineChart(inversions, attacks)}${RATES.map((rate) => acceptedChart(inversions, worst, rate))}</div>
${acceptedTable(inversions)}
${accumulationTable(report)}</section>`
}

function cosineTable(inversions: readonly InversionFigures[]): Markup {
  return table({
    caption: 'Cosine between the preimage and the embedding behind the code',
    heading: ['attack', 'bits', 'targets', 'subjects', 'mean', '5 %', 'median', '95 %', 'to another sample'],
    rows: inversions.map((one, index) => {
      const path = `${PATH}.${index}`
      return [
        one.attack,
        figure(`${path}.bits`, one.bits, 'count'),
        figure(`${path}.targets`, one.targets, 'count'),
        figure(`${path}.subjects`, one.subjects, 'count'),
        ...(['mean', 'q05', 'q50', 'q95'] as const).map((name) =>
          figure(`${path}.cosine.${name}`, one.cosine[name], 'decimal'),
        ),
        figure(`${path}.cosineToOther`, one.cosineToOther, 'decimal'),
      ]
    }),
  })
}

function acceptedTable(inversions: readonly InversionFigures[]): Markup {
  return table({
    caption: 'Shares of targets that are accepted, by the false match rate of the threshold',
    heading: [
      'attack, bits',
      'FMR',
      'SAR-I',
      'SAR-II',
      'SAR-III',
      'PRAR, mean over keys',
      'PRAR, worst key',
      'keys',
    ],
    rows: inversions.flatMap((one, index) =>
      RATES.map((rate) => {
        const path = `${PATH}.${index}`
        return [
          `${one.attack}, ${one.bits} bits`,
          rate === '1e-3' ? '0.1 %' : '0.01 %',
          ...(['I', 'II', 'III'] as const).map((kind) =>
            rateFigures(`${path}.sar.${kind}.${rate}`, one.sar[kind][rate]),
          ),
          rateFigures(`${path}.prar.mean.${rate}`, one.prar.mean[rate]),
          rateFigures(`${path}.prar.worst.${rate}`, one.prar.worst[rate]),
          figure(`${path}.prar.keys`, one.prar.keys, 'count'),
        ]
      }),
    ),
  })
}

const ATTACK_COLORS: readonly string[] = [
  COLORS.sky,
  COLORS.vermilion,
  COLORS.purple,
  COLORS.grey,
  COLORS.black,
]

/** Means as bars, 5 % to 95 % of the targets as error bars. */
function cosineChart(inversions: readonly InversionFigures[], attacks: readonly string[]): Markup {
  const bits = [...new Set(inversions.map((one) => one.bits))]
  const { axis: x, width, from } = bandAxis('stored bits', bits.map(String))
  const y = linearAxis('cosine to the face', [0, 1], PLOT_HEIGHT, (value) => value.toFixed(1))
  const part = width / attacks.length
  const marks = inversions.map((one) => {
    const place = attacks.indexOf(one.attack)
    const left = from(bits.indexOf(one.bits)) + place * part
    const { mean, q05, q95 } = one.cosine
    return markup`${bar(left, part, y.at(Math.max(0, mean)), ATTACK_COLORS[place % ATTACK_COLORS.length] as string)}${whisker(left + part / 2, up(y, q95), up(y, q05), COLORS.black)}`
  })
  return chart({
    id: 'inversion-cosine',
    title: 'How near the preimage comes (5 % to 95 % of targets)',
    description: inversions
      .map(({ attack, bits: m, cosine }) => `${attack} at ${m} bits: ${cosine.mean.toFixed(3)}`)
      .join('; '),
    x,
    y,
    marks,
    keys: attacks.map((text, i) => ({
      text,
      color: ATTACK_COLORS[i % ATTACK_COLORS.length] as string,
      filled: true,
    })),
  })
}

function acceptedChart(
  inversions: readonly InversionFigures[],
  attack: string,
  rate: (typeof RATES)[number],
): Markup {
  const those = inversions.filter((one) => one.attack === attack)
  if (those.every(({ sar }) => sar.I[rate] === null)) return NOTHING
  const {
    axis: x,
    width,
    from,
  } = bandAxis(
    'stored bits',
    those.map(({ bits }) => String(bits)),
  )
  const y = linearAxis(
    'share of targets accepted',
    [0, 1],
    PLOT_HEIGHT,
    (value) => `${Math.round(100 * value)} %`,
  )
  const part = width / KINDS.length
  const acceptedOf = (one: InversionFigures, kind: Kind): RateFigures | null =>
    kind === 'PRAR' ? one.prar.mean[rate] : one.sar[kind][rate]
  const marks = those.flatMap((one, index) =>
    KINDS.flatMap(({ kind, color }, place) => {
      const found = acceptedOf(one, kind)
      if (found === null) return []
      const left = from(index) + place * part
      const { interval } = widestInterval(found)
      return [
        bar(left, part, y.at(found.value), color),
        whisker(left + part / 2, up(y, interval.high), up(y, interval.low), COLORS.black),
      ]
    }),
  )
  const text = rate === '1e-3' ? '0.1 %' : '0.01 %'
  return chart({
    id: `inversion-accepted-${rate}`,
    title: `Accepted at a false match rate of ${text}, attack ${attack}`,
    description: those
      .map((one) => `${one.bits} bits: PRAR ${(one.prar.mean[rate]?.value ?? 0).toFixed(3)}`)
      .join('; '),
    x,
    y,
    marks,
    keys: KINDS.map(({ text: words, color }) => ({ text: words, color, filled: true })),
  })
}

function bar(left: number, width: number, height: number, color: string): Markup {
  return markup`<rect x="${rounded(left + 1)}" y="${rounded(PLOT_HEIGHT - height)}" width="${rounded(Math.max(1, width - 2))}" height="${rounded(height)}" fill="${color}" fill-opacity="0.75"/>`
}

function accumulationTable({ accumulation, genuine }: InversionReport): Markup {
  const rows = [
    ...accumulation.map((one, index) => {
      const path = `inversion.accumulation.${index}`
      return [
        `old templates, ${one.bits} bits`,
        figure(`${path}.generations`, one.generations, 'count'),
        figure(`${path}.targets`, one.targets, 'count'),
        figure(`${path}.cosineToOther`, one.cosineToOther, 'decimal'),
        ...RATES.map((rate) => rateFigures(`${path}.prar.${rate}`, one.prar[rate])),
      ]
    }),
    ...genuine.map((one, index) => [
      `the person, ${one.bits} bits`,
      '–',
      '–',
      '–',
      ...RATES.map((rate) => rateFigures(`inversion.genuine.${index}.accepted.${rate}`, one.accepted[rate])),
    ]),
  ]
  if (rows.length === 0) return NOTHING
  return table({
    caption: 'Several old templates of one person with their keys, and the person in place of the thief',
    heading: [
      'who',
      'old templates',
      'targets',
      'cosine to another sample',
      'PRAR at 0.1 %',
      'PRAR at 0.01 %',
    ],
    rows,
  })
}
