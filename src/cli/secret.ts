/** Where a command takes the secret of the local key provider from: a file or a descriptor (KEYS-16). @module */
/// <reference types="node" />

import { closeSync, openSync, readSync } from 'node:fs'
import { wipe } from '../base/bytes.ts'
import { type LocalKeyProvider, localKeyProvider } from '../keys/local.ts'
import { UsageError } from './io.ts'

const SECRETS = ['passphrase-file', 'passphrase-fd', 'key-file', 'key-fd'] as const
const MAX_SECRET_BYTES = 1024
const KEY_BYTES = 32
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** The option that names the secret, and what it says. */
export interface SecretSource {
  readonly option: (typeof SECRETS)[number]
  readonly value: string
}

/** What `parseArgs` has to know of the secret's options. */
export const secretOptions = {
  'passphrase-file': { type: 'string' },
  'passphrase-fd': { type: 'string' },
  'key-file': { type: 'string' },
  'key-fd': { type: 'string' },
} as const

/** How a usage text says it. */
export const secretUsage = `Secret, exactly one; a passphrase ends at the first line break
  --passphrase-file FILE   --passphrase-fd N
  --key-file FILE          --key-fd N         32 bytes`

/** Opens the provider in a folder; the secret is read, copied and wiped. */
export function openProvider(path: string, secret: SecretSource): LocalKeyProvider {
  const bytes = readSecret(secret)
  try {
    return localKeyProvider(
      secret.option.startsWith('key') ? { path, key: bytes } : { path, passphrase: bytes },
    )
  } finally {
    wipe(new Uint8Array(bytes.buffer))
  }
}

/** The one secret that the options name. */
export function secretSource(values: Readonly<Record<string, string | boolean | undefined>>): SecretSource {
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
