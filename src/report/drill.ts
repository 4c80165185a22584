/** The table of thefts in a report (SPEC §1, §15.8). @module */

import type { DrillReport, TheftFigures } from '../evaluate/figures.ts'
import { type Markup, markup } from './markup.ts'
import { figure, intervalFigures, rateFigures, textFigure } from './number.ts'
import { table } from './table.ts'

const RATES = ['1e-3', '1e-4'] as const

export function drillSection({ bits, impostorsPerTemplate, thefts, genuine, protocol }: DrillReport): Markup {
  return markup`<section id="thefts"><h2>What a thief gains</h2>
<p>Real vaults at ${figure('drill.bits', bits, 'count')} bits were filled, copied and robbed. All figures are over all templates of the row, opened or not: where a set opens
nothing, the thief reads sealed bytes as signs. The area under the curve (AUC) (with a 95 % bootstrap over people) is of the thief's decisions between a photo of the person and photos of
${figure('drill.impostorsPerTemplate', impostorsPerTemplate, 'count')} others; 0.5 is chance. Cosine: to the enrolled face. PRAR: accepted by templates that were issued afterwards, by the false match rate of their threshold.</p>
${table({
  caption: 'Stolen sets and what they yield',
  heading: [
    'stolen',
    'that is',
    'templates',
    'opened',
    'opening ends in',
    'cosine',
    'AUC',
    'PRAR, 0.1 %',
    'PRAR, 0.01 %',
  ],
  rows: [
    ...thefts.map(theftRow),
    [
      'nothing',
      "the person's own enrolled sample, as the measure of the others",
      '–',
      '–',
      '–',
      '–',
      '–',
      ...RATES.map((rate) => rateFigures(`drill.genuine.${rate}`, genuine[rate])),
    ],
  ],
})}
<ul class="plain">${protocol.map((sentence, i) => markup`<li>${textFigure(`drill.protocol.${i}`, sentence)}</li>`)}</ul></section>`
}

function theftRow(theft: TheftFigures, index: number): readonly (Markup | string)[] {
  const path = `drill.thefts.${index}`
  const { stolen, says, measured, templates, opened, ends, cosine, auc, prar } = theft
  const words = textFigure(`${path}.says`, says)
  if (!measured) return [textFigure(`${path}.stolen`, stolen), words, ...Array.from({ length: 7 }, () => '–')]
  return [
    textFigure(`${path}.stolen`, stolen),
    words,
    figure(`${path}.templates`, templates, 'count'),
    figure(`${path}.opened`, opened, 'count'),
    ends.length === 0
      ? 'success'
      : markup`${ends.map((code, i) => markup`${i > 0 ? ', ' : ''}<code data-path="${`${path}.ends.${i}`}">${code}</code>`)}`,
    figure(`${path}.cosine`, cosine, 'decimal'),
    auc === null
      ? figure(`${path}.auc`, null, 'decimal')
      : markup`${figure(`${path}.auc.value`, auc.value, 'decimal')} ${intervalFigures(`${path}.auc`, auc, 'decimal')}`,
    ...RATES.map((rate) => (prar === null ? '–' : rateFigures(`${path}.prar.${rate}`, prar[rate]))),
  ]
}
