/** `guise campaign`: rotation, re-wrapping by a worker, and the bound of erasures, beside traffic (SPEC §11.11). @module */
/// <reference types="node" />

import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs'
import { secretBytes, wipe } from '../base/bytes.ts'
import type { CampaignReport } from '../vault/campaign.ts'
import { rewrapCampaign, rotateCampaign } from '../vault/campaign-rotate.ts'
import { type BoundStep, type ErasureBoundReport, keepErasureBound } from '../vault/erasure-bound.ts'
import { rewrapGrant } from '../vault/rewrap-grant.ts'
import {
  type CampaignValues,
  campaignText,
  onlyOptions,
  paceOf,
  parseCampaign,
  REALM_OPTIONS,
  withRealm,
  withStores,
} from './campaign-options.ts'
import { count, exitCode, type Io, runCommand, UsageError } from './io.ts'
import { needed, secretUsage, wholeNumber } from './secret.ts'

const usage = `
Usage: guise campaign <verb> [options]

Verbs
  status        count wraps by epoch, say how long a rotation takes at least and what erasures ask for
  rotate        bring every wrap of records and shards under the primary epoch
  grant         write the keys that a worker needs to do so and that open no template
  rewrap        rotate with such a grant: no provider, no keyring
  erase-bound   do what keeps erased records from being recoverable beyond the bound: promote, rotate, destroy

Vaults may be at work meanwhile. A campaign that was stopped or killed goes on when it is run again.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --secrets DIR            LMDB store of the wraps, where they have their own
  --provider DIR           directory of the local key provider

${secretUsage}

Options
  --dry-run                count, and write nothing
  --rate N                 at most N changes a second
  --retire                 rotate: refuse older epochs when nothing is left under them
  --out FILE               grant: where to put it, for its owner only; must not exist
  --no-gallery             grant: leaves shards alone, and holds no key of theirs
  --grant FILE, --grant-fd N   rewrap: the grant
  --bound DAYS             erase-bound: as the realm's vaults promise it; 30
  --lead DAYS              erase-bound: so long before it is acted; a quarter of the bound
  --actor NAME             who asked, a pseudonym for the log
  --json                   print JSON

Exit codes: 0 nothing is left, 1 failed, 2 wrong usage, 3 something is left or due: read on, or run it again.
`

const LEFT = 3
const DAY_MS = 86_400_000
const MOST_GRANT_BYTES = 65_536

const PACE = ['rate', 'actor', 'dry-run']
const VERBS: ReadonlyMap<string, (values: CampaignValues, io: Io) => Promise<number>> = new Map([
  ['status', status],
  ['rotate', rotate],
  ['grant', grant],
  ['rewrap', rewrap],
  ['erase-bound', eraseBound],
])

/** Runs `guise campaign …`; `argv` is what follows `campaign`. Resolves with the exit code. */
export function campaignCommand(argv: readonly string[], io: Io): Promise<number> {
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

async function rotate(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...REALM_OPTIONS, ...PACE, 'retire'])
  const pace = paceOf(values)
  const report = await withRealm(values, io, (realm) =>
    rotateCampaign({ ...realm, ...pace, retire: values.retire }),
  )
  return tell(report, values, io)
}

async function rewrap(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, ['store', 'secrets', 'grant', 'grant-fd', 'json', ...PACE])
  const pace = paceOf(values)
  const bytes = readGrant(values)
  try {
    const report = await withStores(values, io, (stores) =>
      rewrapCampaign({ ...stores, ...pace, grant: bytes }),
    )
    return tell(report, values, io)
  } finally {
    wipe(bytes)
  }
}

function tell(report: CampaignReport, { json }: CampaignValues, io: Io): number {
  io.out(json ? `${JSON.stringify(report)}\n` : campaignText(report))
  return report.complete ? exitCode.ok : LEFT
}

async function grant(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...REALM_OPTIONS, 'out', 'no-gallery'])
  const out = needed(values.out, '--out')
  await withRealm(values, io, async ({ keyring }) => {
    const bytes = await rewrapGrant(keyring, { shards: !values['no-gallery'] })
    try {
      writeFileSync(out, bytes, { flag: 'wx', mode: 0o600, flush: true })
    } finally {
      wipe(bytes)
    }
    const { primary } = keyring
    io.out(values.json ? `${JSON.stringify({ primary })}\n` : `a grant to re-wrap under epoch ${primary}\n`)
  })
  return exitCode.ok
}

/** From its file or descriptor, to its end; the caller wipes it. */
function readGrant(values: CampaignValues): Uint8Array {
  const { grant: path, 'grant-fd': number } = values
  if ((path === undefined) === (number === undefined)) {
    throw new UsageError('give exactly one of --grant, --grant-fd')
  }
  const fd = path === undefined ? wholeNumber(number ?? '', '--grant-fd') : openSync(path, 'r')
  const bytes = secretBytes(MOST_GRANT_BYTES)
  let length = 0
  try {
    if (fstatSync(fd).size > MOST_GRANT_BYTES) throw new UsageError('the file is no grant')
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, null)
    }
  } finally {
    if (path !== undefined) closeSync(fd)
  }
  return bytes.subarray(0, length)
}

async function eraseBound(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...REALM_OPTIONS, ...PACE, 'bound', 'lead'])
  const pace = paceOf(values)
  const report = await withRealm(values, io, (realm) =>
    keepErasureBound({ ...realm, ...pace, ...timesOf(values) }),
  )
  io.out(values.json ? `${JSON.stringify(report)}\n` : boundText(report))
  return boundCode(report)
}

async function status(values: CampaignValues, io: Io): Promise<number> {
  onlyOptions(values, [...REALM_OPTIONS, 'bound', 'lead', 'rate'])
  const pace = { ...paceOf(values), dryRun: true }
  const { rotation, erasures } = await withRealm(values, io, async (realm) => ({
    rotation: await rotateCampaign({ ...realm, ...pace }),
    erasures: await keepErasureBound({ ...realm, ...pace, ...timesOf(values) }),
  }))
  const text = `${campaignText(rotation)}\n${boundText(erasures)}`
  io.out(values.json ? `${JSON.stringify({ rotation, erasures })}\n` : text)
  return rotation.complete ? boundCode(erasures) : LEFT
}

function timesOf({ bound, lead }: CampaignValues): { readonly boundMs?: number; readonly leadMs?: number } {
  return {
    ...(bound === undefined ? {} : { boundMs: wholeNumber(bound, '--bound') * DAY_MS }),
    ...(lead === undefined ? {} : { leadMs: wholeNumber(lead, '--lead') * DAY_MS }),
  }
}

function boundCode({ next, overdue }: ErasureBoundReport): number {
  return overdue === 0 && (next.step === 'nothing' || next.step === 'wait') ? exitCode.ok : LEFT
}

function boundText({ realm, dryRun, pending, overdue, by, steps, next }: ErasureBoundReport): string {
  const until = by === undefined ? '' : `, the first to be irrecoverable by ${instant(by)}`
  const lines = [`erasures of realm ${realm}: ${count(pending)} pending${until}; ${count(overdue)} overdue\n`]
  const done = dryRun ? 'to do' : 'done'
  for (const step of steps) lines.push(`${done}: ${stepText(step)}\n`)
  if (!dryRun || steps.length === 0) lines.push(`next: ${stepText(next)}\n`)
  return lines.join('')
}

const BLOCKED = {
  'no-destroy': 'the key provider cannot destroy keys: no erasure becomes irrecoverable',
  unconfirmed: 'a destroyed epoch was never confirmed by the key provider',
  unreadable: 'wraps cannot be read, so no epoch is known to be empty: guise fsck names them',
  'closed-epoch': 'wraps lie under a disabled epoch that has to go: enable it, or revoke them',
} as const

function stepText(step: BoundStep): string {
  if (step.step === 'nothing') return 'nothing'
  if (step.step === 'wait') return `nothing before ${instant(step.at)}`
  if (step.step === 'promote') return 'another primary epoch'
  if (step.step === 'blocked') return BLOCKED[step.why]
  if (step.step === 'disable' || step.step === 'destroy') return `${step.step} epoch ${step.epoch}`
  return 'rotation'
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
