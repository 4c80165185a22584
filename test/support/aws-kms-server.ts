/** AWS KMS as its API reference describes it, over loopback: JSON 1.1, real AES-GCM, states of keys; and a client for it. @module */

import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import type { AwsCallOptions, AwsKmsClient } from 'guise/kms'
import { type Answered, type Asked, type Loopback, loopback } from './loopback.ts'

type State = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable'

interface Key {
  readonly id: string
  readonly material: Uint8Array
  state: State
  deletionMs: number
}

export interface AwsKmsServer extends Loopback {
  /** Its clock, which a test turns. */
  nowMs: number
  readonly keys: Map<string, Key>
  readonly aliases: Map<string, string>
  /** Credentials that it accepts. */
  accessKey: string
}

const ACCOUNT = '111122223333'
const DAY_MS = 86_400_000

class KmsFault extends Error {
  readonly type: string

  constructor(type: string, message = type) {
    super(message)
    this.type = type
  }
}

/** A server of one account and region. */
export async function awsKmsServer(): Promise<AwsKmsServer> {
  const loop = await loopback('application/x-amz-json-1.1', (asked) => answer(server, asked))
  const state = { nowMs: Date.now(), keys: new Map(), aliases: new Map(), accessKey: 'AKIDEXAMPLE' }
  const server: AwsKmsServer = Object.assign(loop, state)
  return server
}

function answer(server: AwsKmsServer, asked: Asked): Answered {
  try {
    return { status: 200, body: perform(server, asked) }
  } catch (error) {
    if (!(error instanceof KmsFault)) throw error
    return { status: 400, body: { __type: error.type, message: error.message } }
  }
}

function perform(server: AwsKmsServer, { method, path, headers, body }: Asked): unknown {
  if (method !== 'POST' || path !== '/') throw new KmsFault('UnknownOperationException')
  if (headers['content-type'] !== 'application/x-amz-json-1.1')
    throw new KmsFault('UnknownOperationException')
  const { authorization = '' } = headers
  if (!authorization.startsWith('AWS4-HMAC-SHA256 '))
    throw new KmsFault('MissingAuthenticationTokenException')
  if (!authorization.includes(`Credential=${server.accessKey}/`))
    throw new KmsFault('UnrecognizedClientException')
  removeDeleted(server)
  const target = String(headers['x-amz-target'])
  switch (target) {
    case 'TrentService.CreateKey':
      return { KeyMetadata: metadata(createKey(server, body)) }
    case 'TrentService.CreateAlias':
      return createAlias(server, String(body['AliasName']), String(body['TargetKeyId']))
    case 'TrentService.DescribeKey':
      return { KeyMetadata: metadata(keyOf(server, String(body['KeyId']))) }
    case 'TrentService.Encrypt':
      return encrypt(usable(server, String(body['KeyId'])), body)
    case 'TrentService.Decrypt':
      return decrypt(server, body)
    case 'TrentService.ScheduleKeyDeletion':
      return schedule(server, String(body['KeyId']), Number(body['PendingWindowInDays'] ?? 30))
    default:
      throw new KmsFault('UnknownOperationException')
  }
}

/** Keys whose waiting is over end, with every alias that names them. */
function removeDeleted(server: AwsKmsServer): void {
  for (const [id, key] of server.keys) {
    if (key.state !== 'PendingDeletion' || key.deletionMs > server.nowMs) continue
    server.keys.delete(id)
    for (const [alias, target] of server.aliases) if (target === id) server.aliases.delete(alias)
  }
}

function createKey(server: AwsKmsServer, body: Asked['body']): Key {
  if (body['KeySpec'] !== 'SYMMETRIC_DEFAULT' || body['KeyUsage'] !== 'ENCRYPT_DECRYPT') {
    throw new KmsFault('ValidationException')
  }
  const key: Key = { id: randomUUID(), material: randomBytes(32), state: 'Enabled', deletionMs: 0 }
  server.keys.set(key.id, key)
  return key
}

function createAlias(server: AwsKmsServer, alias: string, target: string): object {
  if (!/^alias\/(?!aws\/)[A-Za-z0-9/_-]{1,250}$/.test(alias)) throw new KmsFault('InvalidAliasNameException')
  if (server.aliases.has(alias)) throw new KmsFault('AlreadyExistsException')
  if (keyOf(server, target).state === 'PendingDeletion') throw new KmsFault('KMSInvalidStateException')
  server.aliases.set(alias, target)
  return {}
}

function keyOf(server: AwsKmsServer, name: string): Key {
  const id = name.startsWith('alias/') ? server.aliases.get(name) : name.replace(/^arn:.*:key\//, '')
  const key = server.keys.get(id ?? '')
  if (key === undefined) throw new KmsFault('NotFoundException', `${name} is not found.`)
  return key
}

function usable(server: AwsKmsServer, name: string): Key {
  const key = keyOf(server, name)
  if (key.state === 'Disabled') throw new KmsFault('DisabledException')
  if (key.state !== 'Enabled') throw new KmsFault('KMSInvalidStateException', `${arn(key)} is ${key.state}.`)
  return key
}

function arn({ id }: Key): string {
  return `arn:aws:kms:eu-central-1:${ACCOUNT}:key/${id}`
}

function metadata(key: Key): object {
  const deletion = key.state === 'PendingDeletion' ? { DeletionDate: key.deletionMs / 1000 } : {}
  const { id, state } = key
  return {
    AWSAccountId: ACCOUNT,
    KeyId: id,
    Arn: arn(key),
    KeyState: state,
    Enabled: state === 'Enabled',
    ...deletion,
  }
}

/** Sorted, as the service does: the order of the pairs does not count. */
function additional(body: Asked['body']): Uint8Array {
  const context = (body['EncryptionContext'] ?? {}) as Record<string, string>
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))))
}

function encrypt(key: Key, body: Asked['body']): object {
  const plaintext = Buffer.from(String(body['Plaintext']), 'base64')
  if (plaintext.length < 1 || plaintext.length > 4096) throw new KmsFault('ValidationException')
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key.material, iv).setAAD(additional(body))
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  const blob = Buffer.concat([Buffer.from(key.id), iv, sealed])
  return {
    CiphertextBlob: blob.toString('base64'),
    KeyId: arn(key),
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  }
}

function decrypt(server: AwsKmsServer, body: Asked['body']): object {
  const blob = Buffer.from(String(body['CiphertextBlob']), 'base64')
  const key = usable(server, String(body['KeyId']))
  if (blob.length < 64) throw new KmsFault('InvalidCiphertextException')
  if (blob.subarray(0, 36).toString() !== key.id) throw new KmsFault('IncorrectKeyException')
  const decipher = createDecipheriv('aes-256-gcm', key.material, blob.subarray(36, 48))
  decipher.setAAD(additional(body)).setAuthTag(blob.subarray(-16))
  try {
    const plaintext = Buffer.concat([decipher.update(blob.subarray(48, -16)), decipher.final()])
    return {
      KeyId: arn(key),
      Plaintext: plaintext.toString('base64'),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    }
  } catch {
    throw new KmsFault('InvalidCiphertextException')
  }
}

function schedule(server: AwsKmsServer, name: string, days: number): object {
  if (name.startsWith('alias/')) throw new KmsFault('NotFoundException', 'Invalid keyId')
  if (!Number.isInteger(days) || days < 7 || days > 30) throw new KmsFault('ValidationException')
  const key = keyOf(server, name)
  if (key.state === 'PendingDeletion')
    throw new KmsFault('KMSInvalidStateException', `${arn(key)} is pending deletion.`)
  key.state = 'PendingDeletion'
  // Answers count in milliseconds at most.
  key.deletionMs = server.nowMs + days * DAY_MS
  return {
    KeyId: arn(key),
    DeletionDate: key.deletionMs / 1000,
    KeyState: key.state,
    PendingWindowInDays: days,
  }
}

/** A client as the SDK's, as far as the shape goes: requests are JSON 1.1, errors go by the name of their type. */
export function awsKmsClient(address: string, accessKey = 'AKIDEXAMPLE'): AwsKmsClient {
  const call =
    (operation: string) =>
    async (input: Readonly<Record<string, unknown>>, options: AwsCallOptions = {}): Promise<never> => {
      const response = await fetch(`${address}/`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `TrentService.${operation}`,
          authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/20261122/eu-central-1/kms/aws4_request`,
        },
        body: JSON.stringify(input, (_, value: unknown) => value),
        ...(options.abortSignal === undefined ? {} : { signal: options.abortSignal }),
      })
      const body = (await response.json()) as Record<string, unknown>
      if (response.ok) return parse(body) as never
      throw Object.assign(new Error(String(body['message'])), { name: String(body['__type']) })
    }
  const blobs =
    (operation: string) =>
    (input: Readonly<Record<string, unknown>>, options?: AwsCallOptions): Promise<never> =>
      call(operation)(
        Object.fromEntries(Object.entries(input).map(([name, value]) => [name, written(value)])),
        options,
      )
  return {
    createKey: blobs('CreateKey'),
    createAlias: blobs('CreateAlias'),
    describeKey: blobs('DescribeKey'),
    encrypt: blobs('Encrypt'),
    decrypt: blobs('Decrypt'),
    scheduleKeyDeletion: blobs('ScheduleKeyDeletion'),
  }
}

function written(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

function parse(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => {
      if (name === 'CiphertextBlob' || name === 'Plaintext') return [name, bytesOf(String(value))]
      if (name === 'DeletionDate') return [name, new Date(Number(value) * 1000)]
      if (name === 'KeyMetadata') return [name, parse(value as Record<string, unknown>)]
      return [name, value]
    }),
  )
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'))
}
