/** Rows with one fault each (SPEC §9, RECORD-1 to RECORD-3, RECORD-7). @module */
import { concat, hex, Refused, u32be } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import { bytesFor } from '../inputs.ts'
import { openOuter, sealOuter } from '../keys.ts'
import {
  checkBinding,
  decodeMacRow,
  decodeSealedRow,
  decodeSecretRow,
  encodeMacRow,
  encodeSealedRow,
  generationOf,
} from '../record.ts'
import { recordOpen, recordSeal } from '../seal.ts'
import { type Fields, referenceHeader, type Shape, secretHeader } from '../shapes.ts'
import type { Json } from './file.ts'
import * as person from './person.ts'
import { longerFaults } from './record-more.ts'
import { flipped } from './seal.ts'

export interface MacRow {
  readonly name: string
  readonly table: string
  readonly key: Uint8Array
  readonly shape: Shape
  readonly fields: Fields
  readonly macKey: Uint8Array
  readonly context: Uint8Array
  /** Whether faults are made of this row. */
  readonly faulty?: boolean
}

/** What the vault expects of the row that it asked for. */
const EXPECTED: Fields = {
  realm: person.REALM,
  record: person.record,
  handle: person.handle,
  generation: person.generation,
  digest: person.erasure,
}

function stageOf(call: () => unknown): { stage: string; code: string | null } {
  try {
    call()
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const named = error.code
    if (named === 'ERR_SEAL_OPEN') return { stage: 'open', code: named }
    if (named === 'ERR_RECORD_MAC') return { stage: 'mac', code: named }
    if (named === 'ERR_RECORD_BINDING') return { stage: 'binding', code: named }
    if (named === 'ERR_RECORD_VERSION') return { stage: 'decode', code: named }
    return { stage: 'decode', code: null }
  }
  throw new RangeError('was not refused')
}

/** Values in the order of the shape, with one of them changed. */
function changed(shape: Shape, fields: Fields, name: string, value: Value): Value[] {
  return shape.map(([each]) => (each === name ? value : (fields[each] as Value)))
}

type Bodies = Readonly<Record<string, Uint8Array>>

/** Bodies that are no body of this kind, whatever their MAC. */
function badBodies(shape: Shape, fields: Fields): Bodies {
  const values = shape.map(([name]) => fields[name] as Value)
  const good = encode(values)
  const afterHead = good.slice(values.length < 24 ? 1 : 2)
  return {
    'format 0': encode(changed(shape, fields, 'format', 0)),
    'format 2': encode(changed(shape, fields, 'format', 2)),
    'another kind': encode(changed(shape, fields, 'kind', fields['kind'] === 4 ? 6 : 4)),
    'an unknown kind': encode(changed(shape, fields, 'kind', 99)),
    'a field too few': encode(values.slice(0, -1)),
    'a field too many': encode([...values, 0]),
    'format as text': encode(changed(shape, fields, 'format', '1')),
    'realm as bytes': encode(changed(shape, fields, 'realm', bytesFor('realm', 13))),
    'realm with a capital': encode(changed(shape, fields, 'realm', 'Example-realm')),
    'no array': encode(bytesFor('no array', 40)),
    'a trailing byte': concat(good, Uint8Array.of(0)),
    'one byte short': good.slice(0, -1),
    'format in two bytes': concat(good.slice(0, 1), Uint8Array.of(0x18, 1), good.slice(2)),
    'array of indefinite length': concat(Uint8Array.of(0x9f), afterHead, Uint8Array.of(0xff)),
    'format as a float': concat(good.slice(0, 1), Uint8Array.of(0xf9, 0x3c, 0x00), good.slice(2)),
    'a tag in front': concat(Uint8Array.of(0xc1), good),
    'a map': Uint8Array.of(0xa1, 1, 1),
    'undefined as a field': concat(good.slice(0, 1), Uint8Array.of(0xf7), good.slice(2)),
    'no byte': new Uint8Array(0),
  }
}

/** Faults that only some kinds of row can have. */
function ownBodies(row: MacRow): Bodies {
  const one = (name: string, value: Value): Uint8Array => encode(changed(row.shape, row.fields, name, value))
  const has = (name: string): boolean => row.shape.some(([each]) => each === name)
  const bodies: Record<string, Uint8Array> = {}
  if (has('handle')) bodies['a handle of 15 bytes'] = one('handle', bytesFor('h', 15))
  if (has('generation')) bodies['a generation of 16 bytes'] = one('generation', bytesFor('g', 16))
  if (has('digest')) {
    bodies['a digest of 15 bytes'] = one('digest', bytesFor('d', 15))
    bodies['a signature of 63 bytes'] = one('signature', bytesFor('s', 63))
  }
  if (has('time')) bodies['an origin of 15 bytes'] = one('origin', bytesFor('o', 15))
  if (has('state')) {
    bodies['state 7'] = one('state', 7)
    bodies['profile 4'] = one('profile', 4)
    bodies['state 5, which is never stored'] = one('state', 5)
    bodies['bits 500'] = one('bits', 500)
    bodies['reason 7'] = one('reason', 7)
    bodies['three devices'] = one(
      'devices',
      [1, 2, 3].map((n): Value => bytesFor(`device ${n}`, 16)),
    )
    bodies['exposed as a number'] = one('exposed', 0)
    bodies['a basis of eight parts'] = one('basis', (row.fields['basis'] as readonly Value[]).slice(0, 8))
    bodies['a basis of kind 4'] = one('basis', [4, ...(row.fields['basis'] as readonly Value[]).slice(1)])
    bodies['a device of 15 bytes'] = one('devices', [bytesFor('d', 15)])
    bodies['five devices'] = one(
      'devices',
      Array.from({ length: 5 }, (): Value => bytesFor('d', 16)),
    )
    bodies['five operations'] = one(
      'operations',
      Array.from({ length: 5 }, (): Value => [bytesFor('o', 16), 1]),
    )
  }
  if (has('run')) {
    bodies['scope 2'] = one('scope', 2)
    bodies['nine operations'] = one(
      'operations',
      Array.from({ length: 9 }, (): Value => [bytesFor('o', 16), 1]),
    )
    bodies['a run as text'] = one('run', '2')
  }
  if (has('epochs')) {
    bodies['an epoch of status 3'] = one('epochs', [[1, 3, 0, 0, bytesFor('w', 72)]])
    bodies['no epoch'] = one('epochs', [])
    bodies['no version of the realm secret'] = one('versions', [])
    bodies['an epoch of four parts'] = one('epochs', [[1, 0, 0, 0]])
  }
  return bodies
}

export function macFaults(row: MacRow): Record<string, Json>[] {
  const body = encode(row.shape.map(([name]) => row.fields[name] as Value))
  const whole = encodeMacRow(row.macKey, row.context, body)
  const again = (bytes: Uint8Array): Uint8Array => encodeMacRow(row.macKey, row.context, bytes)
  const one = (name: string, value: Value): Uint8Array => encode(changed(row.shape, row.fields, name, value))
  const has = (name: string): boolean => row.shape.some(([each]) => each === name)
  const withNumber = ['version', 'count', 'time'].find(has)
  const faults: Record<string, Uint8Array> = {
    ...Object.fromEntries(
      Object.entries({
        ...badBodies(row.shape, row.fields),
        ...ownBodies(row),
        ...longerFaults(row, one),
      }).map(([name, bad]) => [name, again(bad)]),
    ),
    'first bit of the MAC': flipped(whole, body.length),
    'last bit of the MAC': flipped(whole, -1, 7),
    'no MAC': body,
    'a MAC of zeros': concat(body, new Uint8Array(32)),
    'the MAC of an empty body': concat(body, encodeMacRow(row.macKey, row.context, new Uint8Array(0))),
    'a MAC without its context': encodeMacRow(row.macKey, new Uint8Array(0), body),
    'a MAC under another key': encodeMacRow(bytesFor('another MAC key', 32), row.context, body),
    'a byte after the MAC': concat(whole, Uint8Array.of(0)),
    'the MAC one byte short': whole.slice(0, -1),
    'more than 64 KiB': concat(whole, new Uint8Array(65_536)),
    'another realm': again(one('realm', 'other-realm')),
  }
  // Without its last element such a row is another good one.
  if (has('references') || has('adapted')) delete faults['a field too few']
  if (withNumber !== undefined)
    faults[`${withNumber} changed, old MAC`] = concat(one(withNumber, 0), whole.slice(-32))
  if (has('state')) faults['state changed, old MAC'] = concat(one('state', 2), whole.slice(-32))
  if (has('state')) faults['another record'] = again(one('record', bytesFor('another record', 16)))
  if (has('handle') && has('version'))
    faults['another handle'] = again(one('handle', bytesFor('another handle', 16)))
  if (has('time')) faults['another record'] = again(one('record', bytesFor('another record', 16)))
  if (has('digest')) {
    faults['another digest'] = again(one('digest', bytesFor('another operation', 16)))
    faults['digest changed, old MAC'] = concat(one('digest', bytesFor('operation', 16)), whole.slice(-32))
    faults['the statement of another erasure, old MAC'] = concat(
      one('statement', bytesFor('statement', 72)),
      whole.slice(-32),
    )
  }
  if (has('run') || has('time')) {
    const next = generationOf(2, bytesFor('generation', 16))
    faults['another generation'] = again(one('generation', next))
  }
  return Object.entries(faults).map(([name, bad]) => {
    const read = (): void => {
      const fields = decodeMacRow(
        row.shape,
        bad,
        row.context,
        () => row.macKey,
        () => 1,
      )
      const bound = Object.entries(EXPECTED).filter(([field]) => has(field))
      checkBinding(fields, Object.fromEntries(bound))
      if (has('run')) checkBinding(fields, { scope: 1 })
    }
    const found = stageOf(read)
    return {
      name: `${row.name}: ${name}`,
      of: row.name,
      ...rowJson(bad),
      ...found,
      code: CODE_OF_TABLE[row.table] ?? (MALFORMED.has(name) ? 'ERR_RECORD_FORMAT' : found.code),
    }
  })
}

/** Rows of chapter 4 are refused with one code, whatever is wrong with them (KEYS-12). */
const CODE_OF_TABLE: Readonly<Record<string, string>> = { keyrings: 'ERR_KEYS_RING', index: 'ERR_KEYS_INDEX' }

/** Values out of range in a good place: only one code is left. */
const MALFORMED: ReadonlySet<string> = new Set([
  'state 5, which is never stored',
  'state 7',
  'bits 500',
  'reason 7',
  'three devices',
  'five devices',
])

/** A long run of zero bytes at the end is counted, not written out. */
function rowJson(row: Uint8Array): Record<string, Json> {
  if (row.length <= 65_536) return { row: hex(row) }
  return { row: hex(row.slice(0, row.length - 65_536)), zeros: 65_536 }
}

export function sealedFaults(): Record<string, Json>[] {
  return [...referenceFaults(), ...secretFaults()]
}

interface Row {
  readonly header: Uint8Array
  readonly nonce: Uint8Array
  readonly commitment: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Faults of the outer array and of the seal, alike for both kinds. */
function outerFaults(good: Row): Record<string, Uint8Array> {
  const { header, nonce, commitment, ciphertext } = good
  const row = encodeSealedRow(header, good)
  return {
    'a trailing byte': concat(row, Uint8Array.of(0)),
    'one byte short': row.slice(0, -1),
    'no byte': new Uint8Array(0),
    'a part too few': encode([header, nonce, commitment]),
    'a part too many': encode([header, nonce, commitment, ciphertext, 0]),
    'array of indefinite length': concat(Uint8Array.of(0x9f), row.slice(1), Uint8Array.of(0xff)),
    'the header as text': encode(['header', nonce, commitment, ciphertext]),
    'a nonce of 23 bytes': encode([header, nonce.slice(1), commitment, ciphertext]),
    'a commitment of 31 bytes': encode([header, nonce, commitment.slice(1), ciphertext]),
    'the nonce': encode([header, flipped(nonce, 0), commitment, ciphertext]),
    'the commitment': encode([header, nonce, flipped(commitment, 0), ciphertext]),
    'the ciphertext': encode([header, nonce, commitment, flipped(ciphertext, 0)]),
    'the tag': encode([header, nonce, commitment, flipped(ciphertext, -1)]),
    'nonce and commitment exchanged': encode([header, commitment, nonce, ciphertext]),
    'more than 64 KiB': concat(row, new Uint8Array(65_536)),
  }
}

function referenceFaults(): Record<string, Json>[] {
  const fields = person.referenceFields(512, 512, 'B4')
  const code = bytesFor('code 512', 64)
  const rowOf = (header: Uint8Array): Row => ({
    header,
    ...recordSeal(person.rs, header, code, bytesFor('n', 24)),
  })
  const sealed = (header: Uint8Array): Uint8Array => encodeSealedRow(header, rowOf(header))
  const good = rowOf(encode(referenceHeader.map(([name]) => fields[name] as Value)))
  const one = (name: string, value: Value): Uint8Array =>
    sealed(encode(changed(referenceHeader, fields, name, value)))
  const bad: Record<string, Uint8Array> = {
    ...outerFaults(good),
    ...Object.fromEntries(
      Object.entries(badBodies(referenceHeader, fields)).map(([name, header]) => [
        `header: ${name}`,
        sealed(header),
      ]),
    ),
    'suite B5': one('suite', 'B5'),
    'm 500': one('m', 500),
    'd 63': one('d', 63),
    'd 4097': one('d', 4097),
    'a record of 15 bytes': one('record', bytesFor('r', 15)),
    'a mean hash of 31 bytes': one('meanHash', bytesFor('h', 31)),
    'a model without a version': one('model', 'example-model'),
    'a code of another length': encodeSealedRow(good.header, {
      ...recordSeal(person.rs, good.header, bytesFor('code 256', 32), bytesFor('n', 24)),
    }),
    'header of another creation time, old seal': encodeSealedRow(
      encode(changed(referenceHeader, fields, 'created', person.CREATED + 1)),
      good,
    ),
    'another realm': one('realm', 'other-realm'),
    'another record': one('record', bytesFor('another record', 16)),
    'another handle': one('handle', bytesFor('another handle', 16)),
    'another generation': one('generation', generationOf(2, bytesFor('generation', 16))),
    'another purpose': one('purpose', 'payments'),
    'another model': one('model', 'other-model@1'),
    'another mean': one('meanHash', bytesFor('another mean', 32)),
    'another d': one('d', 513),
    'the other suite': one('suite', 'B6'),
  }
  return Object.entries(bad).map(([name, row]) => ({
    name: `reference: ${name}`,
    of: 'reference',
    ...rowJson(row),
    ...stageOf(() => {
      const found = decodeSealedRow(referenceHeader, row)
      checkBinding(found.fields, { ...fields, created: found.fields['created'] as Value })
      if (found.ciphertext.length !== 512 / 8 + 16)
        throw new Refused('ERR_RECORD_FORMAT', 'length of the ciphertext')
      recordOpen(person.rs, found.header, found)
    }),
  }))
}

function secretFaults(): Record<string, Json>[] {
  const fields = person.secretFields('operator')
  const good = person.wrapFor('operator')
  const under = (header: Uint8Array, slots = good.slots): Uint8Array =>
    encodeSealedRow(header, sealOuter(person.epochKey(1), header, slots, bytesFor('n', 24)))
  const one = (name: string, value: Value): Uint8Array =>
    under(encode(changed(secretHeader, fields, name, value)))
  const named = (given: Fields, quorumEpoch: Uint8Array): Uint8Array =>
    under(encode([...secretHeader.map(([name]) => given[name] as Value), quorumEpoch]))
  const bad: Record<string, Uint8Array> = {
    ...outerFaults(good),
    ...Object.fromEntries(
      Object.entries(badBodies(secretHeader, fields)).map(([name, header]) => [
        `header: ${name}`,
        under(header),
      ]),
    ),
    'profile 4': one('profile', 4),
    'an epoch of the quorum under operator': named(fields, u32be(2)),
    'no epoch of the quorum under quorum': one('profile', 1),
    'epoch 0 of the quorum': named({ ...fields, profile: 1 }, u32be(0)),
    'an epoch of the quorum of three bytes': named({ ...fields, profile: 1 }, Uint8Array.of(0, 0, 2)),
    'epoch as an integer': one('epoch', 1),
    'an epoch of three bytes': one('epoch', Uint8Array.of(0, 0, 1)),
    'version as an integer': one('v', 1),
    'two slots for one': under(good.header, concat(good.slots, good.slots)),
    'no slot': under(good.header, new Uint8Array(0)),
    'the header of another epoch, old seal': encodeSealedRow(
      encode(changed(secretHeader, fields, 'since', u32be(7))),
      good,
    ),
    'another realm': one('realm', 'other-realm'),
    'another record': one('record', bytesFor('another record', 16)),
    'another generation': one('generation', generationOf(2, bytesFor('generation', 16))),
  }
  return Object.entries(bad).map(([name, row]) => ({
    name: `secret: ${name}`,
    of: 'secret',
    ...rowJson(row),
    ...stageOf(() => {
      const found = decodeSecretRow(row)
      const { realm, record, generation } = EXPECTED
      checkBinding(found.fields, { realm, record, generation } as Fields)
      if (found.ciphertext.length !== 104 + 16)
        throw new Refused('ERR_RECORD_FORMAT', 'length of the ciphertext')
      openOuter(person.epochKey(1), found.header, found)
    }),
  }))
}
