/** Signed notes and their keys, read strictly (SPEC §14.3, C2SP signed-note). @module */

import { compareBytes, concatBytes, fromBase64, fromHex, toBase64Url, toHex, utf8 } from '../base/bytes.ts'
import { checkBytes } from '../base/check.ts'
import { sha256 } from '../crypto/hash.ts'
import { verifyEd25519 } from '../crypto/sign.ts'
import { malformed, otherKey, rejectInput } from './errors.ts'

/** What a key of a note signs, the byte that its hash begins with. */
export const KEY_TYPE = { log: 0x01, witness: 0x04 } as const

const NOTE_CHARACTERS = 65_536
const MOST_SIGNATURES = 64
const NAME_BYTES = 255
const KEY_BYTES = 32
const KEY_HASH_BYTES = 4
const SIGNATURE_BYTES = 64
const LINE_FEED = 10
/** White space and control characters of Unicode, and plus. */
const NOT_IN_NAME = /[\p{White_Space}\p{Cc}+]/u
const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/

/** One signature line of a note. */
export interface NoteSignature {
  readonly name: string
  /** Names the key; not cryptographically strong. */
  readonly keyHash: Uint8Array
  readonly signature: Uint8Array
}

/** A note that nobody has verified yet. */
export interface Note {
  /** With its last line break, without the empty line. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** A public key with the name that it signs under. */
export interface VerifierKey {
  readonly name: string
  readonly type: number
  readonly publicKey: Uint8Array
  readonly keyHash: Uint8Array
}

/** Takes a note apart. Throws `ERR_AUDIT_FORMAT` for whatever is not exactly a note. */
export function parseNote(note: string): Note {
  if (typeof note !== 'string') throw rejectInput('a note must be a string')
  if (note.length > NOTE_CHARACTERS) throw malformed('the note is too long')
  if (utf8(note) === undefined || hasControl(note)) throw malformed('the note is not plain text')
  const end = note.lastIndexOf('\n\n')
  if (end < 0) throw malformed('the note has no signatures')
  return { text: note.slice(0, end + 1), signatures: parseSignatures(note.slice(end + 2)) }
}

/** Takes signature lines apart, at least one, each ended. Throws `ERR_AUDIT_FORMAT`. */
export function parseSignatures(lines: string): readonly NoteSignature[] {
  if (!lines.endsWith('\n')) throw malformed('a signature line is not ended')
  const texts = lines.slice(0, -1).split('\n')
  if (texts.length > MOST_SIGNATURES) throw malformed('the note has too many signatures')
  return texts.map(parseSignature)
}

/** A signature as its line, with the line break. */
export function signatureLine({ name, keyHash, signature }: NoteSignature): string {
  return `\u2014 ${name} ${toBase64(concatBytes(keyHash, signature))}\n`
}

/** What an algorithm signs, and the Ed25519 signature in it. */
export interface SignedParts {
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/**
 * The first signature of `key`, after all of them have been verified; those of other keys are ignored. Throws `ERR_AUDIT_KEY` when
 * there is none, or when one does not fit.
 *
 * @param read takes a signature apart; `undefined` when it has the wrong form
 */
export function requireSignature<Parts extends SignedParts>(
  note: Note,
  key: VerifierKey,
  read: (signature: Uint8Array) => Parts | undefined,
): { readonly line: string; readonly parts: Parts } {
  const own = note.signatures.filter(
    ({ name, keyHash }) => name === key.name && compareBytes(keyHash, key.keyHash) === 0,
  )
  const found = own.map((line) => {
    const parts = read(line.signature)
    if (parts === undefined || !verifyEd25519(parts.signature, parts.signed, key.publicKey)) {
      throw otherKey('a signature of the expected key does not fit')
    }
    return { line: signatureLine(line), parts }
  })
  const [first] = found
  if (first === undefined) throw otherKey('the expected key has not signed')
  return first
}

/** Verifies the plain Ed25519 signature of a log over the text. Throws `ERR_AUDIT_KEY`. */
export function requireLogSignature(note: Note, key: VerifierKey): void {
  requireSignature(note, key, (signature) => ({ signed: bytesOf(note.text), signature }))
}

/** `SHA-256(name ‖ 0x0A ‖ type ‖ public key)`, its first four bytes. */
export function keyHashOf(name: string, type: number, publicKey: Uint8Array): Uint8Array {
  return sha256(concatBytes(bytesOf(name), Uint8Array.of(LINE_FEED, type), publicKey)).slice(
    0,
    KEY_HASH_BYTES,
  )
}

/** The text form of a log's public key, `name+hash+key`: what a verifier is given. Throws `ERR_AUDIT_INPUT`. */
export function verifierKey(origin: string, publicKey: Uint8Array): string {
  checkName(origin)
  checkBytes(publicKey, 'publicKey', KEY_BYTES, rejectInput)
  const { log } = KEY_TYPE
  const key = toBase64(concatBytes(Uint8Array.of(log), publicKey))
  return `${origin}+${toHex(keyHashOf(origin, log, publicKey))}+${key}`
}

/** Reads the text form of a key of one type. Throws `ERR_AUDIT_FORMAT`. */
export function parseVerifierKey(text: string, type: number): VerifierKey {
  if (typeof text !== 'string') throw rejectInput('a verifier key must be a string')
  const [name = '', hash = '', ...rest] = text.split('+')
  // Base64 has plus signs of its own.
  const key = strictBase64(rest.join('+'))
  const keyHash = fromHex(hash)
  if (!isName(name) || keyHash?.length !== KEY_HASH_BYTES || key?.length !== 1 + KEY_BYTES) {
    throw malformed('the verifier key is malformed')
  }
  const publicKey = key.slice(1)
  if (key[0] !== type) throw malformed('the verifier key is of another type')
  if (compareBytes(keyHash, keyHashOf(name, type, publicKey)) !== 0) {
    throw malformed('the hash in the verifier key is not its own')
  }
  return { name, type, publicKey, keyHash }
}

/** A name under which notes are signed, and the origin of a log. Throws `ERR_AUDIT_INPUT`. */
export function checkName(name: unknown): string {
  if (typeof name !== 'string' || !isName(name)) {
    throw rejectInput(`an origin is 1 to ${NAME_BYTES} bytes without spaces and plus`)
  }
  return name
}

/** Base64 with padding (RFC 4648 §4). */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64Url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** The bytes of base64 that `toBase64` would write; `undefined` for any other text. */
export function strictBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = fromBase64(text)
  return bytes !== undefined && toBase64(bytes) === text ? bytes : undefined
}

/** The UTF-8 bytes of a text that is known to have some. */
export function bytesOf(text: string): Uint8Array {
  return utf8(text) as Uint8Array
}

/** True when there is a character below the space other than a line break. */
function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 && code !== LINE_FEED) return true
  }
  return false
}

/** Also refuses what a note, where lines and spaces part, could not hold. */
function isName(name: string): boolean {
  const length = NOT_IN_NAME.test(name) ? 0 : (utf8(name)?.length ?? 0)
  return length > 0 && length <= NAME_BYTES
}

function parseSignature(line: string): NoteSignature {
  const [, name = '', text = ''] = SIGNATURE_LINE.exec(line) ?? []
  const bytes = strictBase64(text)
  if (bytes === undefined || bytes.length <= KEY_HASH_BYTES || !isName(name)) {
    throw malformed('a signature line is malformed')
  }
  return { name, keyHash: bytes.slice(0, KEY_HASH_BYTES), signature: bytes.slice(KEY_HASH_BYTES) }
}

/** Splits the signature of a witness: eight bytes of time, then Ed25519; `undefined` when it has another form. */
export function splitTimed(
  signature: Uint8Array,
): { readonly seconds: number; readonly signature: Uint8Array } | undefined {
  if (signature.length !== 8 + SIGNATURE_BYTES) return undefined
  let seconds = 0
  for (const byte of signature.subarray(0, 8)) seconds = seconds * 256 + byte
  return Number.isSafeInteger(seconds) ? { seconds, signature: signature.subarray(8) } : undefined
}
