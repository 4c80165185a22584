/** A breach report as Markdown, for whoever has to tell an authority within 72 hours (SPEC §11.12). @module */

import type { AffectedTemplate, BreachReport, Exposure, StolenSet } from './breach-report.ts'

/** So many templates are listed; JSON has all. */
const MOST_LISTED = 1000

const MEANS: Readonly<Record<Exposure, string>> = {
  template:
    'code and its key: the face can be approximated and looked for, and a reissued template may accept that',
  sealed: 'code and wrap, and not all keys: nothing of the face',
  metadata: 'dates, states, epochs: nothing of the face',
  none: 'nothing that was there in this time',
}

/** The report's text. Names nobody but by handle. */
export function breachMarkdown(report: BreachReport): string {
  const { realm, at, since, until, stolen, sound, unreadable, templates, subjects, affected } = report
  const listed = affected.slice(0, MOST_LISTED)
  return [
    `# Breach report: realm ${realm}`,
    '',
    `Made ${instant(at)}. Taken: ${words(stolen)}, between ${since === 0 ? 'the beginning' : instant(since)} and ${instant(until)}.`,
    '',
    sound
      ? 'The log holds, and every state row could be read.'
      : `**Somebody may be missing**: the log does not hold, or state rows cannot be read (${unreadable}). Run guise fsck.`,
    '',
    '| exposure | persons | templates | means |',
    '|---|---:|---:|---|',
    ...(['template', 'sealed', 'metadata', 'none'] as const).map(
      (exposure) => `| ${exposure} | ${subjects[exposure]} | ${templates[exposure]} | ${MEANS[exposure]} |`,
    ),
    '',
    'Persons stand where the worst of their templates does. Only the realm knows who is behind a handle.',
    ...(affected.length === 0 ? [] : ['', ...tableOf(listed)]),
    ...(affected.length > listed.length
      ? ['', `And ${affected.length - listed.length} more: the JSON form has all.`]
      : []),
    '',
  ].join('\n')
}

function tableOf(affected: readonly AffectedTemplate[]): readonly string[] {
  return [
    '| handle | generation | epochs | custody | exposure | still needed | now | marked |',
    '|---|---:|---|---|---|---|---|---|',
    ...affected.map(({ subject, generation, epochs, custody, exposure, missing, present, state, marked }) => {
      const now = `${state ?? 'gone'}${present ? '' : ', replaced or deleted'}`
      const cells = [subject, generation, epochs.join(' '), custody, exposure, missing.join(' '), now]
      return `| ${cells.join(' | ')} | ${marked ? 'yes' : 'no'} |`
    }),
  ]
}

function words({ rows, secrets, keyring, epochs, shares, quorum, memory }: StolenSet): string {
  const said = [
    rows === true ? 'rows' : '',
    secrets === true ? 'wraps' : '',
    keyring === true ? 'realm keys' : '',
    epochs === undefined
      ? keyring === true
        ? 'all epoch keys'
        : ''
      : `keys of epochs ${epochs[0]} to ${epochs[1]}`,
    quorum === true ? 'shares of the quorum' : '',
    shares === undefined
      ? ''
      : shares === 'all'
        ? "all holders' shares"
        : `shares of ${shares.length} holders`,
    memory === true ? "the process's memory" : '',
  ].filter((word) => word !== '')
  return said.length === 0 ? 'nothing' : said.join(', ')
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
