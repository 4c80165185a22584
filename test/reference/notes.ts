/** Notes, checkpoints and cosignatures, read slowly and from the text (SPEC §14.3; C2SP signed-note). @module */
import { base64 } from './audit.ts'
import { concat, equal, Refused, utf8 } from './bytes.ts'
import { ed25519Verify, sha256 } from './hashes.ts'

interface Signature {
  readonly name: string
  readonly hash: Uint8Array
  readonly signature: Uint8Array
}

interface Note {
  readonly text: string
  readonly signatures: readonly Signature[]
}

interface Key {
  readonly name: string
  readonly hash: Uint8Array
  readonly publicKey: Uint8Array
}

export interface Head {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

function format(why: string): Refused {
  return new Refused('ERR_AUDIT_FORMAT', why)
}

/** RFC 4648 §4 with padding and zero unused bits: what encodes to another text is refused. */
function unbase64(text: string): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
  } catch {
    throw format('base64')
  }
  if (base64(bytes) !== text) throw format('base64')
  return bytes
}

function checkName(name: string): string {
  const length = utf8(name).length
  if (length < 1 || length > 255 || /[\s+\p{Cc}]/u.test(name)) throw format('name')
  return name
}

/** `name+hash+key` of a type. */
function readKey(text: string, type: number): Key {
  const [name = '', digits = '', ...rest] = text.split('+')
  const bytes = unbase64(rest.join('+'))
  const hash = sha256(concat(utf8(checkName(name)), Uint8Array.of(10), bytes)).slice(0, 4)
  const shown = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  if (bytes.length !== 33 || bytes[0] !== type || digits !== shown) throw format('key')
  return { name, hash, publicKey: bytes.slice(1) }
}

function readNote(bytes: Uint8Array): Note {
  let note: string
  try {
    note = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw format('not UTF-8')
  }
  const empty = note.lastIndexOf('\n\n')
  for (let i = 0; i < note.length; i++)
    if (note.charCodeAt(i) < 32 && note[i] !== '\n') throw format('a control character')
  if (empty < 0 || !note.endsWith('\n') || note.length > 65_536) throw format('no note')
  const lines = note.slice(empty + 2, -1).split('\n')
  if (lines.length > 64) throw format('too many signatures')
  return { text: note.slice(0, empty + 1), signatures: lines.map(readLine) }
}

function readLine(line: string): Signature {
  const [dash, name = '', value = '', ...rest] = line.split(' ')
  const bytes = unbase64(value)
  if (dash !== '\u2014' || rest.length > 0 || bytes.length < 5) throw format('a signature line')
  return { name: checkName(name), hash: bytes.slice(0, 4), signature: bytes.slice(4) }
}

/** AUDIT-7: by the expected key, by name and hash, and every one that is. */
function own(note: Note, key: Key): readonly Signature[] {
  const found = note.signatures.filter(({ name, hash }) => name === key.name && equal(hash, key.hash))
  if (found.length === 0) throw new Refused('ERR_AUDIT_KEY', 'not signed by the key')
  return found
}

export function readCheckpoint(bytes: Uint8Array, logKey: string): Head {
  const key = readKey(logKey, 1)
  const note = readNote(bytes)
  for (const { signature } of own(note, key))
    if (!ed25519Verify(key.publicKey, utf8(note.text), signature))
      throw new Refused('ERR_AUDIT_KEY', 'signature')
  const [origin = '', size = '', root = '', ...further] = note.text.slice(0, -1).split('\n')
  if (origin !== key.name || further.includes('')) throw format('no checkpoint')
  if (String(Number(size)) !== size || !Number.isSafeInteger(Number(size)) || Number(size) < 0)
    throw format('size')
  const hash = unbase64(root)
  if (hash.length !== 32) throw format('root')
  return { origin, size: Number(size), root: hash }
}

/** AUDIT-8: the time of a witness's cosignature. */
export function readCosignature(bytes: Uint8Array, witnessKey: string): number {
  const key = readKey(witnessKey, 4)
  const note = readNote(bytes)
  const times = own(note, key).map(({ signature }) => {
    let seconds = 0
    for (const byte of signature.slice(0, 8)) seconds = 256 * seconds + byte
    const signed = utf8(`cosignature/v1\ntime ${seconds}\n${note.text}`)
    if (!ed25519Verify(key.publicKey, signed, signature.slice(8)))
      throw new Refused('ERR_AUDIT_KEY', 'cosignature')
    return seconds
  })
  return times[0] as number
}
