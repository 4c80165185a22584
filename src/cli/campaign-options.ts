/** What the commands of campaigns take, and how they open a realm. @module */
/// <reference types="node" />

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Keyring, openKeyring } from '../keys/keyring.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import type { CampaignProgress, CampaignReport } from '../vault/campaign.ts'
import { count, type Io, Progress, table, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import { needed, openProvider, secretSource, wholeNumber } from './secret.ts'

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const

/** Where a realm is, what opens it, and the form of what is printed. */
const PLACE = [
  'realm',
  'store',
  'secrets',
  'provider',
  'passphrase-file',
  'passphrase-fd',
  'key-file',
  'key-fd',
] as const
export const REALM_OPTIONS: readonly string[] = [...PLACE, 'json']

/** Every option that one of them takes. */
const MORE = [
  'grant',
  'grant-fd',
  'out',
  'rate',
  'actor',
  'bound',
  'lead',
  'stolen',
  'epochs',
  'shares',
  'since',
  'until',
  'from',
  'from-dimensions',
  'from-mean',
  'point',
  'dimensions',
  'mean',
  'opens',
  'closes',
  'rest',
  'origin',
  'log-key-file',
  'anchor',
] as const
const TEXTS: readonly ((typeof PLACE)[number] | (typeof MORE)[number])[] = [...PLACE, ...MORE]
const FLAGS = ['retire', 'mark', 'no-gallery', 'dry-run', 'json', 'help'] as const

export type CampaignValues = { readonly [Name in (typeof TEXTS)[number]]?: string | undefined } & {
  readonly [Name in (typeof FLAGS)[number]]: boolean
}

export function parseCampaign(argv: readonly string[]): {
  readonly values: CampaignValues
  readonly positionals: readonly string[]
} {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const name of TEXTS) options[name] = text
  for (const name of FLAGS) options[name] = flag
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true })
  return { values: values as CampaignValues, positionals }
}

/** Refuses options that the verb does not take: a word that is passed over looks as if it had been heard. */
export function onlyOptions(values: CampaignValues, allowed: readonly string[]): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== false && !allowed.includes(name)) throw new UsageError(`--${name} does not belong here`)
  }
}

/** What the options say of pace and names. */
export function paceOf(values: CampaignValues): {
  readonly perSecond?: number
  readonly actor?: string
  readonly dryRun?: true
} {
  const { rate, actor } = values
  const perSecond = rate === undefined ? undefined : wholeNumber(rate, '--rate')
  if (perSecond === 0) throw new UsageError('--rate must be 1 or more')
  return {
    ...(perSecond === undefined ? {} : { perSecond }),
    ...(actor === undefined ? {} : { actor }),
    ...(values['dry-run'] ? { dryRun: true } : {}),
  }
}

/** What is lent to a command. */
export interface CampaignRealm {
  readonly keyring: Keyring
  readonly store: Store
  readonly secrets?: Store
  readonly onProgress: (progress: CampaignProgress) => void
}

/** Opens provider, stores and keyring, lends them, and closes them whatever happens. */
export async function withRealm<Result>(
  values: CampaignValues,
  io: Io,
  task: (realm: CampaignRealm) => Promise<Result>,
): Promise<Result> {
  const realm = needed(values.realm, '--realm')
  const folder = needed(values.provider, '--provider')
  const source = secretSource(values)
  return await withStores(values, io, async (stores) => {
    const provider = openProvider(folder, source)
    try {
      const keyring = await openKeyring({ realm, provider, store: stores.store })
      try {
        return await task({ ...stores, keyring })
      } finally {
        keyring.close()
      }
    } finally {
      provider.close()
    }
  })
}

/** The stores alone, for whoever has a grant. */
export async function withStores<Result>(
  values: CampaignValues,
  io: Io,
  task: (stores: Omit<CampaignRealm, 'keyring'>) => Promise<Result>,
): Promise<Result> {
  const path = needed(values.store, '--store')
  needStore(path, values.secrets)
  const progress = new Progress(io, 'changed')
  const onProgress = ({ done, of }: CampaignProgress): void => progress.update(done, of)
  const store = await lmdbStore({ path })
  try {
    const secrets = values.secrets === undefined ? undefined : await lmdbStore({ path: values.secrets })
    try {
      return await task({ store, onProgress, ...(secrets === undefined ? {} : { secrets }) })
    } finally {
      await secrets?.close()
    }
  } finally {
    progress.finish()
    await store.close()
  }
}

/** So many stragglers are printed one by one. */
const MOST_LINES = 100

/** A report as people read it. */
export function campaignText(report: CampaignReport): string {
  const { campaign, realm, dryRun, complete, before, after, changed, stragglers, failed } = report
  const places = Object.keys({ ...before.places, ...after.places })
  const rows = places.map((place) => [
    place,
    count(before.places[place] ?? 0),
    ...(dryRun ? [] : [count(after.places[place] ?? 0)]),
  ])
  const heading = dryRun ? ['where', 'now'] : ['where', 'before', 'after']
  const lines = [
    `${campaign} of realm ${realm}${dryRun ? ', dry run: nothing was written' : ''}\n\n`,
    ...(rows.length === 0 ? [] : [table([heading, ...rows]), '\n']),
  ]
  if (dryRun) lines.push(`${count(before.left)} left${atLeast(report)}\n`)
  else {
    const seconds = (report.elapsedMs / 1000).toFixed(1)
    lines.push(`${count(changed)} changed in ${seconds} s; ${count(after.left)} left\n`)
  }
  if (failed > 0) {
    lines.push(`\n${count(failed)} could not be done\n\n`)
    lines.push(
      table([
        ['kind', 'name', 'why'],
        ...stragglers.slice(0, MOST_LINES).map((one) => [one.kind, one.name, one.code]),
      ]),
    )
  }
  if (complete) lines.push('complete\n')
  return lines.join('')
}

function atLeast({ atLeastMs, before }: CampaignReport): string {
  if (atLeastMs === undefined || before.left === 0) return ''
  return `, which takes at least ${(atLeastMs / 1000).toFixed(1)} s`
}
