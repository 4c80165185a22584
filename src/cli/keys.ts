/** `guise keys`: make a keyring, look at it, rotate and destroy its epochs (SPEC §4). @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { createKeyring, type EpochInfo, type Keyring, openKeyring } from '../keys/keyring.ts'
import { destroyFormerKeys, migrateKeyring } from '../keys/migrate.ts'
import type { KeyProvider } from '../keys/provider.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { exitCode, type Io, runCommand, table, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import {
  needed,
  openProvider,
  providerUsage,
  type SecretSource,
  secondSecretOptions,
  secretOptions,
  secretSource,
  secretUsage,
  wholeNumber,
} from './secret.ts'

export const keysUsage: string = `
Usage: guise keys <verb> [epoch] --realm NAME --store DIR --provider PROVIDER <secret> [options]

Verbs
  init            make the keyring of a realm
  status          print its epochs
  add             add an epoch without using it
  promote EPOCH   use it for new wraps
  disable EPOCH   refuse its wraps
  enable EPOCH    accept them again
  destroy EPOCH   destroy a disabled epoch for good; asks for --yes
  migrate         move the keyring to the provider --to; no template changes. With --destroy-old and --yes
                  the keys that --provider still holds are destroyed afterwards

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds the keyring
  --provider PROVIDER      what guards the keyring
  --to PROVIDER            of migrate: what is to guard it from now on

${providerUsage}

${secretUsage}
Of --to: the same names with --to- before them

Options
  --json                   print JSON
  --destroy-old            of migrate: destroy the keys of --provider once the keyring is under --to
  --yes                    confirm destroy and --destroy-old
`

const VERBS = ['init', 'status', 'add', 'promote', 'disable', 'enable', 'destroy', 'migrate'] as const
const WITHOUT_EPOCH: readonly Verb[] = ['init', 'status', 'add', 'migrate']
const BECOMES = { promote: 'primary', disable: 'disabled', enable: 'enabled', destroy: 'destroyed' } as const

type Verb = (typeof VERBS)[number]

interface Request {
  readonly verb: Verb
  /** 0 for verbs that take none. */
  readonly epoch: number
  readonly realm: string
  readonly store: string
  readonly provider: string
  readonly secret: SecretSource
  /** Of `migrate`. */
  readonly to: { readonly provider: string; readonly secret: SecretSource } | undefined
  readonly destroyOld: boolean
  readonly json: boolean
}

/** Runs `guise keys …`; `argv` is what follows `keys`. Resolves with the exit code. */
export function keysCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, keysUsage, async () => {
    await perform(parse(argv), io)
    return exitCode.ok
  })
}

async function perform(request: Request, io: Io): Promise<void> {
  if (request.verb !== 'init') needStore(request.store)
  const open: (() => Promise<void> | void)[] = []
  try {
    const provider = openProvider(request.provider, request.secret)
    open.push(() => provider.close())
    const { to } = request
    const target = to && openProvider(to.provider, to.secret)
    open.push(() => target?.close())
    const store = await lmdbStore({ path: request.store })
    open.push(() => store.close())
    const others = target === undefined ? {} : { otherProviders: [target] }
    const where = { realm: request.realm, provider, store, ...others }
    const keyring = await (request.verb === 'init' ? createKeyring(where) : openKeyring(where))
    open.push(() => keyring.close())
    const done =
      target === undefined ? await apply(keyring, request) : await migrate(keyring, provider, target, request)
    print(keyring, done, request.json, io)
  } finally {
    for (const close of open.reverse()) await close()
  }
}

/** What was done, as a sentence; empty for `status`. */
async function apply(keyring: Keyring, { verb, epoch }: Request): Promise<string> {
  if (verb === 'init') return `realm ${keyring.realm} has a keyring`
  if (verb === 'add') return `epoch ${await keyring.add()} added; promote it when every process has seen it`
  if (verb === 'status' || verb === 'migrate') return ''
  await keyring[verb](epoch)
  return `epoch ${epoch} is ${BECOMES[verb]}`
}

async function migrate(
  keyring: Keyring,
  old: KeyProvider,
  target: KeyProvider,
  { destroyOld }: Request,
): Promise<string> {
  await migrateKeyring(keyring, target.id)
  const done = `realm ${keyring.realm} is under ${target.id}`
  if (!destroyOld) return `${done}; ${old.id} keeps its keys until --destroy-old`
  const { confirmedAt } = await destroyFormerKeys(keyring, old.id)
  return `${done}; the keys of ${old.id} are destroyed, confirmed for ${instant(confirmedAt)}`
}

function print(keyring: Keyring, done: string, json: boolean, io: Io): void {
  const { realm, primary, minAccepted, version, epochs, provider, formerProviders } = keyring
  if (json) {
    io.out(`${JSON.stringify({ realm, primary, minAccepted, version, epochs, provider, formerProviders })}\n`)
    return
  }
  if (done !== '') io.out(`${done}\n\n`)
  io.out(table([['epoch', 'status', 'created', 'changed'], ...epochs.map(row)]))
  for (const former of formerProviders) io.out(`\n${former} still holds keys of this keyring\n`)
}

function row({ epoch, status, createdAt, changedAt }: EpochInfo): readonly string[] {
  return [
    String(epoch),
    status,
    instant(createdAt),
    changedAt === undefined ? 'unconfirmed' : instant(changedAt),
  ]
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}

function parse(argv: readonly string[]): Request {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      realm: text,
      store: text,
      provider: text,
      ...secretOptions,
      to: text,
      ...secondSecretOptions,
      'destroy-old': flag,
      json: flag,
      yes: flag,
    },
  })
  const [verbText, epochText, ...rest] = positionals
  const verb = VERBS.find((known) => known === verbText)
  if (verb === undefined)
    throw new UsageError(verbText === undefined ? 'a verb is missing' : 'the verb is unknown')
  const takesEpoch = !WITHOUT_EPOCH.includes(verb)
  if (rest.length > 0 || (!takesEpoch && epochText !== undefined)) throw new UsageError('too many arguments')
  const epoch = takesEpoch ? wholeNumber(epochText ?? '', 'EPOCH') : 0
  if (verb === 'destroy' && !values.yes) {
    throw new UsageError(
      'destroying an epoch makes every template it wraps unreadable for good: confirm with --yes',
    )
  }
  const destroyOld = values['destroy-old']
  if (verb !== 'migrate' && (values.to !== undefined || destroyOld)) {
    throw new UsageError('--to and --destroy-old belong to migrate')
  }
  if (destroyOld && !values.yes) {
    throw new UsageError('destroying the keys of a provider cannot be undone: confirm with --yes')
  }
  return {
    verb,
    epoch,
    to:
      verb === 'migrate'
        ? { provider: needed(values.to, '--to'), secret: secretSource(values, 'to-') }
        : undefined,
    destroyOld,
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
  }
}
