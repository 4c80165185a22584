/** `guise migrate`: a realm's move from one model to another, announced, followed and finished (SPEC §11.14). @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import type { Model } from '../embedding/model.ts'
import { decodeOperatingPoint } from '../evaluate/operating-file.ts'
import type { Bits, OperatingPoint } from '../policy/operating-point.ts'
import { announceModel, finishModel, modelStatus, withdrawModel } from '../vault/model-migration.ts'
import type { ModelMigration } from '../vault/model-report.ts'
import type { Rest } from '../vault/model-rest.ts'
import type { RealmOptions } from '../vault/realm-context.ts'
import { allowHighFalseMatchRate, allowOvercomplete } from '../vault/symbols.ts'
import {
  type CampaignRealm,
  type CampaignValues,
  onlyOptions,
  paceOf,
  parseCampaign,
  withRealm,
} from './campaign-options.ts'
import { count, exitCode, type Io, runCommand, table, UsageError } from './io.ts'
import { logKeyUsage, readLogKey, withLogKey } from './log-key.ts'
import { meanUsage, readModel } from './model.ts'
import { needed, secretUsage, wholeNumber } from './secret.ts'

const usage = `
Usage: guise migrate <verb> [options]

Verbs
  announce      say to which model the realm's templates move, and until when; again: move the end
  status        count who has moved, and name by pseudonym who has not, since when
  withdraw      take an announcement back before its window has opened
  finish        end the old model: refused while people are left, unless --rest says what becomes of them

People move as they come: vaults that are opened with both models move them at an accepted comparison.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider

${secretUsage}

announce
  --from FILE              operating point of the model that the realm has, as guise calibrate writes it
  --from-dimensions N      its dimensions
  --from-mean FILE         its mean, where it has one
  --point FILE             operating point of the model that it gets
  --dimensions N           its dimensions
  ${meanUsage}
  --opens DAY              when the window opens: 2026-01-31 or 2026-01-31T08:00:00Z; now
  --closes DAY             when it closes

finish
  --rest suspend|revoke    suspend who has not moved, or end their templates
  --rate N                 at most N of them a second

${logKeyUsage}

Options
  --actor NAME             who asked, a pseudonym for the log
  --json                   print JSON, with every straggler

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 people are left.
`

const LEFT = 3
/** So many stragglers are printed one by one. */
const MOST_LINES = 100
const WHERE = [
  'realm',
  'store',
  'secrets',
  'provider',
  'passphrase-file',
  'passphrase-fd',
  'key-file',
  'key-fd',
  'origin',
  'log-key-file',
  'anchor',
  'actor',
  'json',
]
const MODELS = ['from', 'from-dimensions', 'from-mean', 'point', 'dimensions', 'mean', 'opens', 'closes']
const VERBS: ReadonlyMap<string, (values: CampaignValues, io: Io) => Promise<number>> = new Map([
  ['announce', announce],
  ['status', status],
  ['withdraw', withdraw],
  ['finish', finish],
])

/** Runs `guise migrate …`; `argv` is what follows `migrate`. Resolves with the exit code. */
export function migrateCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    const { values, positionals } = parseCampaign(argv)
    if (values.help) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const [name = '', ...rest] = positionals
    const verb = VERBS.get(name)
    if (verb === undefined) throw new UsageError(name === '' ? 'a verb is missing' : 'the verb is unknown')
    if (rest.length > 0) throw new UsageError('too many arguments')
    return await verb(values, io)
  })
}

async function announce(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...WHERE, ...MODELS])
  const from = sideOf(values.from, '--from', values['from-dimensions'], values['from-mean'])
  const to = sideOf(values.point, '--point', values.dimensions, values.mean)
  const closesAt = dayOf(needed(values.closes, '--closes'), '--closes')
  const opens = values.opens === undefined ? {} : { opensAt: dayOf(values.opens, '--opens') }
  const told = await inRealm(values, io, (realm) =>
    announceModel({
      ...realm,
      from,
      to: { ...to, operatingPoints: [to.point] },
      ...opens,
      closesAt,
      // What a point allows is decided where a vault is opened to compare.
      [allowHighFalseMatchRate]: true,
      [allowOvercomplete]: true,
    }),
  )
  return tell(told, values, io)
}

async function status(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, WHERE)
  const told = await inRealm(values, io, modelStatus)
  tell(told, values, io)
  return told.left === 0 ? exitCode.ok : LEFT
}

async function withdraw(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, WHERE)
  return tell(await inRealm(values, io, withdrawModel), values, io)
}

async function finish(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...WHERE, 'rest', 'rate'])
  const { perSecond } = paceOf(values)
  const rest = restOf(values.rest)
  const { outcome, migration } = await inRealm(values, io, (realm) =>
    finishModel({
      ...realm,
      ...(rest === undefined ? {} : { rest }),
      ...(perSecond === undefined ? {} : { perSecond }),
    }),
  )
  tell(migration, values, io)
  return outcome === 'finished' ? exitCode.ok : LEFT
}

function inRealm<Result>(
  values: CampaignValues,
  io: Io,
  task: (realm: RealmOptions & Pick<CampaignRealm, 'onProgress'>) => Promise<Result>,
): Promise<Result> {
  const { actor } = values
  const logKey = readLogKey(values)
  return withRealm(values, io, (realm) =>
    withLogKey(logKey, (signed) => task({ ...realm, ...signed, ...(actor === undefined ? {} : { actor }) })),
  )
}

/** The file says model and bits; the model's check says whether mean and dimensions fit them. */
function sideOf(
  file: string | undefined,
  name: string,
  dimensions: string | undefined,
  mean: string | undefined,
): { readonly model: Model; readonly bits: Bits; readonly point: OperatingPoint } {
  const point = decodeOperatingPoint(readFileSync(needed(file, name), 'utf8'))
  const option = name === '--from' ? '--from-dimensions' : '--dimensions'
  const size = wholeNumber(needed(dimensions, option), option)
  return { model: readModel(point.model, size, mean), bits: point.bits, point }
}

function restOf(value: string | undefined): Rest | undefined {
  if (value === undefined || value === 'suspend' || value === 'revoke') return value
  throw new UsageError('--rest must be suspend or revoke')
}

function dayOf(value: string, name: string): Date {
  const day = new Date(/^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value)
  if (Number.isNaN(day.getTime())) throw new UsageError(`${name} must be a day or an instant`)
  return day
}

function tell(told: ModelMigration, { json }: CampaignValues, io: Io): number {
  io.out(json ? `${JSON.stringify(told)}\n` : asText(told))
  return exitCode.ok
}

function asText(told: ModelMigration): string {
  const { stage, from, to, opensAt, closesAt, moved, left, other, unreadable, stragglers } = told
  if (from === undefined) return 'no migration of models\n'
  const lines = [`${from} to ${to}: ${stage}, ${instant(opensAt)} to ${instant(closesAt)}\n`]
  lines.push(`${count(moved)} moved, ${count(left)} left\n`)
  if (other > 0) lines.push(`${count(other)} of another model\n`)
  if (unreadable > 0) lines.push(`${count(unreadable)} cannot be read: guise fsck names them\n`)
  if (stragglers.length > 0) {
    const rows = stragglers.slice(0, MOST_LINES)
    lines.push(
      '\n',
      table([
        ['left', 'state', 'since', 'last match'],
        ...rows.map(({ subject, state, since, lastMatchAt }) => [
          subject,
          state,
          instant(since),
          lastMatchAt === undefined ? 'none' : instant(lastMatchAt),
        ]),
      ]),
    )
  }
  return lines.join('')
}

function instant(ms: number | undefined): string {
  return new Date(ms ?? 0).toISOString()
}
