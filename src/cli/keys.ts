/** `guise keys`: make a keyring, look at it, rotate and destroy its epochs (SPEC §4). @module */
/// <reference types="node" />

import { accessSync, closeSync, openSync, readSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { wipe } from '../base/bytes.ts'
import { createKeyring, type EpochInfo, type Keyring, openKeyring } from '../keys/keyring.ts'
import { type LocalKeyProvider, localKeyProvider } from '../keys/local.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { exitCode, type Io, runCommand, table, UsageError } from './io.ts'

export const keysUsage = `
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

Secret, exactly one; a passphrase ends at the first line break
  --passphrase-file FILE   --passphrase-fd N
  --key-file FILE          --key-fd N         32 bytes

Options
  --json                   print JSON
  --yes                    confirm destroy
`

const SECRETS = ['passphrase-file', 'passphrase-fd', 'key-file', 'key-fd'] as const
const VERBS = ['init', 'status', 'add', 'promote', 'disable', 'enable', 'destroy'] as const
const BECOMES = { promote: 'primary', disable: 'disabled', enable: 'enabled', destroy: 'destroyed' } as const
const MAX_SECRET_BYTES = 1024
const KEY_BYTES = 32
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

type Verb = (typeof VERBS)[number]

interface Request {
  readonly verb: Verb
  /** 0 for verbs that take none. */
  readonly epoch: number
  readonly realm: string
  readonly store: string
  readonly provider: string
  readonly secret: { readonly option: (typeof SECRETS)[number]; readonly value: string }
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
  // A store that is looked for is not made on the way: a mistyped path shows as one.
  if (request.verb !== 'init') accessSync(request.store)
  const provider = openProvider(request)
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

function openProvider({ provider: path, secret }: Request): LocalKeyProvider {
  const bytes = readSecret(secret)
  try {
    return localKeyProvider(
      secret.option.startsWith('key') ? { path, key: bytes } : { path, passphrase: bytes },
    )
  } finally {
    wipe(new Uint8Array(bytes.buffer))
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
      'passphrase-file': text,
      'passphrase-fd': text,
      'key-file': text,
      'key-fd': text,
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

function secretSource(values: Readonly<Record<string, string | boolean | undefined>>): Request['secret'] {
  const given = SECRETS.flatMap((option) => {
    const value = values[option]
    return typeof value === 'string' ? [{ option, value }] : []
  })
  const [secret] = given
  if (secret === undefined || given.length > 1) {
    throw new UsageError(`give exactly one of ${SECRETS.map((name) => `--${name}`).join(', ')}`)
  }
  if (secret.option.endsWith('-fd')) wholeNumber(secret.value, `--${secret.option}`)
  return secret
}

function needed(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`)
  return value
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${name} must be a whole number`)
  return Number(text)
}

/** Reads the secret to its end, bounded; a passphrase without its line break. The caller wipes it. */
function readSecret({ option, value }: Request['secret']): Uint8Array {
  const buffer = new Uint8Array(MAX_SECRET_BYTES + 2)
  const fromFile = option.endsWith('-file')
  const fd = fromFile ? openSync(value, 'r') : Number(value)
  let length = 0
  try {
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, length, buffer.length - length, null)
    }
  } finally {
    if (fromFile) closeSync(fd)
  }
  if (option.startsWith('key')) {
    if (length !== KEY_BYTES) throw new UsageError(`--${option} must hold ${KEY_BYTES} bytes`)
    return buffer.subarray(0, length)
  }
  const lineEnd = buffer.subarray(0, length).indexOf(LINE_FEED)
  let end = lineEnd < 0 ? length : lineEnd
  if (buffer[end - 1] === CARRIAGE_RETURN) end--
  if (end === 0 || end > MAX_SECRET_BYTES) {
    throw new UsageError(`--${option} must hold a passphrase of 1 to ${MAX_SECRET_BYTES} bytes`)
  }
  return buffer.subarray(0, end)
}
