/** Vectors of the quorum (SPEC §13). @module */
import { hex, utf8 } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import {
  combine,
  commitmentsOf,
  evaluate,
  finalize,
  headRow,
  inputOf,
  quorumKey,
  recordRow,
  shareFile,
  stateKey,
  valueAt,
} from '../quorum.ts'
import { encodePoint, littleEndian, numberBytes, ORDER, sha512 } from '../ristretto.ts'
import { type VectorFile, vectorFile } from './file.ts'

const REALM = 'example-realm'
const record = Uint8Array.from({ length: 16 }, (_, i) => 16 + i)
const generation = Uint8Array.from({ length: 20 }, (_, i) => (i < 4 ? Number(i === 3) : 64 + i))
/** A scalar that anybody finds again. */
const scalar = (name: string): bigint => littleEndian(sha512(utf8(`guise quorum ${name}`))) % ORDER

type Vector = VectorFile['positive'][number]

function quorum(t: number, n: number): Vector {
  const epoch = t
  const coefficients = Array.from({ length: t }, (_, j) => scalar(`${t} of ${n}, coefficient ${j}`))
  const commitments = commitmentsOf(coefficients)
  const key = quorumKey(REALM, epoch, 0, [t, n], commitments)
  const m = inputOf(REALM, record, generation, epoch)
  const parts = Array.from({ length: n }, (_, i) => {
    const nonce = scalar(`${t} of ${n}, nonce ${i + 1}`)
    const share = valueAt(coefficients, i + 1)
    return { index: i + 1, nonce, share, ...evaluate(m, share, nonce) }
  })
  const y = combine(parts.slice(n - t).map(({ index, y: part }) => [index, part] as const))
  return {
    name: `${t} of ${n}`,
    kind: 'quorum',
    coefficients: coefficients.map((a) => hex(numberBytes(a, 32))),
    key: hex(key),
    input: hex(m),
    element: hex(parts[0]?.h as Uint8Array),
    parts: parts.map(({ index, nonce, share, y: part, proof }) => ({
      index,
      file: hex(shareFile(key, index, share)),
      nonce: hex(numberBytes(nonce, 32)),
      evaluated: hex(encodePoint(part)),
      proof: hex(proof),
    })),
    point: hex(encodePoint(y)),
    output: hex(finalize(m, y)),
  }
}

const holderKey = Uint8Array.from({ length: 32 }, (_, i) => i)
const rowsKey = stateKey(holderKey, REALM, 2)
const recordBody: readonly Value[] = [REALM, 2, record, generation, true, 3, 490_896, 2, 41]
const otherBody: readonly Value[] = [
  REALM,
  2,
  record,
  generation.map((byte, i) => (i === 3 ? 2 : byte)),
  false,
  1,
  490_896,
  1,
  42,
]
const rows = [recordRow(rowsKey, recordBody), recordRow(rowsKey, otherBody)]
const headBody: readonly Value[] = [REALM, 2, 7, 42, new Uint8Array(32).fill(8), 490_896, 3, 2, 1, [[1, 4]]]

const receipt: Value = [new Uint8Array(9), 41, [new Uint8Array(32)], 'note', 40, []]
const id = new Uint8Array(16).fill(3)
const request: readonly Value[] = [1, 27, REALM, record, generation, 1, 0, 2, id, receipt]
const revocation: readonly Value[] = [1, 29, REALM, record, generation, 2, id, receipt]
const answer: readonly Value[] = [
  1,
  28,
  REALM,
  id,
  2,
  1,
  0,
  42,
  new Uint8Array(32).fill(4),
  new Uint8Array(64),
]
const refusal: readonly Value[] = [1, 31, REALM, 2, id, 4, 42]

function positive(): Vector[] {
  return [
    quorum(2, 3),
    quorum(3, 5),
    {
      name: 'rows of a holder',
      kind: 'rows',
      realm: REALM,
      index: 2,
      holderKey: hex(holderKey),
      stateKey: hex(rowsKey),
      rows: rows.map(hex),
      head: hex(headRow(rowsKey, headBody, rows)),
    },
    ...Object.entries({ request, revocation, answer, refusal }).map(([name, items]) => ({
      name,
      kind: 'message',
      message: hex(encode(items)),
    })),
  ]
}

function negative(): Vector[] {
  const commitments = commitmentsOf([scalar('one'), scalar('two')])
  const [first, second] = commitments as [Uint8Array, Uint8Array]
  const key: readonly Value[] = [1, 23, REALM, 1, 0, 2, 3, commitments]
  const keys: Readonly<Record<string, readonly Value[]>> = {
    'format 2': key.with(0, 2),
    'kind 24': key.with(1, 24),
    'epoch 0': key.with(3, 0),
    'epoch 2^32': key.with(3, 2 ** 32),
    'threshold 1': [...key.with(5, 1).slice(0, -1), [first]],
    'threshold above the holders': [1, 23, REALM, 1, 0, 4, 3, [first, second, first, second]],
    'seventeen holders': key.with(6, 17),
    'a commitment too few': key.with(7, [first]),
    'a commitment too many': key.with(7, [first, second, first]),
    'the identity as a commitment': key.with(7, [first, new Uint8Array(32)]),
    'a commitment that is no element': key.with(7, [first, new Uint8Array(32).fill(255)]),
    'nine fields': [...key, 0],
  }
  const messages: Readonly<Record<string, readonly Value[]>> = {
    'request: kind 26': request.with(1, 26),
    'request: record of 15 bytes': request.with(3, new Uint8Array(15)),
    'request: epoch 0': request.with(5, 0),
    'request: index 0': request.with(7, 0),
    'request: index 17': request.with(7, 17),
    'request: no receipt': request.with(9, null),
    'request: 64 hashes': request.with(9, [
      new Uint8Array(9),
      41,
      Array.from({ length: 64 }, () => new Uint8Array(32)),
      'note',
      40,
      [],
    ]),
    'request: a field too many': [...request, 0],
    'revocation: id of 15 bytes': revocation.with(6, new Uint8Array(15)),
    'answer: proof of 63 bytes': answer.with(9, new Uint8Array(63)),
    'refusal: reason 10': refusal.with(5, 10),
  }
  const share = valueAt([scalar('one'), scalar('two')], 1)
  const shares = {
    'the share of another index': shareFile(encode(key), 2, share),
    'an index above the holders': shareFile(encode(key), 4, share),
    'a share of zero': shareFile(encode(key), 1, 0n),
    'a share that is not reduced': shareFile(encode(key), 1, share + ORDER),
    'a share file that is cut': shareFile(encode(key), 1, share).slice(0, -1),
  }
  const made = (kind: string, name: string, bytes: Uint8Array): Vector => ({
    name: `${kind}: ${name}`,
    kind,
    bytes: hex(bytes),
    code: 'ERR_QUORUM_FORMAT',
    stage: 'decode',
  })
  return [
    ...Object.entries(keys).map(([name, items]) => made('key', name, encode(items))),
    ...Object.entries(messages).map(([name, items]) => made('message', name, encode(items))),
    ...Object.entries(shares).map(([name, bytes]) => made('share', name, bytes)),
  ]
}

export function quorumVectors(): VectorFile {
  return vectorFile(
    '13',
    [
      'quorum: coefficients of the polynomial, key, share files, the proof of each part under a given nonce, and the output of any t parts',
      'rows: what a holder with this key keeps; message: as it is sent; negative: refused when it is read',
    ],
    positive(),
    negative(),
  )
}
