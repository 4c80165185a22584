/** The export of one person as Markdown, in words for that person (SPEC §12.6). @module */

import type { AuditAction, AuditOutcome } from '../audit/entry.ts'
import type { BasisKind } from '../policy/basis.ts'
import type { State } from '../policy/states.ts'
import type { Held, SubjectExport } from './export-subject.ts'
import { markdownTable, plainText } from './markdown.ts'
import type { Custody } from './types.ts'

const HELD: Readonly<Record<Held, string>> = {
  template:
    'A face template of you is kept: numbers computed from your face and sealed under a key of its own. No picture is kept.',
  record:
    'Your face template was deleted when it was revoked. What is left is the record: dates, legal basis, state.',
  trace:
    'Your face template and everything that leads from your identifier to it were erased. What is left is a signed receipt, and the entries below under a pseudonym.',
  nothing: 'Nothing is held under this name.',
}

const STATES: Readonly<Record<State, string>> = {
  pending: 'made, and not in use yet',
  active: 'in use',
  suspended: 'suspended: it matches nobody',
  held: 'under a legal hold: it matches nobody and is not erased',
  revoked: 'revoked: the template is deleted',
  expired: 'expired: it matches nobody',
  erased: 'erased',
}

const BASES: Readonly<Record<BasisKind, string>> = {
  consent: 'your consent',
  contract: 'a contract with you',
  law: 'a law',
  'vital-interest': 'a vital interest',
}

const CUSTODY: Readonly<Record<Custody['profile'], string>> = {
  operator: 'the operator alone can open it',
  quorum: 'several independent servers must take part before it can be opened',
  holder: 'a device of yours must take part before it can be opened',
  'quorum+holder': 'a device of yours and several independent servers must take part before it can be opened',
}

const OUTCOMES: Readonly<Record<AuditOutcome, string>> = {
  done: 'done',
  match: 'accepted as you',
  nonmatch: 'not accepted as you',
  refused: 'refused, nothing was compared or told',
  failed: 'failed',
}

const ACTIONS: Readonly<Partial<Record<AuditAction, string>>> = {
  enroll: 'a template was made',
  activate: 'put into use',
  suspend: 'suspended',
  resume: 'put into use again',
  hold: 'put under a legal hold',
  release: 'released from a legal hold',
  rebind: 'unlocked after too many failures',
  revoke: 'revoked',
  reissue: 'a new template in the place of the former',
  rotate: 'sealed under a newer key',
  erase: 'erased',
  devices: 'a device was added or removed',
  open: 'the independent servers were asked to take part',
  withdraw: 'you withdrew',
  basis: 'the legal basis was renewed',
  gallery: 'added to or removed from a gallery',
  export: 'this information was given out',
  'reference-add': 'a further template was made, for pictures of another kind',
  'reference-remove': 'a further template was deleted',
}

/** The export's text. */
export function subjectMarkdown(told: SubjectExport): string {
  const { realm, at, held, subject, events } = told
  const sections = [
    ['# What is held about you', '', `Realm ${plainText(realm)}, as of ${at}.`, '', HELD[held]],
    subject === null ? [] : [`You are known there as \`${subject}\`, a pseudonym that says nothing of you.`],
    aboutRecord(told),
    aboutBasis(told),
    aboutTemplates(told),
    comparisonLines(told),
    events.length === 0
      ? []
      : [
          '## What else was done',
          '',
          ...markdownTable(
            ['when', 'what', 'how it ended', 'by', 'why'],
            events.map(({ at: when, what, outcome, by, policy }) => [
              when,
              ACTIONS[what] ?? plainText(what),
              OUTCOMES[outcome],
              named(by),
              named(policy),
            ]),
          ),
        ],
    aboutErasure(told),
    [
      'The other form of this text, JSON, has the same contents. Who stands behind a name in a column *by*, how a template is computed, and to whom you may complain, the operator tells you.',
    ],
  ]
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`
}

/** The comparisons alone. */
export function comparisonsMarkdown(told: SubjectExport): string {
  return `${comparisonLines(told).join('\n')}\n`
}

function aboutRecord({ record, gallery }: SubjectExport): readonly string[] {
  if (record === null) return []
  const { id, state, changedAt, model, bits, custody, exposed, revoked, devices, references = [] } = record
  return [
    '## The record',
    '',
    ...markdownTable(
      ['what', 'is'],
      [
        ['record', `\`${id}\``],
        ['state', STATES[state]],
        ['last changed', changedAt],
        ['revoked because', named(revoked)],
        ['made by the model', plainText(model)],
        ['length', `${bits} bits`],
        ['custody', CUSTODY[custody]],
        [
          'devices that hold a share',
          devices.length === 0 ? '–' : devices.map((one) => `\`${one}\``).join(' '),
        ],
        ...references.map(({ reference, probeClass }): readonly [string, string] => [
          `further template for pictures of the kind ${plainText(probeClass)}`,
          `\`${reference}\``,
        ]),
        ['marked as once stolen with its key', exposed ? 'yes: a match alone does not suffice' : 'no'],
        [
          'gallery',
          gallery === null
            ? 'none: nobody can search for you'
            : `you can be found by a search, for ${plainText(gallery.purpose)}, on the ground of ${BASES[gallery.basis]}`,
        ],
      ],
    ),
  ]
}

function aboutBasis({ basis, retention }: SubjectExport): readonly string[] {
  if (basis === null) return []
  const due =
    retention === null
      ? 'no rule was given for this text'
      : `${retention.dueAt} at the latest, because of ${retention.reason}, if nothing changes`
  return [
    '## Why it is held, and for how long',
    '',
    ...markdownTable(
      ['what', 'is'],
      [
        ['legal basis', BASES[basis.kind]],
        ['purpose', plainText(basis.purpose)],
        ['notice that you were shown', plainText(basis.noticeVersion)],
        ['given', basis.grantedAt],
        ['ends', `${basis.expiresAt}: nothing matches from then on`],
        ['erased', due],
        ['consent was given separately', basis.separateConsent ? 'yes' : 'no'],
        ['person under 14', basis.under14 ? 'yes, with the consent of a guardian' : 'no'],
        ['hash of the evidence', `\`${basis.evidence}\``],
        ...(basis.guardianEvidence === null
          ? []
          : [['hash of the guardian’s consent', `\`${basis.guardianEvidence}\``]]),
      ],
    ),
  ]
}

function aboutTemplates({ templates }: SubjectExport): readonly string[] {
  if (templates.length === 0) return []
  return [
    '## Templates',
    '',
    ...markdownTable(
      ['number', 'made', 'ended', 'by'],
      templates.map(({ number, reference, madeAt, endedAt, endedBy }) => [
        numbered(number, reference),
        madeAt,
        endedAt ?? '–',
        endedBy === null ? '–' : (ACTIONS[endedBy] ?? plainText(endedBy)),
      ]),
    ),
  ]
}

function numbered(number: number, reference: string | undefined): string {
  return reference === undefined ? `${number}` : `${number} of \`${reference}\``
}

function comparisonLines({ comparisons }: SubjectExport): readonly string[] {
  return [
    '## Comparisons with your template',
    '',
    ...(comparisons.length === 0
      ? ['None.']
      : markdownTable(
          ['when', 'how', 'outcome', 'by', 'rule', 'template'],
          comparisons.map(({ at, how, outcome, by, policy, template, reference }) => [
            at,
            how === 'verify' ? 'is it you?' : 'a search found you first',
            OUTCOMES[outcome],
            named(by),
            named(policy),
            template === null ? '–' : numbered(template, reference),
          ]),
        )),
  ]
}

function aboutErasure({ erasure }: SubjectExport): readonly string[] {
  if (erasure === null) return []
  const { unreachableAt, irrecoverable, statement, signature } = erasure
  const copies =
    irrecoverable === 'never'
      ? 'the keys cannot be destroyed, so copies in backups stay readable for whoever has the keys'
      : 'at' in irrecoverable
        ? `since ${irrecoverable.at} no copy can be read any more`
        : `by ${irrecoverable.by} no copy will be readable any more`
  return [
    '## Erasure',
    '',
    ...markdownTable(
      ['what', 'is'],
      [
        ['unreachable since', unreachableAt],
        ['copies in backups', copies],
        ['receipt', `\`${statement}\``],
        ['its signature', `\`${signature}\``],
      ],
    ),
  ]
}

function named(text: string | null): string {
  return text === null ? '–' : plainText(text)
}
