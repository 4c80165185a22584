/** The record of processing activities: who, what for, whose data, how long, how kept (GDPR Art. 30, PIPL Art. 55 and 56). @module */

import type { RetentionPolicy } from '../policy/retention.ts'
import type { PurposeFacts } from '../vault/realm-facts.ts'
import {
  blank,
  counts,
  type RecordDocument,
  type RecordLine,
  type RecordSection,
  type RecordsInput,
  value,
} from './records-form.ts'

const DAY_MS = 86_400_000

export function recordOfProcessing(input: RecordsInput): RecordDocument {
  return {
    name: 'record-of-processing',
    title: 'Record of processing activities',
    sections: [
      {
        title: 'Who is responsible',
        serves: ['GDPR 30', 'PIPL 55–56'],
        lines: [
          blank(
            'controller',
            'name and contact of the controller, of joint controllers and of a representative',
          ),
          blank('data protection officer', 'name and contact'),
          blank(
            'processors',
            'who runs stores, key provider, share holders and vault on behalf of the controller',
          ),
          value('realm', input.facts.realm, 'the keyring'),
        ],
      },
      ...purposeSections(input),
      personsSection(input),
      {
        title: 'Recipients and transfers',
        serves: ['GDPR 30', 'PIPL 55–56', 'Order 19: storage in the device'],
        lines: [
          blank('recipients', 'to whom results, exports or copies go, and who may read the log'),
          blank('transfers', 'to third countries or abroad, and the safeguards'),
          blank('network', 'whether embeddings leave the device that captured them, and on which ground'),
        ],
      },
      retentionSection(input),
      securitySection(input),
    ],
  }
}

function purposeSections({ facts }: RecordsInput): readonly RecordSection[] {
  const sections = facts.purposes.map(purposeSection)
  const empty: RecordLine[] =
    facts.purposes.length > 0 ? [] : [value('purposes', 'none: no record is kept', 'state rows')]
  const { gallery } = facts
  const search =
    gallery === null
      ? value(
          'search among all',
          'no gallery is declared: nobody can be searched for',
          'the head row of the gallery',
        )
      : value(
          'search among all',
          `a gallery for ${gallery.purpose}, on the ground of ${gallery.basis}, of at most ${gallery.limit} members`,
          'the head row of the gallery',
        )
  const lines = [...empty, search]
  if (gallery !== null) lines.push(blank('why a search', 'why a comparison with one person does not suffice'))
  return [...sections, { title: 'Search', serves: ['GDPR 30', 'EDPB 11/2024', 'AI Act 12'], lines }]
}

function purposeSection(one: PurposeFacts): RecordSection {
  const rows = `state rows of purpose ${one.purpose}`
  return {
    title: `Purpose ${one.purpose}`,
    serves: ['GDPR 6, 9', 'GDPR 30', 'PIPL 29', 'PIPL 55–56', 'SP 800-63A-4: consent recorded'],
    lines: [
      blank('in words', 'what the comparison decides, for whom, and what happens to whoever is refused'),
      value('records', one.records, rows),
      value('legal bases', counts(one.bases), rows),
      blank('provisions', 'the article that each basis rests on, and the exception for biometric data'),
      value('consent given separately', `${one.separateConsent} of ${one.bases.consent}`, rows),
      value('notices in force', one.notices.join('; '), rows),
      value('models', one.models.join('; '), rows),
      value('custody', counts(one.custody), rows),
    ],
  }
}

function personsSection({ facts }: RecordsInput): RecordSection {
  const under14 = facts.purposes.reduce((sum, one) => sum + one.under14, 0)
  const reached = facts.reached.map(({ threshold, at }) => `${threshold} on ${new Date(at).toISOString()}`)
  return {
    title: 'Whose data, and which',
    serves: ['GDPR 30', 'Order 19: filing', 'Order 19: under 14'],
    lines: [
      blank('persons', 'customers, employees, visitors: who they are'),
      value('records by state', counts(facts.states), 'state rows'),
      value('live persons', facts.people, 'state rows that are neither revoked nor erased'),
      value(
        'numbers reached',
        reached.length === 0 ? 'none: the log tells of no threshold' : reached.join('; '),
        'the row of SPEC §12.5',
      ),
      value('persons under 14', under14, 'state rows; each has the hash of a guardian’s consent'),
      value('rows that cannot be read', facts.unreadable, 'state rows; guise fsck names them'),
      value(
        'categories of data',
        'face templates under keys of their own, dates, state, legal basis, custody; entries of a log under pseudonyms; no image, no name',
        'SPEC §9, §14, §18',
      ),
    ],
  }
}

function retentionSection({ facts, policies, settings }: RecordsInput): RecordSection {
  const lines: RecordLine[] = facts.purposes.map(({ purpose, expires: [first, last] }) =>
    value(
      `end of the bases for ${purpose}`,
      `from ${new Date(first).toISOString()} to ${new Date(last).toISOString()}; a template matches nobody after the end of its own basis`,
      `state rows of purpose ${purpose}`,
    ),
  )
  for (const policy of policies.values())
    lines.push(value(`rule for ${policy.purpose}`, ruleOf(policy), `policies, purpose ${policy.purpose}`))
  for (const { purpose } of facts.purposes)
    if (!policies.has(purpose))
      lines.push(
        blank(`rule for ${purpose}`, 'when records are erased: no policy was given for this purpose'),
      )
  const bound = settings.erasureBoundMs
  lines.push(
    value('after a withdrawal', 'no match from then on; erased by the next purge', 'SPEC §12.1, §12.4'),
    blank('interval of purges', 'how often guise purge runs'),
    value(
      'copies in backups',
      facts.canDestroy
        ? `unreadable ${bound === undefined ? '30 days' : days(bound)} after an erasure at the latest`
        : 'stay readable for whoever has the keys: the provider destroys none',
      bound === undefined
        ? 'default of erasureBoundMs (SPEC §11.3), the key provider'
        : 'settings.erasureBoundMs',
    ),
    value('the log', 'guise deletes no entry of it', 'SPEC §14'),
    blank(
      'the log is kept for',
      'how long, three years at least where the PIPL asks for it, and who ends it how',
    ),
  )
  return {
    title: 'Retention and erasure',
    serves: [
      'GDPR 5',
      'GDPR 7, 17',
      'GDPR 30',
      'PIPL 15, 47',
      'Order 19: shortest retention',
      'SP 800-63A-4: default retention',
    ],
    lines,
  }
}

const BOUNDS: Readonly<Record<Exclude<keyof RetentionPolicy, 'purpose'>, string>> = {
  afterEnrolmentDays: 'the enrolment',
  afterMatchDays: 'the last match',
  afterRevocationDays: 'a revocation',
  afterExpiryDays: 'the end of the basis',
}

function ruleOf(policy: RetentionPolicy): string {
  const { purpose: _, ...bounds } = policy
  const said = Object.entries(bounds).map(
    ([name, number]) => `${days(number * DAY_MS)} after ${BOUNDS[name as keyof typeof BOUNDS]}`,
  )
  return `erased ${said.join(', or ')}${said.length > 1 ? ', whichever comes first' : ''}`
}

function days(ms: number): string {
  const number = Number((ms / DAY_MS).toFixed(3))
  return `${number} ${number === 1 ? 'day' : 'days'}`
}

function securitySection({ facts, attempts, settings }: RecordsInput): RecordSection {
  const { log, epochs } = facts
  const given = (name: keyof typeof attempts): string =>
    settings.attempts?.[name] === undefined ? 'default (SPEC §12.3)' : `settings.attempts.${name}`
  const points = settings.operatingPoints ?? []
  return {
    title: 'Technical and organisational measures',
    serves: ['GDPR 30', 'GDPR 25, 32', 'SP 800-63B-4: limits', 'SP 800-63B-4: rate', 'Order 19: security'],
    lines: [
      value('key provider', facts.provider, 'the keyring'),
      value('it can destroy keys', facts.canDestroy ? 'yes' : 'no', 'the key provider'),
      value(
        'epochs',
        epochs
          .map(
            ({ epoch, status, createdAt }) => `${epoch} ${status} since ${new Date(createdAt).toISOString()}`,
          )
          .join('; '),
        'the keyring',
      ),
      value(
        'log',
        `${log.entries} entries, ${log.signed} signed, ${log.queued} waiting`,
        'head and checkpoint of the log',
      ),
      settings.anchor === undefined
        ? blank(
            'anchor',
            'what keeps the newest checkpoint outside the store; without one a rollback of it is not noticed',
          )
        : value('anchor', settings.anchor, 'settings.anchor'),
      value('failures in a row before a delay', attempts.consecutive, given('consecutive')),
      value('delay', `${attempts.delayMs / 1000} s`, given('delayMs')),
      value('failures in all', attempts.total, given('total')),
      value('failures of a template', attempts.generation, given('generation')),
      value('failures of the realm in an hour', attempts.realmPerHour, given('realmPerHour')),
      ...(points.length === 0
        ? [blank('operating points', 'the thresholds in use: give the files of guise calibrate')]
        : []),
      ...points.map(({ model, bits, probeClass, threshold, falseMatchRate: rate, source }, i) =>
        value(
          `operating point ${i + 1}`,
          `${model}, ${bits} bits, probes ${probeClass}, threshold ${threshold}: false match rate ${rate.value} (95 %: ${rate.low} to ${rate.high}, n = ${rate.trials}), measured by: ${source}`,
          `settings.operatingPoints[${i}]`,
        ),
      ),
      blank('access', 'who may call which verb, read the store and the log, and use the key provider'),
      blank('liveness', 'how presentation attacks are detected, and by whom that was tested'),
    ],
  }
}
