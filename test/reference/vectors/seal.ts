/** Vectors of the committing seal, a two-key ciphertext among the faults (SPEC §8). @module */
import { concat, equal, hex, Refused, utf8 } from '../bytes.ts'
import { bytesFor } from '../inputs.ts'
import { open, recordKeys, recordOpen, recordSeal, type Sealed, seal, sealKeys } from '../seal.ts'
import { aeadOpen } from '../xchacha.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import { referenceHeaderFor, rs } from './person.ts'
import { twoKeyCiphertext } from './twokey.ts'

const ABOUT = [
  'procedure "seal": k, label, aad, plaintext, nonce → okm (64 bytes), key, commitment, ciphertext.',
  'procedure "record": record secret, header, code, nonce → okm (96 bytes), rotationKey, key, commitment, ciphertext.',
  'The nonce is given so that the bytes are fixed; a sealer draws its own.',
  'negative: opening fails with the code; stage tells where: shape, commitment, tag.',
  'bareKey: the same ciphertext opens under this key with XChaCha20-Poly1305 alone.',
]

const K = bytesFor('seal key', 32)
const LABEL = 'guise/v1/inner'
const AAD = bytesFor('seal associated data', 70)
const NONCE = bytesFor('seal nonce', 24)
const PLAINTEXT = bytesFor('seal plaintext', 32)

interface Opening {
  readonly k: Uint8Array
  readonly label: string
  readonly aad: Uint8Array
  readonly sealed: Sealed
}

export function sealVectors(): VectorFile {
  return vectorFile('chapter 8', ABOUT, [...seals(), ...records()], [...sealFaults(), ...recordFaults()])
}

function parts(sealed: Sealed): Record<string, Json> {
  return {
    nonce: hex(sealed.nonce),
    commitment: hex(sealed.commitment),
    ciphertext: hex(sealed.ciphertext),
  }
}

function seals(): Record<string, Json>[] {
  const cases: readonly (readonly [string, Uint8Array, string, Uint8Array, Uint8Array])[] = [
    ['32 bytes', K, LABEL, AAD, PLAINTEXT],
    ['no associated data', K, LABEL, new Uint8Array(0), PLAINTEXT],
    ['empty plaintext', K, LABEL, AAD, new Uint8Array(0)],
    ['one slot', K, 'guise/v1/outer', AAD, bytesFor('one slot', 104)],
    ['four slots', K, 'guise/v1/outer', AAD, bytesFor('four slots', 416)],
    ['key of 131 bytes', bytesFor('long key', 131), LABEL, AAD, PLAINTEXT],
    ['one byte', K, 'x', utf8('y'), Uint8Array.of(0)],
  ]
  return cases.map(([name, k, label, aad, plaintext]) => {
    const { okm, key } = sealKeys(k, label, NONCE, aad)
    const sealed = seal(k, label, aad, plaintext, NONCE)
    return {
      name,
      procedure: 'seal',
      k: hex(k),
      label,
      aad: hex(aad),
      plaintext: hex(plaintext),
      okm: hex(okm),
      key: hex(key),
      ...parts(sealed),
    }
  })
}

function records(): Record<string, Json>[] {
  return [64, 128, 256, 512, 1024].map((m) => {
    const header = referenceHeaderFor(512, m, 'B4')
    const nonce = bytesFor(`record nonce ${m}`, 24)
    const code = bytesFor(`code ${m}`, m / 8)
    const { okm, rotationKey, key } = recordKeys(rs, nonce, header)
    return {
      name: `record m ${m}`,
      procedure: 'record',
      recordSecret: hex(rs),
      header: hex(header),
      code: hex(code),
      okm: hex(okm),
      rotationKey: hex(rotationKey),
      key: hex(key),
      ...parts(recordSeal(rs, header, code, nonce)),
    }
  })
}

/** The same with one bit of one byte turned. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const index = at < 0 ? bytes.length + at : at
  return bytes.map((byte, i) => (i === index ? byte ^ (1 << bit) : byte))
}

function stageOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof Refused && error.code === 'ERR_SEAL_OPEN') return error.message.replace(/^.*: /, '')
    throw error
  }
  throw new RangeError('opened')
}

function sealFaults(): Record<string, Json>[] {
  const sealed = seal(K, LABEL, AAD, PLAINTEXT, NONCE)
  const good: Opening = { k: K, label: LABEL, aad: AAD, sealed }
  const { nonce, commitment, ciphertext } = sealed
  const other = bytesFor('another seal key', 32)
  const zero = new Uint8Array(32)
  const swapped = seal(K, LABEL, AAD, PLAINTEXT, bytesFor('another nonce', 24))
  const faults: Readonly<Record<string, Opening>> = {
    'first bit of the nonce': { ...good, sealed: { ...sealed, nonce: flipped(nonce, 0) } },
    'last bit of the nonce': { ...good, sealed: { ...sealed, nonce: flipped(nonce, -1, 7) } },
    'first bit of the commitment': { ...good, sealed: { ...sealed, commitment: flipped(commitment, 0) } },
    'last bit of the commitment': { ...good, sealed: { ...sealed, commitment: flipped(commitment, -1, 7) } },
    'commitment of zeros': { ...good, sealed: { ...sealed, commitment: zero } },
    'commitment of another seal': { ...good, sealed: { ...sealed, commitment: swapped.commitment } },
    'nonce of another seal': { ...good, sealed: { ...sealed, nonce: swapped.nonce } },
    'ciphertext of another seal': { ...good, sealed: { ...sealed, ciphertext: swapped.ciphertext } },
    'first bit of the ciphertext': { ...good, sealed: { ...sealed, ciphertext: flipped(ciphertext, 0) } },
    'last bit before the tag': { ...good, sealed: { ...sealed, ciphertext: flipped(ciphertext, -17, 7) } },
    'first bit of the tag': { ...good, sealed: { ...sealed, ciphertext: flipped(ciphertext, -16) } },
    'last bit of the tag': { ...good, sealed: { ...sealed, ciphertext: flipped(ciphertext, -1, 7) } },
    'tag one byte short': { ...good, sealed: { ...sealed, ciphertext: ciphertext.slice(0, -1) } },
    'no tag': { ...good, sealed: { ...sealed, ciphertext: ciphertext.slice(0, -16) } },
    'shorter than a tag': { ...good, sealed: { ...sealed, ciphertext: ciphertext.slice(0, 15) } },
    'empty ciphertext': { ...good, sealed: { ...sealed, ciphertext: new Uint8Array(0) } },
    'a byte after the tag': {
      ...good,
      sealed: { ...sealed, ciphertext: concat(ciphertext, zero.slice(0, 1)) },
    },
    'a byte before the ciphertext': {
      ...good,
      sealed: { ...sealed, ciphertext: concat(zero.slice(0, 1), ciphertext) },
    },
    'another key': { ...good, k: other },
    'one bit of the key': { ...good, k: flipped(K, 31, 7) },
    'key with a zero byte more': { ...good, k: concat(K, zero.slice(0, 1)) },
    'another label': { ...good, label: 'guise/v1/outer' },
    'a label one character short': { ...good, label: 'guise/v1/inne' },
    'one bit of the associated data': { ...good, aad: flipped(AAD, 12) },
    'associated data one byte short': { ...good, aad: AAD.slice(0, -1) },
    'a byte more of associated data': { ...good, aad: concat(AAD, zero.slice(0, 1)) },
    'no associated data': { ...good, aad: new Uint8Array(0) },
  }
  const list = Object.entries(faults).map(([name, { k, label, aad, sealed: bad }]) => ({
    name,
    procedure: 'seal',
    k: hex(k),
    label,
    aad: hex(aad),
    ...parts(bad),
    code: 'ERR_SEAL_OPEN',
    stage: stageOf(() => open(k, label, aad, bad)),
  }))
  return [...list, twoKeys(other)]
}

/** SEAL-2: sealed under one key, and the bare AEAD opens it under the other as well. */
function twoKeys(other: Uint8Array): Record<string, Json> {
  const first = sealKeys(K, LABEL, NONCE, AAD)
  const second = sealKeys(other, LABEL, NONCE, AAD)
  const ciphertext = twoKeyCiphertext(first.key, second.key, NONCE, AAD)
  const sealed = { nonce: NONCE, commitment: first.commitment, ciphertext }
  const under = [first.key, second.key].map((key) => aeadOpen(key, NONCE, AAD, ciphertext))
  if (under[0] === undefined || under[1] === undefined || equal(under[0], under[1]))
    throw new RangeError('two keys')
  if (!equal(open(K, LABEL, AAD, sealed), under[0])) throw new RangeError('two keys')
  return {
    name: 'a ciphertext that opens under two keys, opened under the second',
    procedure: 'seal',
    k: hex(other),
    label: LABEL,
    aad: hex(AAD),
    ...parts(sealed),
    bareKey: hex(second.key),
    code: 'ERR_SEAL_OPEN',
    stage: stageOf(() => open(other, LABEL, AAD, sealed)),
  }
}

function recordFaults(): Record<string, Json>[] {
  const header = referenceHeaderFor(512, 512, 'B4')
  const sealed = recordSeal(rs, header, bytesFor('code 512', 64), bytesFor('record nonce 512', 24))
  const plain = seal(rs, 'guise/v1/record', header, bytesFor('code 512', 64), sealed.nonce)
  const faults: Readonly<Record<string, readonly [Uint8Array, Uint8Array, Sealed]>> = {
    'record: another secret': [bytesFor('another record secret', 32), header, sealed],
    'record: one bit of the header': [rs, flipped(header, 40), sealed],
    'record: the header of another m': [rs, referenceHeaderFor(512, 256, 'B4'), sealed],
    'record: the header of the other suite': [rs, referenceHeaderFor(512, 512, 'B6'), sealed],
    'record: the nonce': [rs, header, { ...sealed, nonce: flipped(sealed.nonce, 3) }],
    'record: the commitment': [rs, header, { ...sealed, commitment: flipped(sealed.commitment, 3) }],
    'record: the ciphertext': [rs, header, { ...sealed, ciphertext: flipped(sealed.ciphertext, 3) }],
    'record: the tag': [rs, header, { ...sealed, ciphertext: flipped(sealed.ciphertext, -3) }],
    'record: cut short': [rs, header, { ...sealed, ciphertext: sealed.ciphertext.slice(0, -1) }],
    'record: sealed with an expand of 64 bytes': [rs, header, plain],
  }
  return Object.entries(faults).map(([name, [secret, head, bad]]) => ({
    name,
    procedure: 'record',
    recordSecret: hex(secret),
    header: hex(head),
    ...parts(bad),
    code: 'ERR_SEAL_OPEN',
    stage: stageOf(() => recordOpen(secret, head, bad)),
  }))
}
