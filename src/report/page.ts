/** The report: one HTML file that needs nothing else, no network and no scripts (SPEC §15.8). @module */

import type { CostFigures, Evaluation, Quartiles, TheftFigures, WayAccuracy } from '../evaluate/figures.ts'
import { drillSection } from './drill.ts'
import { frontierSection } from './frontier.ts'
import { inversionSection } from './inversion.ts'
import { linkageSection } from './linkage.ts'
import { Markup, markup, NOTHING } from './markup.ts'
import { figure, intervalFigures, rateFigures, textFigure } from './number.ts'
import { STYLE } from './style.ts'
import { table } from './table.ts'
import { verificationSection, wayName } from './verification.ts'

const SECTIONS = [
  ['verification', 'accuracy', 'Accuracy'],
  ['linkage', 'linkage', 'Unlinkability'],
  ['inversion', 'inversion', 'Inversion and revocation'],
  ['drill', 'thefts', 'What a thief gains'],
] as const

/** The whole file. Every number in it names the place in `evaluation` that it comes from. */
export function renderReport(evaluation: Evaluation): string {
  const { verification, linkage, inversion, drill, dataset } = evaluation
  const page = markup`<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">
<title>${dataset}: templates of guise, evaluated</title><style>${new Markup([STYLE], [])}</style></head><body>
<header><h1>Face templates evaluated: ${dataset}</h1>
<p class="lead">${figure('subjects', evaluation.subjects, 'count')} subjects, ${figure('samples', evaluation.samples, 'count')} samples,
${figure('dimensions', evaluation.dimensions, 'count')} dimensions, model ${textFigure('model', evaluation.model)}, suite ${textFigure('suite', evaluation.suite)}</p>
${evaluation.synthetic ? markup`<p class="warning"><strong>Synthetic people.</strong> They show that the code works; they are no evidence about real faces.</p>` : NOTHING}
${contents(evaluation)}</header><main>
${summary(evaluation)}
${verification === null ? NOTHING : verificationSection(verification)}
${linkage === null ? NOTHING : linkageSection(linkage)}
${inversion === null ? NOTHING : inversionSection(inversion)}
${frontierSection(evaluation)}
${drill === null ? NOTHING : drillSection(drill)}
${costSection(evaluation.cost)}
${provenance(evaluation)}</main></body></html>`
  return `<!doctype html>\n${page}\n`
}

function contents(evaluation: Evaluation): Markup {
  const { verification, inversion } = evaluation
  const links = [
    ...SECTIONS.flatMap(([name, id, text]) => (evaluation[name] === null ? [] : [{ id, text }])),
    ...(verification !== null && inversion !== null
      ? [{ id: 'frontier', text: 'Leak against accuracy' }]
      : []),
    { id: 'cost', text: 'Cost' },
    { id: 'provenance', text: 'Provenance' },
  ]
  return markup`<nav aria-label="Contents"><ul>${links.map(({ id, text }) => markup`<li><a href="#${id}">${text}</a></li>`)}</ul></nav>`
}

function summary(evaluation: Evaluation): Markup {
  const missing = SECTIONS.filter(([name]) => evaluation[name] === null).map(([, , text]) =>
    text.toLowerCase(),
  )
  return markup`<section id="summary"><h2>In short</h2>
<ul class="facts">${accuracyFacts(evaluation)}${linkageFact(evaluation)}${inversionFacts(evaluation)}${theftFacts(evaluation)}</ul>
<p>${missing.length === 0 ? 'Every part was measured.' : markup`<strong>Not measured: ${missing.join(', ')}.</strong>`} What no run on embeddings can see: whether
the camera saw a living person, faces rebuilt from preimages, people unlike those of the data set, other models, attacks that nobody has thought of, and who
runs the vault's process: that process sees every template it compares.</p></section>`
}

function accuracyFacts({ verification, drill, inversion }: Evaluation): readonly Markup[] {
  if (verification === null) return []
  const bits = drill?.bits ?? inversion?.inversions[0]?.bits
  const wanted = (way: WayAccuracy): boolean =>
    way.way === 'cosine' || (way.way === 'asymmetric' && (bits === undefined || way.bits === bits))
  return verification.ways.flatMap((way, index) => {
    if (!wanted(way)) return []
    const path = `verification.ways.${index}.eer`
    return [
      markup`<li><b>${figure(`${path}.value`, way.eer.value, 'percent')} ${intervalFigures(`${path}.bySubject`, way.eer.bySubject, 'percent')}</b><small>equal error rate, ${wayName(way)}; ${figure(`verification.ways.${index}.mated`, way.mated, 'count')} mated and ${figure(`verification.ways.${index}.nonMated`, way.nonMated, 'count')} non-mated comparisons, interval over subjects</small></li>`,
    ]
  })
}

function linkageFact({ linkage }: Evaluation): readonly Markup[] {
  if (linkage === null) return []
  const unknown = linkage.linkers.flatMap(({ keys, linkability }, index) =>
    keys === 'unknown' ? [{ index, linkability }] : [],
  )
  const [first, ...rest] = unknown
  if (first === undefined) return []
  const highest = rest.reduce((a, b) => (b.linkability.system > a.linkability.system ? b : a), first)
  const path = `linkage.linkers.${highest.index}.linkability`
  const over = unknown.filter(({ linkability }) => linkability.system > linkability.chance.quantile95).length
  return [
    markup`<li><b>D<sub>sys</sub> ${figure(`${path}.system`, highest.linkability.system, 'decimal')}</b><small>highest of ${unknown.length} linkers without keys (chance there: up to ${figure(`${path}.chance.quantile95`, highest.linkability.chance.quantile95, 'decimal')}; ${figure(`${path}.mated`, highest.linkability.mated, 'count')} mated pairs). Above the 95 % quantile of chance: ${over}</small></li>`,
  ]
}

function inversionFacts({ inversion, drill }: Evaluation): readonly Markup[] {
  if (inversion === null) return []
  const attack = inversion.inversions.some((one) => one.attack === 'prior') ? 'prior' : 'linear'
  return inversion.inversions.flatMap((one, index) => {
    if (one.attack !== attack || (drill !== null && one.bits !== drill.bits)) return []
    const path = `inversion.inversions.${index}`
    return [
      markup`<li><b>${figure(`${path}.cosine.mean`, one.cosine.mean, 'decimal')}</b><small>cosine to the face of what a thief of code <em>and</em> key makes at ${figure(`${path}.bits`, one.bits, 'count')} bits, ${attack} attack; ${figure(`${path}.targets`, one.targets, 'count')} targets</small></li>`,
      markup`<li><b>${rateFigures(`${path}.prar.mean.1e-3`, one.prar.mean['1e-3'])}</b><small>of those are accepted by templates issued afterwards, at a false match rate of 0.1 %: reissue does not call back what was stolen with its key</small></li>`,
    ]
  })
}

function theftFacts({ drill }: Evaluation): readonly Markup[] {
  if (drill === null) return []
  const fact = (stolen: string, words: string): Markup => {
    const index = drill.thefts.findIndex((theft) => theft.stolen === stolen)
    const theft: TheftFigures | undefined = drill.thefts[index]
    if (theft === undefined) return NOTHING
    const path = `drill.thefts.${index}`
    return markup`<li><b>${figure(`${path}.opened`, theft.opened, 'count')} of ${figure(`${path}.templates`, theft.templates, 'count')}</b><small>${words}</small></li>`
  }
  return [
    fact('rows+secrets', 'templates open to whoever copies both stores without the keys'),
    fact('operator', 'open to whoever has everything, the key of the provider included'),
    fact('holder', "open to the same thief where the people's devices keep a share"),
  ]
}

function costSection(cost: CostFigures): Markup {
  const times = (
    name: 'enrollMs' | 'compareMs',
    { low, median, high, samples }: Quartiles,
  ): readonly Markup[] => [
    figure(`cost.${name}.median`, median, 'milliseconds'),
    markup`${intervalFigures(`cost.${name}`, { low, high }, 'milliseconds')}`,
    figure(`cost.${name}.samples`, samples, 'count'),
  ]
  return markup`<section id="cost"><h2>Cost</h2>
<p>Bytes of a template as it is stored, and processor time of whole calls of a vault whose store is in memory: keys, sealing, log entry and attempt counting included,
the disk not. Quartiles in brackets.</p>
${table({
  caption: 'Bytes stored for a template',
  heading: ['', 'bytes'],
  rows: [
    ['code', figure('cost.codeBytes', cost.codeBytes, 'count')],
    ['sealed reference row', figure('cost.referenceRowBytes', cost.referenceRowBytes, 'count')],
    ['wrapped secret row', figure('cost.secretRowBytes', cost.secretRowBytes, 'count')],
  ],
})}${table({
  caption: 'Processor time',
  heading: ['call', 'median', 'quartiles', 'calls'],
  rows: [
    ['enrol', ...times('enrollMs', cost.enrollMs)],
    ['verify', ...times('compareMs', cost.compareMs)],
  ],
})}</section>`
}

function provenance(evaluation: Evaluation): Markup {
  const { guise, runtime, command, startedAt, durationMs, seed, protocol } = evaluation
  const parts = [
    ['verification', evaluation.verification],
    ['linkage', evaluation.linkage],
    ['inversion', evaluation.inversion],
  ] as const
  const steps = parts.flatMap(([name, part]) =>
    part === null
      ? []
      : [
          markup`<h3>Protocol: ${name}</h3><p>${figure(`${name}.subjects`, part.subjects, 'count')} subjects, ${figure(`${name}.samples`, part.samples, 'count')} samples, seed “${textFigure(`${name}.seed`, part.seed)}”.</p><ul class="plain">${part.protocol.map((sentence, i) => markup`<li>${textFigure(`${name}.protocol.${i}`, sentence)}</li>`)}</ul>`,
        ],
  )
  return markup`<section id="provenance"><h2>Provenance</h2><dl>
<dt>command</dt><dd><code>${textFigure('command', command)}</code></dd>
<dt>format</dt><dd>${textFigure('format', evaluation.format)}</dd>
<dt>guise</dt><dd>${textFigure('guise', guise)}</dd>
<dt>runtime</dt><dd>${textFigure('runtime', runtime)}</dd>
<dt>seed</dt><dd>${textFigure('seed', seed)}</dd>
<dt>started</dt><dd>${textFigure('startedAt', startedAt)}</dd>
<dt>took</dt><dd>${figure('durationMs', durationMs, 'milliseconds')}</dd></dl>
<ul class="plain">${protocol.map((sentence, i) => markup`<li>${textFigure(`protocol.${i}`, sentence)}</li>`)}</ul>
${steps}</section>`
}
