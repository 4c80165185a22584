/** Vectors of the audit log: entries, roots, proofs, notes, exports (SPEC §14). @module */
import {
  base64,
  checkpointText,
  cosign,
  entryBytes,
  exported,
  type Fields,
  leafHash,
  mth,
  path,
  proof,
  signNote,
  verifierKey,
} from '../audit.ts'
import { concat, hex } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import { ed25519PublicKey } from '../hashes.ts'
import { bytesFor } from '../inputs.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import * as person from './person.ts'
import { flipped } from './seal.ts'

const ORIGIN = 'clinic.example/guise'
const WITNESS = 'witness.example/w1'
const SEED = bytesFor('log signer', 32)
const WITNESS_SEED = bytesFor('witness', 32)
const SECONDS = 1_767_225_600
const ABOUT = [
  'kind entry: fields are the values of the array, leaf is the hash of the entry. kind tree: entries are those of the log, in order.',
  'kind log: note is the checkpoint, cosignature the line of the witness, export the whole log.',
  'negative: one fault each; kind says which reader refuses it; key is the verifier key of the log.',
]

/** Two writers in turn: the log that everything here is about. */
function logEntries(): readonly { readonly fields: Fields; readonly bytes: Uint8Array }[] {
  const writers = [bytesFor('first writer', 16), bytesFor('second writer', 16)]
  const last: (Uint8Array | undefined)[] = [undefined, undefined]
  const counts = [0, 0]
  return [0, 1, 0, 0, 1, 1, 0].map((writer, i) => {
    const before = last[writer]
    const fields: Fields = {
      realm: person.REALM,
      writer: writers[writer] as Uint8Array,
      sequence: counts[writer] as number,
      previous: before === undefined ? new Uint8Array(32) : leafHash(before),
      time: person.CREATED + 1000 * i,
      actor: i % 2 === 0 ? 'desk-4' : null,
      action: i === 0 ? 0 : i === 6 ? 11 : 1,
      handle: person.handle,
      record: i === 3 ? null : person.record,
      generation: i < 5 ? person.generation : null,
      outcome: i === 0 || i === 6 ? 0 : (i % 3) + 1,
      epoch: i === 0 ? 1 : null,
      policy: i === 4 ? 'login-1' : null,
      basis: i === 0 ? 0 : null,
      state: i === 0 || i === 6 ? bytesFor(`state row ${i}`, 16) : null,
      attempts: i === 6 ? new Uint8Array(16) : i % 2 === 0 ? bytesFor(`attempts row ${i}`, 16) : null,
      ring: i === 5 ? bytesFor('ring row', 16) : null,
    }
    const bytes = entryBytes(fields)
    last[writer] = bytes
    counts[writer] = fields.sequence + 1
    return { fields, bytes }
  })
}

export function auditVectors(): VectorFile {
  const log = logEntries()
  const entries = log.map(({ bytes }) => bytes)
  const text = checkpointText(ORIGIN, entries.length, mth(entries))
  const note = signNote(text, ORIGIN, SEED)
  const key = verifierKey(ORIGIN, 1, ed25519PublicKey(SEED))
  const positive: Record<string, Json>[] = log.map(({ fields, bytes }, i) => ({
    name: `entry ${i}`,
    kind: 'entry',
    fields: Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? hex(value) : value]),
    ) as Record<string, Json>,
    entry: hex(bytes),
    leaf: hex(leafHash(bytes)),
  }))
  for (let size = 0; size <= entries.length; size++) {
    const part = entries.slice(0, size)
    positive.push({
      name: `tree of ${size}`,
      kind: 'tree',
      size,
      root: hex(mth(part)),
      inclusion: part.map((_, index) => path(index, part).map(hex)),
      consistency: [...part.keys(), size].map((from) => proof(from, part).map(hex)),
    })
  }
  positive.push({
    name: 'log',
    kind: 'log',
    origin: ORIGIN,
    seed: hex(SEED),
    key,
    note,
    witnessKey: verifierKey(WITNESS, 4, ed25519PublicKey(WITNESS_SEED)),
    time: SECONDS,
    cosignature: cosign(text, WITNESS, WITNESS_SEED, SECONDS),
    export: hex(exported(note, entries)),
  })
  return vectorFile('14', ABOUT, positive, [
    ...entryFaults(entries),
    ...noteFaults(text, key),
    ...logFaults(entries, note, key),
  ])
}

function entryFaults(entries: readonly Uint8Array[]): Record<string, Json>[] {
  const [good] = logEntries()
  const { realm, writer, previous, time } = (good as { fields: Fields }).fields
  const values: Value[] = [
    1,
    12,
    realm,
    writer,
    0,
    previous,
    time,
    null,
    1,
    null,
    null,
    null,
    1,
    null,
    null,
    null,
    null,
    null,
    null,
  ]
  const changed: Readonly<Record<string, readonly Value[]>> = {
    'format 2': values.with(0, 2),
    'kind 11': values.with(1, 11),
    'realm in capitals': values.with(2, 'REALM'),
    'writer of 15 bytes': values.with(3, writer.slice(1)),
    'no previous hash': values.with(5, null),
    'empty actor': values.with(7, ''),
    'actor of 65 bytes': values.with(7, 'a'.repeat(65)),
    'action 99': values.with(8, 99),
    'handle of 17 bytes': values.with(9, new Uint8Array(17)),
    'generation of 16 bytes': values.with(11, new Uint8Array(16)),
    'outcome 5': values.with(12, 5),
    'epoch as text': values.with(13, '1'),
    'basis 4': values.with(15, 4),
    'tag of a state row of 32 bytes': values.with(16, new Uint8Array(32)),
    'tag of an attempts row of 15 bytes': values.with(17, new Uint8Array(15)),
    'ring as text': values.with(18, '1'),
    'eighteen fields': values.slice(0, -1),
    'twenty fields': [...values, null],
  }
  const made = Object.entries(changed).map(([name, value]) => ({
    name: `entry: ${name}`,
    kind: 'entry',
    entry: hex(encode(value)),
    code: 'ERR_AUDIT_FORMAT',
  }))
  const trailing = concat(entries[0] as Uint8Array, Uint8Array.of(0))
  return [
    ...made,
    { name: 'entry: a byte behind it', kind: 'entry', entry: hex(trailing), code: 'ERR_AUDIT_FORMAT' },
  ]
}

function noteFaults(text: string, key: string): Record<string, Json>[] {
  const note = signNote(text, ORIGIN, SEED)
  const form = 'ERR_AUDIT_FORMAT'
  const faults: Readonly<Record<string, readonly [note: string, code: string]>> = {
    'leading zero': [signNote(text.replace('\n7\n', '\n07\n'), ORIGIN, SEED), form],
    'size 2^53': [signNote(text.replace('\n7\n', '\n9007199254740992\n'), ORIGIN, SEED), form],
    'root without padding': [signNote(text.replace('=\n', '\n'), ORIGIN, SEED), form],
    'empty further line': [signNote(`${text}\n`, ORIGIN, SEED), form],
    'no signature': [`${text}\n`, form],
    'carriage returns': [note.replaceAll('\n', '\r\n'), form],
    'hyphen for the dash': [note.replace('\u2014', '-'), form],
    'no last line break': [note.slice(0, -1), form],
    'short signature line': [`${text}\n\u2014 ${ORIGIN} ${base64(new Uint8Array(4))}\n`, form],
    'another size': [note.replace('\n7\n', '\n8\n'), 'ERR_AUDIT_KEY'],
    'another key': [signNote(text, ORIGIN, WITNESS_SEED), 'ERR_AUDIT_KEY'],
    'another name': [signNote(text, 'other.example', SEED), 'ERR_AUDIT_KEY'],
  }
  return Object.entries(faults).map(([name, [wrong, code]]) => ({
    name: `note: ${name}`,
    kind: 'note',
    key,
    note: wrong,
    code,
  }))
}

function logFaults(entries: readonly Uint8Array[], note: string, key: string): Record<string, Json>[] {
  const at = (index: number): Uint8Array => entries[index] as Uint8Array
  const faults: Readonly<Record<string, readonly [entries: readonly Uint8Array[], code: string]>> = {
    'last byte of an entry': [entries.with(0, flipped(at(0), -1)), 'ERR_AUDIT_EDIT'],
    'last byte of the last entry': [entries.with(6, flipped(at(6), 5)), 'ERR_AUDIT_EDIT'],
    'an entry less': [entries.toSpliced(2, 1), 'ERR_AUDIT_DELETION'],
    'two of one writer exchanged': [entries.with(2, at(3)).with(3, at(2)), 'ERR_AUDIT_REORDER'],
    'two of two writers exchanged': [entries.with(0, at(1)).with(1, at(0)), 'ERR_AUDIT_EDIT'],
    'an entry twice': [entries.toSpliced(3, 0, at(2)), 'ERR_AUDIT_DUPLICATION'],
    'the last entry less': [entries.slice(0, -1), 'ERR_AUDIT_TRUNCATION'],
    'no entry': [[], 'ERR_AUDIT_TRUNCATION'],
  }
  return Object.entries(faults).map(([name, [changed, code]]) => ({
    name: `log: ${name}`,
    kind: 'log',
    key,
    export: hex(exported(note, changed)),
    code,
  }))
}
