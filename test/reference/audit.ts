/** The audit log, slowly and from the text (SPEC §14; RFC 9162 §2.1 by its recursive definitions). @module */
import { concat, equal, lp, Refused, u32be, utf8 } from './bytes.ts'
import { decode, encode, type Value } from './cbor.ts'
import { ed25519PublicKey, ed25519Sign, ed25519Verify, mac, sha256 } from './hashes.ts'

/** RFC 9162 §2.1.1: the leaf hash. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(0), entry))
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right))
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  let k = 1
  while (2 * k < n) k *= 2
  return k
}

/** `MTH(D_n)`. */
export function mth(entries: readonly Uint8Array[]): Uint8Array {
  const [only] = entries
  if (only === undefined) return sha256(new Uint8Array(0))
  if (entries.length === 1) return leafHash(only)
  const k = split(entries.length)
  return nodeHash(mth(entries.slice(0, k)), mth(entries.slice(k)))
}

/** `PATH(m, D_n)`, §2.1.3.1. */
export function path(m: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (entries.length === 1) return []
  const k = split(entries.length)
  return m < k
    ? [...path(m, entries.slice(0, k)), mth(entries.slice(k))]
    : [...path(m - k, entries.slice(k)), mth(entries.slice(0, k))]
}

/** `PROOF(m, D_n)`, §2.1.4.1. */
export function proof(m: number, entries: readonly Uint8Array[]): Uint8Array[] {
  return m === 0 || m === entries.length ? [] : subProof(m, entries, true)
}

function subProof(m: number, entries: readonly Uint8Array[], whole: boolean): Uint8Array[] {
  if (m === entries.length) return whole ? [] : [mth(entries)]
  const k = split(entries.length)
  return m <= k
    ? [...subProof(m, entries.slice(0, k), whole), mth(entries.slice(k))]
    : [...subProof(m - k, entries.slice(k), false), mth(entries.slice(0, k))]
}

/** The root that a path leads to, by the shape of the tree. */
export function rootOfPath(
  leaf: Uint8Array,
  m: number,
  n: number,
  hashes: readonly Uint8Array[],
): Uint8Array {
  if (n === 1) {
    if (hashes.length > 0) throw new Refused('ERR_AUDIT_PROOF', 'too long')
    return leaf
  }
  const last = hashes.at(-1)
  if (last === undefined) throw new Refused('ERR_AUDIT_PROOF', 'too short')
  const rest = hashes.slice(0, -1)
  const k = split(n)
  return m < k
    ? nodeHash(rootOfPath(leaf, m, k, rest), last)
    : nodeHash(last, rootOfPath(leaf, m - k, n - k, rest))
}

export const ACTIONS: readonly string[] = (
  'enroll verify activate suspend resume hold release rebind revoke reissue rotate erase devices ' +
  'key-add key-promote key-disable key-destroy key-renew anchor-accept key-enable key-retire identify gallery open ' +
  'key-migrate campaign withdraw basis capture - - - adapt model-announce model-withdraw model-finish people export - - reference-add reference-remove'
).split(' ')
export const OUTCOMES: readonly string[] = ['done', 'match', 'nonmatch', 'refused', 'failed']

export interface Fields {
  readonly realm: string
  readonly writer: Uint8Array
  readonly sequence: number
  readonly previous: Uint8Array
  readonly time: number
  readonly actor: string | null
  readonly action: number
  readonly handle: Uint8Array | null
  readonly record: Uint8Array | null
  readonly generation: Uint8Array | null
  readonly outcome: number
  readonly epoch: number | null
  readonly policy: string | null
  readonly basis: number | null
  readonly state: Uint8Array | null
  readonly attempts: Uint8Array | null
  readonly ring: Uint8Array | null
}

/** §14.2, the order of the fields. */
export function entryBytes(fields: Fields): Uint8Array {
  const { realm, writer, sequence, previous, time, actor, action, handle, record, generation } = fields
  const { outcome, epoch, policy, basis, state, attempts, ring } = fields
  const place: Value[] = [1, 12, realm, writer, sequence, previous, time]
  const said: Value[] = [actor, action, handle, record, generation, outcome, epoch, policy, basis]
  return encode([...place, ...said, state, attempts, ring])
}

/** §14.6: what waits to be integrated. */
export function queueRow(entry: Uint8Array, v: number, logKey: Uint8Array): Uint8Array {
  return concat(u32be(v), entry, mac(logKey, concat(lp('guise/v1/queue'), u32be(v), entry)))
}

/** What the chains and the decoder look at. */
export function readEntry(bytes: Uint8Array): Fields {
  const items = decode(bytes, 1024) as readonly Value[]
  if (!Array.isArray(items) || items.length !== 19 || items[0] !== 1 || items[1] !== 12)
    throw format('no entry')
  const [, , realm, writer, sequence, previous, time, actor, action, handle, record, generation] = items
  const [outcome, epoch, policy, basis, state, attempts, ring] = items.slice(12)
  const bytesOf = (value: Value | undefined, length: number): Uint8Array => {
    if (!(value instanceof Uint8Array) || value.length !== length) throw format('bytes')
    return value
  }
  const numberOf = (value: Value | undefined, most: number): number => {
    if (typeof value !== 'number' || value > most) throw format('number')
    return value
  }
  const actionOf = (number: number): number => {
    if (ACTIONS[number] === '-') throw format('action')
    return number
  }
  const textOf = (value: Value | undefined): string => {
    if (typeof value !== 'string' || value === '' || utf8(value).length > 64) throw format('text')
    return value
  }
  const or = <T>(value: Value | undefined, read: (value: Value | undefined) => T): T | null =>
    value === null ? null : read(value)
  const name = textOf(realm)
  if (!/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(name)) throw format('realm')
  return {
    realm: name,
    writer: bytesOf(writer, 16),
    sequence: numberOf(sequence, Number.MAX_SAFE_INTEGER),
    previous: bytesOf(previous, 32),
    time: numberOf(time, 8_640_000_000_000_000),
    actor: or(actor, textOf),
    action: actionOf(numberOf(action, ACTIONS.length - 1)),
    handle: or(handle, (value) => bytesOf(value, 16)),
    record: or(record, (value) => bytesOf(value, 16)),
    generation: or(generation, (value) => bytesOf(value, 20)),
    outcome: numberOf(outcome, OUTCOMES.length - 1),
    epoch: or(epoch, (value) => numberOf(value, Number.MAX_SAFE_INTEGER)),
    policy: or(policy, textOf),
    basis: or(basis, (value) => numberOf(value, 3)),
    state: or(state, (value) => bytesOf(value, 16)),
    attempts: or(attempts, (value) => bytesOf(value, 16)),
    ring: or(ring, (value) => bytesOf(value, 16)),
  }
}

function format(why: string): Refused {
  return new Refused('ERR_AUDIT_FORMAT', why)
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** RFC 4648 §4. */
export function base64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.slice(i, i + 3)
    const group = a * 65_536 + b * 256 + c
    for (let j = 0; j < 4; j++) {
      const digit = ALPHABET[Math.floor(group / 64 ** (3 - j)) % 64] ?? ''
      text += i + j > bytes.length ? '=' : digit
    }
  }
  return text
}

function keyHash(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  return sha256(concat(utf8(name), Uint8Array.of(10, type), publicKey)).slice(0, 4)
}

/** §14.3: `name+hash+key`. */
export function verifierKey(name: string, type: number, publicKey: Uint8Array): string {
  const hash = [...keyHash(name, type, publicKey)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${name}+${hash}+${base64(concat(Uint8Array.of(type), publicKey))}`
}

function line(name: string, type: number, publicKey: Uint8Array, signature: Uint8Array): string {
  return `\u2014 ${name} ${base64(concat(keyHash(name, type, publicKey), signature))}\n`
}

export function checkpointText(origin: string, size: number, root: Uint8Array): string {
  return `${origin}\n${size}\n${base64(root)}\n`
}

/** A note over the text, signed by the log. */
export function signNote(text: string, name: string, seed: Uint8Array): string {
  return `${text}\n${line(name, 1, ed25519PublicKey(seed), ed25519Sign(seed, utf8(text)))}`
}

/** The line by which a witness cosigns. */
export function cosign(text: string, name: string, seed: Uint8Array, seconds: number): string {
  const signature = ed25519Sign(seed, utf8(`cosignature/v1\ntime ${seconds}\n${text}`))
  const time = concat(u32be(Math.floor(seconds / 2 ** 32)), u32be(seconds % 2 ** 32))
  return line(name, 4, ed25519PublicKey(seed), concat(time, signature))
}

/** True when the note's text is signed by the log. */
export function isSignedBy(note: string, name: string, publicKey: Uint8Array): boolean {
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
  const hash = base64(keyHash(name, 1, publicKey)).slice(0, 5)
  const own = note.split('\n').find((part) => part.startsWith(`\u2014 ${name} ${hash}`))
  if (own === undefined) return false
  const signature = Uint8Array.from(atob(own.split(' ')[2] ?? ''), (c) => c.charCodeAt(0)).slice(4)
  return ed25519Verify(publicKey, utf8(text), signature)
}

/** §14.4. */
export function exported(note: string, entries: readonly Uint8Array[]): Uint8Array {
  const bytes = utf8(note)
  return concat(
    lp('guise/v1/log'),
    u32be(bytes.length),
    bytes,
    ...entries.map((entry) => concat(u32be(entry.length), entry)),
  )
}

/** §14.4, the whole verification with everything in memory. Throws on any fault. */
export function verifyExport(bytes: Uint8Array, name: string, publicKey: Uint8Array): number {
  const start = lp('guise/v1/log')
  if (!equal(bytes.slice(0, start.length), start)) throw format('label')
  let at = start.length
  const part = (): Uint8Array => {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)
    if (at + 4 + length > bytes.length) throw format('cut')
    at += 4 + length
    return bytes.slice(at - length, at)
  }
  const note = new TextDecoder('utf-8', { fatal: true }).decode(part())
  if (!isSignedBy(note, name, publicKey)) throw new Refused('ERR_AUDIT_KEY', 'not signed')
  const entries: Uint8Array[] = []
  while (at < bytes.length) entries.push(part())
  const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
  if (text !== checkpointText(name, entries.length, mth(entries)))
    throw new Refused('ERR_AUDIT', 'other root')
  const chains = new Map<string, Uint8Array[]>()
  for (const entry of entries) {
    const { writer, sequence, previous } = readEntry(entry)
    const chain = chains.get(writer.join()) ?? []
    const last = chain.at(-1)
    const expected = last === undefined ? new Uint8Array(32) : leafHash(last)
    if (sequence !== chain.length || !equal(previous, expected)) throw new Refused('ERR_AUDIT', 'chain')
    chains.set(writer.join(), [...chain, entry])
  }
  return entries.length
}
