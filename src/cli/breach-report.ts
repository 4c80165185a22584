/** `guise breach-report`: whom a theft concerns, and how far, in one command (SPEC §11.12). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import { markBreach } from '../vault/breach-mark.ts'
import { type BreachReport, breachReport, type StolenSet } from '../vault/breach-report.ts'
import { breachMarkdown } from '../vault/breach-text.ts'
import type { CampaignReport } from '../vault/campaign.ts'
import {
  type CampaignValues,
  campaignText,
  onlyOptions,
  paceOf,
  parseCampaign,
  REALM_OPTIONS,
  withRealm,
} from './campaign-options.ts'
import { exitCode, type Io, runCommand, UsageError } from './io.ts'
import { needed, secretUsage } from './secret.ts'

const usage = `
Usage: guise breach-report --realm NAME --store DIR [--secrets DIR] --provider DIR <secret> --stolen SETS [options]

Says from the log and the state rows whose templates a theft reaches: handle, generation, epochs, custody, exposure. Prints
Markdown, or JSON. Holds no template, score, key or external identifier.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider

${secretUsage}

What was taken; where you do not know, take it for stolen
  --stolen SETS            of rows,secrets,keyring,quorum,memory (of the vault's process), with commas between
  --epochs A..B            only the keys of these epochs; without keyring: nothing but those
  --shares all | FILE      holders' shares: of all, or of the handles in a file, one a line
  --since, --until         when: 2026-01-31 or 2026-01-31T08:00:00Z; of a stolen backup its day. Default: ever, now

Options
  --mark                   revoke for breach whoever's template was taken with its key; run it again to go on
  --rate N                 mark: at most N a second
  --actor NAME             mark: who asked, a pseudonym for the log
  --json                   print JSON

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the log does not hold, rows cannot be read, or somebody is not marked yet.
`

const SETS = ['rows', 'secrets', 'keyring', 'quorum', 'memory'] as const
const LEFT = 3
const WHAT = ['stolen', 'epochs', 'shares', 'since', 'until', 'mark', 'rate', 'actor']

/** Runs `guise breach-report …`. Resolves with the exit code. */
export function breachReportCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values, positionals } = parseCampaign(argv)
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    onlyOptions(values, [...REALM_OPTIONS, ...WHAT])
    if (positionals.length > 0) throw new UsageError('too many arguments')
    const stolen = stolenOf(values)
    const pace = paceOf(values)
    const times = { ...timeOf(values.since, 'since'), ...timeOf(values.until, 'until') }
    const { report, marked } = await withRealm(values, io, async (realm) => {
      const made = await breachReport({ ...realm, ...times, stolen })
      const done = values.mark ? await markBreach({ ...realm, ...pace, report: made }) : undefined
      return { report: made, marked: done }
    })
    io.out(values.json ? asJson(report, marked) : asText(report, marked))
    return report.sound && marked?.complete !== false ? exitCode.ok : LEFT
  })
}

function asJson(report: BreachReport, marked: CampaignReport | undefined): string {
  return `${JSON.stringify(marked === undefined ? report : { ...report, marking: marked })}\n`
}

function asText(report: BreachReport, marked: CampaignReport | undefined): string {
  return marked === undefined ? breachMarkdown(report) : `${breachMarkdown(report)}\n${campaignText(marked)}`
}

function stolenOf({ stolen, epochs, shares }: CampaignValues): StolenSet {
  const names =
    stolen === undefined && (epochs ?? shares) !== undefined ? [] : needed(stolen, '--stolen').split(',')
  for (const name of names) {
    if (!SETS.some((known) => known === name)) throw new UsageError(`--stolen knows no ${name}`)
  }
  return {
    ...Object.fromEntries(names.map((name) => [name, true])),
    ...(epochs === undefined ? {} : { epochs: rangeOf(epochs) }),
    ...(shares === undefined ? {} : { shares: shares === 'all' ? 'all' : handlesIn(shares) }),
  }
}

function rangeOf(text: string): readonly [number, number] {
  const [, first, last = first] = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text) ?? []
  const range = [Number(first), Number(last)] as const
  if (first === undefined || range[0] < 1 || range[1] < range[0])
    throw new UsageError('--epochs must be A..B')
  return range
}

function handlesIn(path: string): readonly string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function timeOf(text: string | undefined, name: 'since' | 'until'): Readonly<Record<string, number>> {
  if (text === undefined) return {}
  const whole = /^\d{4}-\d{2}-\d{2}$/.test(text)
  // A day that is named as the end belongs to it.
  const ms = Date.parse(whole && name === 'until' ? `${text}T23:59:59.999Z` : text)
  if (Number.isNaN(ms) || !/^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text)) {
    throw new UsageError(`--${name} must be a date, or a date and time with its zone`)
  }
  return { [name]: ms }
}
