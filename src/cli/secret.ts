/** Where a command takes the secret of the local key provider from: a file or a descriptor (KEYS-16). @module */
/// <reference types="node" />

import { closeSync, openSync, readSync } from 'node:fs'
import { wipe } from '../base/bytes.ts'
import { localKeyProvider } from '../keys/local.ts'
import { pkcs11KeyProvider } from '../keys/pkcs11.ts'
import type { KeyProvider } from '../keys/provider.ts'
import { transitKeyProvider } from '../keys/transit.ts'
import { UsageError } from './io.ts'

const SECRETS = ['passphrase-file', 'passphrase-fd', 'key-file', 'key-fd'] as const
const MAX_SECRET_BYTES = 1024
const KEY_BYTES = 32
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** The option that names the secret, and what it says. */
export interface SecretSource {
  readonly option: `${'' | 'to-'}${(typeof SECRETS)[number]}`
  readonly value: string
}

/** What `parseArgs` has to know of the secret's options. */
export const secretOptions = {
  'passphrase-file': { type: 'string' },
  'passphrase-fd': { type: 'string' },
  'key-file': { type: 'string' },
  'key-fd': { type: 'string' },
} as const

/** The same of a second provider's secret. */
export const secondSecretOptions = {
  'to-passphrase-file': { type: 'string' },
  'to-passphrase-fd': { type: 'string' },
  'to-key-file': { type: 'string' },
  'to-key-fd': { type: 'string' },
} as const

/** How a usage text says it. */
export const secretUsage = `Secret, exactly one; a passphrase ends at the first line break
  --passphrase-file FILE   --passphrase-fd N
  --key-file FILE          --key-fd N         32 bytes`

/** How a usage text says which providers there are. */
export const providerUsage = `Provider
  DIR                                          directory of the local key provider
  pkcs11:token=LABEL?module-path=FILE          token of an HSM (RFC 7512); the passphrase is its PIN
  https://HOST[:PORT]/MOUNT[?namespace=NAME]   transit of Vault or OpenBao; the passphrase is the token`

/** A provider that a command opened, and closes. */
export type OpenedProvider = KeyProvider & { close(): void }

/** Opens the provider that a command line names; the secret is read, copied and wiped. */
export function openProvider(place: string, secret: SecretSource): OpenedProvider {
  const bytes = readSecret(secret)
  try {
    if (/^(?:pkcs11|https?):/.test(place) && secret.option.includes('key')) {
      throw new UsageError('this key provider takes a passphrase: its PIN or token')
    }
    if (place.startsWith('pkcs11:')) return tokenAt(place, bytes)
    if (/^https?:/.test(place)) return transitAt(place, new TextDecoder().decode(bytes))
    return localKeyProvider(
      secret.option.includes('key') ? { path: place, key: bytes } : { path: place, passphrase: bytes },
    )
  } finally {
    wipe(new Uint8Array(bytes.buffer))
  }
}

function tokenAt(place: string, pin: Uint8Array): OpenedProvider {
  const { token, module } =
    /^pkcs11:token=(?<token>[^;?&]+)\?module-path=(?<module>[^&]+)$/.exec(place)?.groups ?? {}
  if (token === undefined || module === undefined) {
    throw new UsageError('a token is named as pkcs11:token=LABEL?module-path=FILE')
  }
  return pkcs11KeyProvider({ token: decodeURIComponent(token), module: decodeURIComponent(module), pin })
}

function transitAt(place: string, token: string): OpenedProvider {
  const { origin, pathname, searchParams } = new URL(place)
  const namespace = searchParams.get('namespace')
  const mount = decodeURIComponent(pathname).replace(/^\/|\/$/g, '')
  const provider = transitKeyProvider({
    address: origin,
    mount,
    token,
    ...(namespace === null ? {} : { namespace }),
  })
  return Object.assign(provider, { close: () => undefined })
}

/** The one secret that the options name; `prefix` stands before each of their names. */
export function secretSource(
  values: Readonly<Record<string, string | boolean | undefined>>,
  prefix: '' | 'to-' = '',
): SecretSource {
  const names = SECRETS.map((name) => `${prefix}${name}` as const)
  const given = names.flatMap((option) => {
    const value = values[option]
    return typeof value === 'string' ? [{ option, value }] : []
  })
  const [secret] = given
  if (secret === undefined || given.length > 1) {
    throw new UsageError(`give exactly one of ${names.map((name) => `--${name}`).join(', ')}`)
  }
  if (secret.option.endsWith('-fd')) wholeNumber(secret.value, `--${secret.option}`)
  return secret
}

/** The value of an option that must be there. */
export function needed(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`)
  return value
}

/** A whole number of at most nine digits. */
export function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${name} must be a whole number`)
  return Number(text)
}

/** Reads the secret to its end, bounded; a passphrase without its line break. The caller wipes it. */
function readSecret({ option, value }: SecretSource): Uint8Array {
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
  if (option.includes('key')) {
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
