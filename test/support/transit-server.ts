/** The transit engine as its API documentation describes it, over loopback: real AES-GCM, deletion, tokens, seal. @module */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { type Answered, type Asked, type Loopback, loopback } from './loopback.ts'

interface Key {
  readonly type: string
  readonly material: Uint8Array
  exportable: boolean
  deletionAllowed: boolean
  softDeleted: boolean
  minDecryptionVersion: number
}

export interface TransitServer extends Loopback {
  readonly keys: Map<string, Key>
  token: string
  sealed: boolean
  /** What the token may not do: `DELETE keys`, `POST encrypt` and the like. */
  readonly forbidden: Set<string>
  namespace: string | undefined
  /** Pretends to delete. */
  keepsDeleted: boolean
}

export async function transitServer(mount = 'transit'): Promise<TransitServer> {
  const loop = await loopback('application/json', (asked) => answer(server, mount, asked))
  const server: TransitServer = Object.assign(loop, {
    keys: new Map(),
    token: 'hvs.example',
    sealed: false,
    forbidden: new Set<string>(),
    namespace: undefined,
    keepsDeleted: false,
  })
  return server
}

function refusal(status: number, ...errors: readonly string[]): Answered {
  return { status, body: { errors } }
}

function answer(server: TransitServer, mount: string, asked: Asked): Answered {
  const { method, path, headers } = asked
  if (server.sealed) return refusal(503, 'Vault is sealed')
  if (headers['x-vault-token'] !== server.token) return refusal(403, 'permission denied')
  if (headers['x-vault-namespace'] !== server.namespace || !path.startsWith(`/v1/${mount}/`)) {
    return refusal(404, `no handler for route "${path.slice(4)}". route entry not found.`)
  }
  const [verb = '', name = '', action = ''] = path.slice(`/v1/${mount}/`.length).split('/')
  if (server.forbidden.has(`${method} ${verb}`))
    return refusal(403, '1 error occurred:\n\t* permission denied\n\n')
  if (verb === 'keys' && action === 'config') return configure(server, name, asked)
  if (verb === 'keys' && method === 'POST') return createKey(server, name, asked)
  if (verb === 'keys' && method === 'GET') return describeKey(server.keys.get(name), name)
  if (verb === 'keys' && method === 'DELETE') return deleteKey(server, name)
  if (verb === 'encrypt' && method === 'POST') return encrypt(server, name, asked)
  if (verb === 'decrypt' && method === 'POST') return decrypt(server.keys.get(name), asked)
  return refusal(405, 'unsupported operation')
}

function createKey(server: TransitServer, name: string, { body }: Asked): Answered {
  const type = String(body['type'])
  if (!/^\w(?:[\w.-]+)?\w$/.test(name)) return refusal(404, 'unsupported path')
  if (!server.keys.has(name)) server.keys.set(name, newKey(type, body['exportable'] === true))
  return describeKey(server.keys.get(name), name)
}

function newKey(type: string, exportable: boolean): Key {
  return {
    type,
    exportable,
    material: randomBytes(32),
    deletionAllowed: false,
    softDeleted: false,
    minDecryptionVersion: 1,
  }
}

function describeKey(key: Key | undefined, name: string): Answered {
  if (key === undefined) return refusal(404)
  const data = {
    name,
    type: key.type,
    derived: false,
    exportable: key.exportable,
    allow_plaintext_backup: false,
    deletion_allowed: key.deletionAllowed,
    latest_version: 1,
    min_decryption_version: key.minDecryptionVersion,
    keys: { 1: 1_700_000_000 },
  }
  return { status: 200, body: { request_id: 'a', lease_id: '', data } }
}

function configure(server: TransitServer, name: string, { body }: Asked): Answered {
  const key = server.keys.get(name)
  if (key === undefined) return refusal(400, `no existing key named ${name} could be found`)
  key.deletionAllowed = body['deletion_allowed'] === true
  return describeKey(key, name)
}

function deleteKey(server: TransitServer, name: string): Answered {
  const key = server.keys.get(name)
  const refuse = (why: string): Answered => refusal(400, `error deleting policy ${name}: ${why}`)
  if (key === undefined) return refuse('could not delete key; not found')
  if (!key.deletionAllowed) return refuse('deletion is not allowed for this key')
  if (!server.keepsDeleted) server.keys.delete(name)
  return { status: 204 }
}

function encrypt(server: TransitServer, name: string, { body }: Asked): Answered {
  // A token that may create makes a missing key by encrypting.
  const key = server.keys.get(name) ?? newKey('aes256-gcm96', false)
  server.keys.set(name, key)
  if (key.softDeleted) return refusal(400, 'key is soft-deleted')
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key.material, iv).setAAD(additional(body))
  const plaintext = Buffer.from(String(body['plaintext']), 'base64')
  const sealed = Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return {
    status: 200,
    body: { data: { ciphertext: `vault:v1:${sealed.toString('base64')}`, key_version: 1 } },
  }
}

function decrypt(key: Key | undefined, { body }: Asked): Answered {
  if (key === undefined) return refusal(400, 'encryption key not found')
  if (key.softDeleted) return refusal(400, 'key is soft-deleted')
  if (key.minDecryptionVersion > 1) {
    return refusal(400, 'ciphertext or signature version is disallowed by policy (too old)')
  }
  const sealed = Buffer.from(String(body['ciphertext']).replace('vault:v1:', ''), 'base64')
  if (sealed.length < 28) return refusal(400, 'invalid ciphertext: unable to decrypt')
  const decipher = createDecipheriv('aes-256-gcm', key.material, sealed.subarray(0, 12))
  decipher.setAAD(additional(body)).setAuthTag(sealed.subarray(-16))
  try {
    const plaintext = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
    return { status: 200, body: { request_id: 'b', data: { plaintext: plaintext.toString('base64') } } }
  } catch {
    return refusal(400, 'cipher: message authentication failed')
  }
}

function additional(body: Asked['body']): Uint8Array {
  return Buffer.from(String(body['associated_data']), 'base64')
}
