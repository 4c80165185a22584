/** `guise keys`: make a keyring, look at it, rotate and destroy its epochs (SPEC §4). @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import { createKeyring, type EpochInfo, type Keyring, openKeyring } from '../keys/keyring.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { exitCode, type Io, runCommand, table, UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import {
  needed,
  openProvider,
  type SecretSource,
  secretOptions,
  secretSource,
  secretUsage,
  wholeNumber,
} from './secret.ts'

export const keysUsage: string = `
Usage: guise keys <verb> [epoch] --realm NAME --store DIR --provider DIR <secret> [options]

Verbs
  init            make the keyring of a realm
  status          print its epochs
  add             add an epoch without using it
  promote EPOCH   use it for new wraps
  disable EPOCH   refuse its wraps
  enable EPOCH    accept them again
  destroy EPOCH   destroy a disabled epoch for good; asks for --yes

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds the keyring
  --provider DIR           directory of the local key provider

${secretUsage}

Options
  --json                   print JSON
  --yes                    confirm destroy
`

const VERBS = ['init', 'status', 'add', 'promote', 'disable', 'enable', 'destroy'] as const
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
  const provider = openProvider(request.provider, request.secret)
  try {
    const store = await lmdbStore({ path: request.store })
    try {
      const where = { realm: request.realm, provider, store }
      const keyring = await (request.verb === 'init' ? createKeyring(where) : openKeyring(where))
      try {
        print(keyring, await apply(keyring, request), request.json, io)
      } finally {
        keyring.close()
      }
    } finally {
      await store.close()
    }
  } finally {
    provider.close()
  }
}

/** What was done, as a sentence; empty for `status`. */
async function apply(keyring: Keyring, { verb, epoch }: Request): Promise<string> {
  if (verb === 'status') return ''
  if (verb === 'init') return `realm ${keyring.realm} has a keyring`
  if (verb === 'add') return `epoch ${await keyring.add()} added; promote it when every process has seen it`
  await keyring[verb](epoch)
  return `epoch ${epoch} is ${BECOMES[verb]}`
}

function print(keyring: Keyring, done: string, json: boolean, io: Io): void {
  const { realm, primary, minAccepted, version, epochs } = keyring
  if (json) {
    io.out(`${JSON.stringify({ realm, primary, minAccepted, version, epochs })}\n`)
    return
  }
  if (done !== '') io.out(`${done}\n\n`)
  io.out(table([['epoch', 'status', 'created', 'changed'], ...epochs.map(row)]))
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
      json: flag,
      yes: flag,
    },
  })
  const [verbText, epochText, ...rest] = positionals
  const verb = VERBS.find((known) => known === verbText)
  if (verb === undefined)
    throw new UsageError(verbText === undefined ? 'a verb is missing' : 'the verb is unknown')
  const takesEpoch = verb !== 'init' && verb !== 'status' && verb !== 'add'
  if (rest.length > 0 || (!takesEpoch && epochText !== undefined)) throw new UsageError('too many arguments')
  const epoch = takesEpoch ? wholeNumber(epochText ?? '', 'EPOCH') : 0
  if (verb === 'destroy' && !values.yes) {
    throw new UsageError(
      'destroying an epoch makes every template it wraps unreadable for good: confirm with --yes',
    )
  }
  return {
    verb,
    epoch,
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
  }
}
