/** The skeleton of an impact assessment: what is measured stands in it, what must be weighed is a blank (GDPR Art. 35, PIPL Art. 55 and 56). @module */

import type { Evaluation, WayAccuracy } from '../evaluate/figures.ts'
import type { RealmFacts } from '../vault/realm-facts.ts'
import {
  blank,
  counts,
  type RecordDocument,
  type RecordLine,
  type RecordSection,
  type RecordsInput,
  value,
} from './records-form.ts'

const TARGETS = ['1e-2', '1e-3', '1e-4'] as const

export function impactAssessment(input: RecordsInput): RecordDocument {
  return {
    name: 'impact-assessment',
    title: 'Impact assessment (DPIA, PIPIA): a skeleton',
    sections: [
      {
        title: 'What is done',
        serves: ['GDPR 35–36', 'PIPL 55–56'],
        lines: [
          value('record of processing', 'the document beside this one', 'guise records'),
          blank(
            'description',
            'the operations from the camera to the decision, with everybody who takes part',
          ),
          blank('views of the persons', 'whom was asked, and what they said'),
        ],
      },
      necessitySection(input),
      ...figureSections(input),
      risksSection(input),
      measuresSection(),
      {
        title: 'Outcome',
        serves: ['GDPR 35–36', 'PIPL 55–56'],
        lines: [
          blank('residual risk', 'what remains after the measures, and who accepts it'),
          blank('prior consultation', 'whether the authority has to be asked'),
          blank('decision', 'by whom, when, until when, and when this is looked at again'),
        ],
      },
    ],
  }
}

function necessitySection({ facts }: RecordsInput): RecordSection {
  const all = facts.purposes.reduce((sum, one) => sum + one.records, 0)
  const own = facts.purposes.reduce((sum, { custody }) => sum + custody.holder + custody['quorum+holder'], 0)
  return {
    title: 'Necessity and proportion',
    serves: ['GDPR 5', 'GDPR 25, 32', 'GDPR 35–36', 'EDPB 11/2024', 'Order 19: face not the only way'],
    lines: [
      blank('why a face', 'what was considered instead, and why it does not suffice'),
      blank('the way without a face', 'how whoever does not want it, or is refused, reaches the same end'),
      value(
        'records whose template opens without a device of the person',
        `${all - own} of ${all}`,
        'state rows, custody',
      ),
      blank('custody', 'why this custody: the EDPB’s Opinion 11/2024 weighs who alone has the keys'),
      value(
        'one-to-many',
        facts.gallery === null ? 'no gallery' : `a gallery of at most ${facts.gallery.limit}`,
        'the head row of the gallery',
      ),
      value('live persons', facts.people, 'state rows'),
      blank('filing', 'whether so many persons call for a filing, and when it was made'),
    ],
  }
}

function figureSections({ evaluation, facts }: RecordsInput): readonly RecordSection[] {
  const serves = ['GDPR 35–36', 'SP 800-63B-4: rate']
  if (evaluation === undefined) {
    const lines = [
      blank(
        'figures',
        'errors, differences between groups, what thieves gain: run guise evaluate on people like yours',
      ),
    ]
    return [{ title: 'Measured figures', serves, lines }]
  }
  const { dataset, synthetic, model, subjects, samples, seed, startedAt } = evaluation
  const evidence = synthetic
    ? 'synthetic people: no evidence about faces'
    : 'real embeddings, as the operator says'
  return [
    {
      title: 'Measured figures',
      serves,
      lines: [
        value(
          'data',
          `${dataset}: ${subjects} subjects, ${samples} samples; ${evidence}`,
          'evaluation.dataset',
        ),
        value('model', model, 'evaluation.model'),
        value(
          'made',
          `${startedAt}, seed ${seed}, guise ${evaluation.guise}, ${evaluation.runtime}`,
          'evaluation.startedAt',
        ),
        inUse(facts, model),
        ...accuracyLines(evaluation, facts),
        ...theftLines(evaluation),
        blank(
          'are these people like yours',
          'age, skin tone, sex, cameras: what the data set does not show of your persons',
        ),
      ],
    },
  ]
}

/** Figures of another model say nothing of the one in use. */
function inUse({ purposes }: RealmFacts, model: string): RecordLine {
  const models = [...new Set(purposes.flatMap((one) => one.models))]
  const other = models.filter((one) => !one.startsWith(`${model}, `))
  const text = other.length === 0 ? 'yes' : `no: records are of ${other.join('; ')}`
  return value('it is the model in use', text, 'evaluation.model, state rows')
}

/** Of the sizes in use; of all where nobody is enrolled yet. */
function accuracyLines({ verification }: Evaluation, { purposes }: RealmFacts): readonly RecordLine[] {
  if (verification === null) return [blank('errors', 'the evaluation has no part verification')]
  const lines: RecordLine[] = []
  const sizes = purposes.flatMap(({ models }) => models)
  for (const [i, one] of verification.ways.entries()) {
    if (one.way !== 'asymmetric') continue
    if (sizes.length > 0 && !sizes.some((size) => size.endsWith(`, ${one.bits ?? 0} bits`))) continue
    const path = `evaluation.verification.ways[${i}]`
    lines.push(value(`equal error rate at ${one.bits ?? 0} bits`, number(one.eer.value), `${path}.eer`))
    for (const target of TARGETS) lines.push(...rateLines(one, target, path))
  }
  return lines
}

function rateLines(one: WayAccuracy, target: (typeof TARGETS)[number], path: string): readonly RecordLine[] {
  const at = one.at[target]
  if (at === null) return []
  const { trueMatchRate: right, falseMatchRate: wrong, groups } = at
  const from = `${path}.at["${target}"]`
  const text = `accepted ${number(right.value)} (95 %: ${number(right.low)} to ${number(right.high)}, n = ${right.trials}); others accepted ${number(wrong.value)} (95 %: ${number(wrong.low)} to ${number(wrong.high)}, n = ${wrong.trials})`
  return [
    value(`at a false match rate of ${target}, ${one.bits ?? 0} bits`, text, from),
    ...groups.map(({ group, subjects, falseMatchRate, trueMatchRate }, i) =>
      value(
        `the same, group ${group}`,
        `${subjects} subjects; accepted ${trueMatchRate === null ? 'too few to tell' : number(trueMatchRate.value)}, others accepted ${falseMatchRate === null ? 'too few to tell' : number(falseMatchRate.value)}`,
        `${from}.groups[${i}]`,
      ),
    ),
  ]
}

function theftLines({ drill, linkage, inversion }: Evaluation): readonly RecordLine[] {
  const lines: RecordLine[] = []
  if (linkage === null) lines.push(blank('can templates be linked', 'the evaluation has no part linkage'))
  else {
    const { family } = linkage
    const text = `${family.above} of ${family.linkers} linkers above chance, ${number(family.expected)} expected; smallest p after Holm ${number(family.holm)}`
    lines.push(
      value('can templates be linked under keys that nobody knows', text, 'evaluation.linkage.family'),
    )
  }
  if (inversion === null)
    lines.push(blank('what of the face a thief regains', 'the evaluation has no part inversion'))
  else {
    const worst = inversion.inversions.reduce((most, one) =>
      one.cosineToOther > most.cosineToOther ? one : most,
    )
    const text = `cosine ${number(worst.cosineToOther)} to another capture, attack ${worst.attack}, ${worst.bits} bits, known ${worst.disclosed}`
    lines.push(value('what of the face a thief regains at worst', text, 'evaluation.inversion.inversions'))
  }
  if (drill === null) lines.push(blank('what thefts open', 'the evaluation has no part drill'))
  else
    for (const [i, { stolen, measured, opened, templates }] of drill.thefts.entries())
      if (measured)
        lines.push(
          value(
            `stolen: ${stolen}`,
            `${opened} of ${templates} templates opened`,
            `evaluation.drill.thefts[${i}]`,
          ),
        )
  return lines
}

function risksSection({ facts }: RecordsInput): RecordSection {
  const spec = 'SPEC §1, §17'
  return {
    title: 'Risks to the persons',
    serves: ['GDPR 35–36', 'PIPL 55–56', 'GDPR 33–34'],
    lines: [
      value(
        'a template is personal data, protected or not',
        'code and key together give the face’s features back',
        'SPEC §17.2, §18',
      ),
      value('whoever has rows, wraps and keys', 'opens templates; a reissue does not undo it', spec),
      value('a running process', 'sees in clear what it compares', 'SPEC §17.4'),
      value('the log', 'says which pseudonym was compared when, and by whom', 'SPEC §18'),
      value('records by state', counts(facts.states), 'state rows'),
      blank('likelihood and severity', 'of each of these for your persons, in your surroundings'),
      blank(
        'wrong refusals and wrong acceptances',
        'what they mean for a person, and who looks at a complaint',
      ),
      blank('other uses', 'what keeps the templates from being used for anything else'),
    ],
  }
}

function measuresSection(): RecordSection {
  return {
    title: 'Measures that guise offers',
    serves: ['GDPR 25, 32', 'GDPR 35–36', 'PIPL 55–56'],
    lines: [
      value(
        'basis, withdrawal, expiry',
        'no template without a basis; no match after its end; withdraw',
        'SPEC §12.1',
      ),
      value('retention', 'guise purge, with signed receipts', 'SPEC §12.4'),
      value('rights', 'guise subject export and log; erase with a receipt', 'SPEC §12.6, §11.3'),
      value('renewal', 'revoke, reissue, rotate; guise campaign', 'SPEC §11'),
      value('limits', 'failures a person, a template and a realm', 'SPEC §12.3'),
      value('log', 'every change and every comparison, under a signed tree', 'SPEC §14'),
      value('a breach', 'guise breach-report names whom it concerns', 'SPEC §11.12'),
      blank('which of them are in use', 'and how that is checked'),
    ],
  }
}

/** Four digits: the same text on every machine. */
function number(of: number): string {
  return String(Number(of.toPrecision(4)))
}
