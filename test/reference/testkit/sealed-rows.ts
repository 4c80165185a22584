/** Files about sealed rows: references and secrets (SPEC §4.3, §9.1, §9.2). @module */
import { concat, hex, u32be } from '../bytes.ts'
import { encode, type Value } from '../cbor.ts'
import { bytesFor } from '../inputs.ts'
import { PROFILES, type Profile, sealOuter, slotCount } from '../keys.ts'
import { encodeSealedRow, generationOf } from '../record.ts'
import { recordKeys, recordSeal, type Sealed } from '../seal.ts'
import { type Fields, referenceHeader, type Shape, secretHeader } from '../shapes.ts'
import * as person from '../vectors/person.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Good, type KitFile } from './file.ts'

const FORMAT = 'ERR_RECORD_FORMAT'
const VERSION = 'ERR_RECORD_VERSION'
const BINDING = 'ERR_RECORD_BINDING'
const OPEN = 'ERR_SEAL_OPEN'
const MISSING = 'ERR_KEYS_MISSING'

export function sealedRowFiles(): KitFile[] {
  return [...referenceFiles(), ...secretFiles()]
}

/** The fields in the order of the shape, some of them changed. */
export function encodeWith(shape: Shape, fields: Fields, changes: Fields = {}): Uint8Array {
  return encode(shape.map(([name]) => changes[name] ?? (fields[name] as Value)))
}

function referenceFiles(): KitFile[] {
  const sizes = [64, 128, 256, 512, 1024].flatMap((m) => ['B4', 'B6'].map((suite) => ({ m, suite })))
  return sizes.flatMap(({ m, suite }) => {
    const fields = person.referenceFields(1024, m, suite)
    const header = person.referenceHeaderFor(1024, m, suite)
    const code = bytesFor(`code ${m}`, m / 8)
    const sealed = recordSeal(person.rs, header, code, bytesFor(`record nonce ${m} ${suite}`, 24))
    const { rotationKey } = recordKeys(person.rs, sealed.nonce, header)
    const good: Good = {
      kind: 'reference-row',
      name: `reference-row-${suite.toLowerCase()}-${m}`,
      comment: `A code of ${m} bits under suite ${suite}.`,
      inputs: {
        realm: person.REALM,
        record: hex(person.record),
        handle: hex(person.handle),
        generation: hex(person.generation),
        purpose: person.PURPOSE,
        model: person.MODEL,
        'mean-hash': hex(fields['meanHash'] as Uint8Array),
        dimensions: '1024',
        bits: String(m),
        suite,
        'record-secret': hex(person.rs),
      },
      payload: encodeSealedRow(header, sealed),
      result: `${hex(code)} ${hex(rotationKey)}`,
    }
    return family(good, m === 512 && suite === 'B4' ? referenceFaults(fields, header, sealed) : [])
  })
}

function referenceFaults(fields: Fields, header: Uint8Array, sealed: Sealed): Fault[] {
  const seal = (changes: Fields, arity?: (values: Uint8Array) => Uint8Array): Uint8Array => {
    const plain = encodeWith(referenceHeader, fields, changes)
    const made = arity === undefined ? plain : arity(plain)
    return encodeSealedRow(
      made,
      recordSeal(person.rs, made, bytesFor('code 512', 64), bytesFor('record nonce 512', 24)),
    )
  }
  const name = (what: string): string => `reference-row-${what}`
  const of = (what: string, code: string, comment: string, row: Uint8Array): Fault =>
    fault(name(what), code, comment, row)
  const elsewhere = (field: string, value: string, what = field): Fault =>
    fault(name(`wrong-${what}`), BINDING, `A genuine row, asked for with another ${what}.`, {
      [field]: value,
    })
  return [
    ...outerFaults('reference-row', header, sealed),
    of('format-2', VERSION, 'Format number 2, sealed as such.', seal({ format: 2 })),
    of('format-0', VERSION, 'Format number 0, sealed as such.', seal({ format: 0 })),
    of('kind-of-state-row', VERSION, 'The kind of another structure.', seal({ kind: 4 })),
    of('suite-unknown', VERSION, 'Suite B8.', seal({ suite: 'B8' })),
    of('record-15-bytes', FORMAT, 'A record id one byte short.', seal({ record: bytesFor('r', 15) })),
    of(
      'generation-16-bytes',
      FORMAT,
      'A generation without its counter.',
      seal({ generation: bytesFor('g', 16) }),
    ),
    of(
      'created-as-text',
      FORMAT,
      'The instant of creation as text.',
      seal({ created: String(person.CREATED) }),
    ),
    of('realm-as-bytes', FORMAT, 'The realm as a byte string.', seal({ realm: bytesFor('realm', 13) })),
    of(
      'header-field-missing',
      FORMAT,
      'Twelve fields instead of thirteen.',
      seal({}, (plain) => concat(Uint8Array.of(0x8c), plain.slice(1, -9))),
    ),
    of(
      'header-field-extra',
      FORMAT,
      'Fourteen fields instead of thirteen.',
      seal({}, (plain) => concat(Uint8Array.of(0x8e), plain.slice(1), Uint8Array.of(0))),
    ),
    of(
      'header-not-shortest',
      FORMAT,
      'The format number in two bytes.',
      seal({}, (plain) => concat(plain.slice(0, 1), Uint8Array.of(0x18, 1), plain.slice(2))),
    ),
    of(
      'ciphertext-of-256-bits',
      FORMAT,
      'A ciphertext of the length of another m.',
      encodeSealedRow(
        header,
        recordSeal(person.rs, header, bytesFor('code 256', 32), bytesFor('record nonce 512', 24)),
      ),
    ),
    of(
      'header-of-other-creation',
      OPEN,
      'The instant of creation was changed, the seal was not.',
      encodeSealedRow(encodeWith(referenceHeader, fields, { created: person.CREATED + 1 }), sealed),
    ),
    fault(name('wrong-record-secret'), OPEN, 'Opened with the secret of another record.', {
      'record-secret': hex(bytesFor('another record secret', 32)),
    }),
    elsewhere('realm', 'other-realm'),
    elsewhere('record', hex(bytesFor('another record', 16))),
    elsewhere('handle', hex(bytesFor('another handle', 16))),
    elsewhere('generation', hex(generationOf(2, bytesFor('second generation', 16)))),
    elsewhere('purpose', 'payments'),
    elsewhere('model', 'other-model@1'),
    elsewhere('mean-hash', hex(bytesFor('another mean', 32)), 'mean'),
    elsewhere('dimensions', '512'),
    elsewhere('suite', 'B6'),
  ]
}

/** Of the outer array and of the seal, alike for references, secrets and members. */
export function outerFaults(kind: string, header: Uint8Array, sealed: Sealed): Fault[] {
  const { nonce, commitment, ciphertext } = sealed
  const row = encodeSealedRow(header, sealed)
  const of = (what: string, code: string, comment: string, bytes: Uint8Array): Fault =>
    fault(`${kind}-${what}`, code, comment, bytes)
  return [
    of('empty', FORMAT, 'No byte at all.', new Uint8Array(0)),
    of('trailing-byte', FORMAT, 'A byte follows the row.', concat(row, Uint8Array.of(0))),
    of('truncated-byte', FORMAT, 'The last byte is missing.', row.slice(0, -1)),
    of('three-parts', FORMAT, 'No ciphertext.', encode([header, nonce, commitment])),
    of('five-parts', FORMAT, 'A fifth part.', encode([header, nonce, commitment, ciphertext, 0])),
    of(
      'truncated-nonce',
      FORMAT,
      'A nonce of 23 bytes.',
      encode([header, nonce.slice(1), commitment, ciphertext]),
    ),
    of(
      'truncated-commitment',
      FORMAT,
      'A commitment of 31 bytes.',
      encode([header, nonce, commitment.slice(1), ciphertext]),
    ),
    of(
      'truncated-tag',
      FORMAT,
      'The last byte of the tag is missing.',
      encode([header, nonce, commitment, ciphertext.slice(0, -1)]),
    ),
    of(
      'indefinite-array',
      FORMAT,
      'The array has an indefinite length.',
      concat(Uint8Array.of(0x9f), row.slice(1), Uint8Array.of(0xff)),
    ),
    of('over-64-kib', FORMAT, 'A row above 64 KiB.', concat(row, new Uint8Array(65_536))),
    of(
      'nonce-flipped',
      OPEN,
      'One bit of the nonce.',
      encode([header, flipped(nonce, 0), commitment, ciphertext]),
    ),
    of(
      'commitment-flipped',
      OPEN,
      'One bit of the commitment.',
      encode([header, nonce, flipped(commitment, 31, 7), ciphertext]),
    ),
    of(
      'ciphertext-flipped',
      OPEN,
      'One bit of the ciphertext.',
      encode([header, nonce, commitment, flipped(ciphertext, 0)]),
    ),
    of(
      'tag-flipped',
      OPEN,
      'One bit of the tag.',
      encode([header, nonce, commitment, flipped(ciphertext, -1, 7)]),
    ),
  ]
}

const DEVICES = [1, 2, 3, 4].map((n) => hex(bytesFor(`device ${n}`, 16)))
const FREE = '00'.repeat(16)

function secretInputs(profile: Profile): Record<string, string> {
  const code = PROFILES[profile]
  return {
    realm: person.REALM,
    record: hex(person.record),
    handle: hex(person.handle),
    generation: hex(person.generation),
    purpose: person.PURPOSE,
    ...(slotCount(code) === 4 ? { devices: DEVICES.join(' ') } : {}),
    'epoch-key': hex(person.epochKey(3)),
    'custody-key': hex(person.keys.custody),
    ...(code % 2 === 1 ? { quorum: hex(person.quorum) } : {}),
    ...(code >= 2 ? { share: hex(person.share) } : {}),
  }
}

function secretFiles(): KitFile[] {
  const profiles = Object.keys(PROFILES) as Profile[]
  return profiles.flatMap((profile) => {
    const name = `secret-row-${profile.replace('+', '-')}`
    const good: Good = {
      kind: 'secret-row',
      name,
      comment: `A wrapped record secret under custody ${profile}.`,
      inputs: secretInputs(profile),
      payload: person.wrapFor(profile, 3, 1).row,
      result: hex(person.rs),
    }
    if (profile === 'operator') return family(good, operatorFaults())
    if (profile === 'quorum')
      return family(good, [
        fault(`${name}-without-quorum`, MISSING, 'The output of the quorum is not given.', { quorum: null }),
        fault(`${name}-wrong-quorum`, OPEN, 'Another output of the quorum.', {
          quorum: hex(bytesFor('another quorum output', 64)),
        }),
      ])
    return family(good, holderFaults(name))
  })
}

function holderFaults(name: string): Fault[] {
  const [first = '', second = '', ...rest] = DEVICES
  return [
    fault(`${name}-without-share`, MISSING, 'No share of a device is given.', { share: null }),
    fault(`${name}-wrong-share`, OPEN, 'The share of another device.', {
      share: hex(bytesFor('another share', 32)),
    }),
    fault(`${name}-free-slot`, OPEN, 'The slot that would open is free by the state row.', {
      devices: [FREE, second, ...rest].join(' '),
    }),
    fault(`${name}-devices-exchanged`, OPEN, 'The state row names the device of another slot.', {
      devices: [second, first, ...rest].join(' '),
    }),
  ]
}

function operatorFaults(): Fault[] {
  const fields = person.secretFields('operator', 3, 1)
  const good = person.wrapFor('operator', 3, 1)
  const under = (header: Uint8Array, slots = good.slots): Uint8Array =>
    encodeSealedRow(header, sealOuter(person.epochKey(3), header, slots, bytesFor('outer nonce again', 24)))
  const one = (changes: Fields): Uint8Array => under(encodeWith(secretHeader, fields, changes))
  const named = (changes: Fields, quorumEpoch = u32be(2)): Uint8Array =>
    under(encode([...secretHeader.map(([name]) => changes[name] ?? (fields[name] as Value)), quorumEpoch]))
  const of = (what: string, code: string, comment: string, row: Uint8Array): Fault =>
    fault(`secret-row-${what}`, code, comment, row)
  const input = (what: string, code: string, comment: string, changes: Record<string, string>): Fault =>
    fault(`secret-row-${what}`, code, comment, changes)
  return [
    ...outerFaults('secret-row', good.header, good),
    of('format-2', VERSION, 'Format number 2, sealed as such.', one({ format: 2 })),
    of('kind-of-reference-row', VERSION, 'The kind of another structure.', one({ kind: 1 })),
    of('profile-4', VERSION, 'A custody profile that does not exist.', one({ profile: 4 })),
    of('quorum-epoch-of-operator', FORMAT, 'An epoch of the quorum where none takes part.', named({})),
    of('quorum-without-epoch', FORMAT, 'No epoch of the quorum where one takes part.', one({ profile: 1 })),
    of('quorum-epoch-0', FORMAT, 'Epoch 0 of the quorum.', named({ profile: 1 }, u32be(0))),
    of('epoch-as-integer', FORMAT, 'The epoch as an integer.', one({ epoch: 3 })),
    of('version-3-bytes', FORMAT, 'A version of three bytes.', one({ v: Uint8Array.of(0, 0, 1) })),
    of(
      'two-slots',
      FORMAT,
      'Two slots where the profile has one.',
      under(good.header, concat(good.slots, good.slots)),
    ),
    of(
      'epoch-changed',
      OPEN,
      'Another epoch in the header, the old seal.',
      encodeSealedRow(encodeWith(secretHeader, fields, { epoch: u32be(4) }), good),
    ),
    of(
      'since-changed',
      OPEN,
      'Another lowest epoch in the header, the old seal.',
      encodeSealedRow(encodeWith(secretHeader, fields, { since: u32be(2) }), good),
    ),
    of(
      'inner-tag-flipped',
      OPEN,
      'One bit of the inner seal, under a genuine outer one.',
      under(good.header, flipped(good.slots, -1)),
    ),
    of(
      'inner-commitment-flipped',
      OPEN,
      'One bit of the inner commitment.',
      under(good.header, flipped(good.slots, 30)),
    ),
    input('wrong-epoch-key', OPEN, 'Opened with the key of another epoch.', {
      'epoch-key': hex(person.epochKey(2)),
    }),
    input('wrong-custody-key', OPEN, 'Opened with another custody key.', {
      'custody-key': hex(bytesFor('another custody key', 32)),
    }),
    input('wrong-purpose', OPEN, 'The purpose is bound by the inner wrap.', { purpose: 'payments' }),
    input('wrong-handle', OPEN, 'The subject is bound by the inner wrap.', {
      handle: hex(bytesFor('another handle', 16)),
    }),
    input('wrong-realm', BINDING, 'A genuine row, asked for in another realm.', { realm: 'other-realm' }),
    input('wrong-record', BINDING, 'A genuine row, asked for as another record.', {
      record: hex(bytesFor('another record', 16)),
    }),
    input('wrong-generation', BINDING, 'A genuine row, asked for as another generation.', {
      generation: hex(generationOf(2, bytesFor('second generation', 16))),
    }),
  ]
}
