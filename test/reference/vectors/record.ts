/** Vectors of every kind of row, whole and part by part, with their keys in the store (SPEC §4.4, §4.5, §9). @module */
import { hex } from '../bytes.ts'
import type { Value } from '../cbor.ts'
import { bytesFor } from '../inputs.ts'
import { PROFILES, realmKeys, subjectTag } from '../keys.ts'
import { signReceipt } from '../lifecycle.ts'
import {
  ATTEMPTS_CONTEXT,
  attemptsKey,
  ENDING_CONTEXT,
  encodeMacRow,
  encodeSealedRow,
  endingKey,
  generationOf,
  indexContext,
  indexKey,
  prefix,
  REALM_ATTEMPTS_CONTEXT,
  RECEIPT_ROW_CONTEXT,
  RING_CONTEXT,
  realmAttemptsKey,
  receiptKey,
  referenceKey,
  STATE_CONTEXT,
  secretKey,
  stateKey,
  UNFINISHED_CONTEXT,
  unfinishedKey,
} from '../record.ts'
import { recordSeal } from '../seal.ts'
import * as shapes from '../shapes.ts'
import { type Json, type VectorFile, vectorFile } from './file.ts'
import * as person from './person.ts'
import { longerRows } from './record-more.ts'
import { type MacRow, macFaults, sealedFaults } from './recordfaults.ts'

const ABOUT = [
  'row: the whole row; key: its key in the table; fields: what it says, byte strings as hexadecimal.',
  'Sealed rows: header, nonce, commitment, ciphertext. Rows with a MAC: body, macKey, macContext, mac.',
  'Booleans are CBOR booleans; identifiers, purposes, models and suites are text; devices is a list, one of 16 bytes a slot.',
  'negative: one fault each. Where the MAC could still fit the fault it was made again, so that only the fault is left.',
  'zeros: so many zero bytes follow the row that is printed.',
  'stage: decode (not a row of this kind), mac, open (decodes, but its seal does not open), binding (a good row',
  'of another realm, record, handle or generation).',
]

export function recordVectors(): VectorFile {
  const mac = macRows()
  return vectorFile(
    'chapters 4 and 9',
    ABOUT,
    [...sealedRows(), ...mac.map(macVector)],
    [...sealedFaults(), ...mac.filter(({ faulty }) => faulty === true).flatMap(macFaults)],
  )
}

export function jsonFields(fields: shapes.Fields): Json {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, jsonValue(value)]))
}

function jsonValue(value: Value): Json {
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return value.map((entry) => jsonValue(entry as Value))
  return value as Json
}

function sealedRows(): Record<string, Json>[] {
  const references = [64, 128, 256, 512, 1024, 512].map((m, i) => {
    const suite = m === 128 ? 'B6' : 'B4'
    const d = i === 5 ? 512 : 1024
    const header = person.referenceHeaderFor(d, m, suite)
    const sealed = recordSeal(
      person.rs,
      header,
      bytesFor(`code ${m}`, m / 8),
      bytesFor(`record nonce ${m}`, 24),
    )
    return {
      name: `reference, m ${m} of d ${d}`,
      table: 'references',
      key: hex(referenceKey(person.REALM, person.record)),
      fields: jsonFields(person.referenceFields(d, m, suite)),
      recordSecret: hex(person.rs),
      code: hex(bytesFor(`code ${m}`, m / 8)),
      header: hex(header),
      nonce: hex(sealed.nonce),
      commitment: hex(sealed.commitment),
      ciphertext: hex(sealed.ciphertext),
      row: hex(encodeSealedRow(header, sealed)),
    }
  })
  const profiles = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
  const secrets = [...profiles, 'operator' as const].map((profile, i) => {
    const epoch = i === 4 ? 1 : 3
    const wrap = person.wrapFor(profile, epoch, 1)
    return {
      name: `secret, ${profile} in epoch ${epoch}`,
      table: 'secrets',
      key: hex(secretKey(person.REALM, person.record, person.generation)),
      fields: jsonFields(person.secretFields(profile, epoch, 1)),
      epochKey: hex(person.epochKey(epoch)),
      slots: hex(wrap.slots),
      header: hex(wrap.header),
      nonce: hex(wrap.nonce),
      commitment: hex(wrap.commitment),
      ciphertext: hex(wrap.ciphertext),
      row: hex(wrap.row),
    }
  })
  return [...references, ...secrets]
}

const BASIS: Value = [
  0,
  person.PURPOSE,
  person.CREATED,
  person.CREATED + 31_536_000_000,
  'notice-2026-01',
  bytesFor('evidence', 32),
  true,
  false,
  null,
]

function stateFields(): shapes.Fields {
  return {
    format: 1,
    kind: 4,
    realm: person.REALM,
    handle: person.handle,
    record: person.record,
    generation: person.generation,
    version: 1,
    state: 1,
    exposed: false,
    profile: 0,
    devices: [],
    v: 1,
    model: person.MODEL,
    bits: 512,
    basis: BASIS,
    since: 1,
    last: 1,
    changed: person.CREATED,
    reason: 0,
    operations: [[bytesFor('operation 1', 16), 1]],
  }
}

function attemptsFields(): shapes.Fields {
  return {
    format: 1,
    kind: 6,
    realm: person.REALM,
    handle: person.handle,
    scope: 1,
    generation: person.generation,
    version: 3,
    run: 2,
    failures: 7,
    last: person.CREATED + 5_000,
    origin: person.origin,
    steady: 123_456,
    v: 1,
    operations: [
      [bytesFor('operation 2', 16), 0],
      [bytesFor('operation 3', 16), 1],
    ],
  }
}

function ringFields(): shapes.Fields {
  return {
    format: 1,
    kind: 7,
    realm: person.REALM,
    version: 9,
    provider: 'local',
    primary: 3,
    minAccepted: 2,
    epochs: [
      [1, 2, person.CREATED, person.CREATED + 3_000, new Uint8Array(0)],
      [2, 1, person.CREATED + 1_000, person.CREATED + 2_500, bytesFor('wrapped epoch 2', 72)],
      [3, 0, person.CREATED + 2_000, person.CREATED + 2_000, bytesFor('wrapped epoch 3', 72)],
    ],
    versions: [[1, person.CREATED, bytesFor('wrapped realm secret 1', 72)]],
  }
}

export function macRows(): MacRow[] {
  const rows = shortRows()
  const named = (name: string): MacRow => rows.find((row) => row.name === name) as MacRow
  return [...rows, ...longerRows(named('state, active'), named('attempts'))]
}

function shortRows(): MacRow[] {
  const { keys, REALM, handle } = person
  const state = stateFields()
  const attempts = attemptsFields()
  const tag = subjectTag(keys.index, person.SUBJECT)
  const keys2 = realmKeys(person.realmSecret(2), REALM, 2)
  const tag2 = subjectTag(keys2.index, person.SUBJECT)
  const stateRow = {
    table: 'states',
    key: stateKey(REALM, handle),
    shape: shapes.stateBody,
    context: STATE_CONTEXT,
  }
  const held = { ...stateRow, macKey: keys.state }
  const attemptsRow = { table: 'attempts', shape: shapes.attemptsBody, context: ATTEMPTS_CONTEXT }
  const index = { table: 'index', shape: shapes.indexBody }
  const indexFields = { format: 1, kind: 5, realm: REALM, v: 1, handle }
  return [
    { ...held, name: 'state, active', fields: state, faulty: true },
    {
      ...held,
      name: 'state, revoked for breach',
      fields: { ...state, version: 2, state: 4, exposed: true, reason: 1, last: 3 },
    },
    {
      ...held,
      name: 'state, erased, without basis',
      fields: { ...state, version: 9, state: 6, basis: null, reason: 3 },
    },
    {
      ...held,
      name: 'state, holder with two devices',
      fields: {
        ...state,
        profile: 2,
        devices: [bytesFor('device 1', 16), new Uint8Array(16), bytesFor('device 3', 16), new Uint8Array(16)],
      },
    },
    {
      ...held,
      name: 'state, consent of a guardian',
      fields: {
        ...state,
        basis: [...(BASIS as readonly Value[]).slice(0, 7), true, bytesFor('guardian', 32)],
        operations: [],
      },
    },
    {
      ...held,
      name: 'state, second generation, four operations',
      fields: {
        ...state,
        generation: generationOf(2, bytesFor('second generation', 16)),
        version: 300,
        operations: [1, 8, 9, 12].map((verb) => [bytesFor(`operation ${verb}`, 16), verb]),
      },
    },
    {
      ...stateRow,
      macKey: keys2.state,
      name: 'state, version 2 of the realm keys',
      fields: { ...state, v: 2 },
    },
    {
      ...attemptsRow,
      key: attemptsKey(REALM, handle, 1),
      macKey: keys.limiter,
      name: 'attempts',
      fields: attempts,
      faulty: true,
    },
    {
      ...attemptsRow,
      key: attemptsKey(REALM, handle, 1),
      macKey: keys.limiter,
      name: 'attempts, none yet',
      fields: { ...attempts, version: 1, run: 0, failures: 0, last: 0, steady: 0, operations: [] },
    },
    {
      table: 'attempts',
      shape: shapes.realmAttemptsBody,
      context: REALM_ATTEMPTS_CONTEXT,
      key: realmAttemptsKey(REALM, person.writer),
      macKey: keys.limiter,
      name: 'realm attempts',
      fields: {
        format: 1,
        kind: 8,
        realm: REALM,
        writer: person.writer,
        window: person.CREATED,
        count: 64,
        v: 1,
      },
      faulty: true,
    },
    {
      ...index,
      key: indexKey(REALM, 1, tag),
      macKey: keys.index,
      context: indexContext(tag),
      name: 'index',
      fields: indexFields,
      faulty: true,
    },
    {
      ...index,
      key: indexKey(REALM, 2, tag2),
      macKey: keys2.index,
      context: indexContext(tag2),
      name: 'index, version 2',
      fields: { ...indexFields, v: 2 },
    },
    {
      table: 'keyrings',
      shape: shapes.keyringBody,
      context: RING_CONTEXT,
      key: prefix(REALM),
      macKey: keys.ring,
      name: 'keyring',
      fields: ringFields(),
      faulty: true,
    },
    ...unfinished(),
    ending(),
    receiptRow(),
  ]
}

function macVector(row: MacRow): Record<string, Json> {
  const body = shapes.encodeShape(row.shape, row.fields)
  const whole = encodeMacRow(row.macKey, row.context, body)
  return {
    name: row.name,
    table: row.table,
    key: hex(row.key),
    fields: jsonFields(row.fields),
    body: hex(body),
    macKey: hex(row.macKey),
    macContext: hex(row.context),
    mac: hex(whole.slice(body.length)),
    row: hex(whole),
  }
}

function unfinished(): MacRow[] {
  const { REALM, handle, record, generation, origin } = person
  const names = { realm: REALM, handle, record, generation }
  return ['secrets', 'states'].map((table) => ({
    name: `unfinished work, table ${table}`,
    table,
    key: unfinishedKey(REALM, record, generation),
    shape: shapes.unfinishedBody,
    fields: { format: 1, kind: 9, ...names, time: person.CREATED, origin, steady: 123_456, v: 1 },
    macKey: person.keys.state,
    context: UNFINISHED_CONTEXT,
    faulty: table === 'states',
  }))
}

/** §9.7. */
function ending(): MacRow {
  const { REALM, handle, record, generation } = person
  return {
    name: 'generation that ended',
    table: 'states',
    key: endingKey(REALM, record, generation),
    shape: shapes.endingBody,
    fields: { format: 1, kind: 44, realm: REALM, handle, record, generation, v: 1 },
    macKey: person.keys.state,
    context: ENDING_CONTEXT,
    faulty: true,
  }
}

/** §9.6, with the receipt of 30 days of receipt.json. */
function receiptRow(): MacRow {
  const { keys, REALM } = person
  const { body: statement, signature } = signReceipt(keys.receipt, person.RECEIPT)
  return {
    name: 'receipt of an erasure',
    table: 'states',
    key: receiptKey(REALM, person.erasure),
    shape: shapes.receiptRow,
    fields: { format: 1, kind: 11, realm: REALM, digest: person.erasure, statement, signature, v: 1 },
    macKey: keys.limiter,
    context: RECEIPT_ROW_CONTEXT,
    faulty: true,
  }
}
