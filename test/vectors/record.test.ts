/** Rows and receipts against the vectors (SPEC §4.4, §4.5, §9, §11). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { committingOpen } from '../../src/crypto/committing.ts'
import { keyPairEd25519 } from '../../src/crypto/sign.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { decodeIndexRow, encodeIndexRow, indexRowKey } from '../../src/keys/pseudonym.ts'
import { decodeRing, encodeRing, ringIsGenuine, ringRowKey } from '../../src/keys/ring.ts'
import {
  type AttemptsRow,
  decodeAttemptsRow,
  decodeRealmAttemptsRow,
  encodeAttemptsRow,
  encodeRealmAttemptsRow,
} from '../../src/record/attempts-row.ts'
import { decodeEndingRow, encodeEndingRow } from '../../src/record/ending-row.ts'
import { decodeModelRow, encodeModelRow, type ModelSide } from '../../src/record/model-row.ts'
import * as place from '../../src/record/place.ts'
import { decodeReceiptRow, encodeReceiptRow, readReceipt, signReceipt } from '../../src/record/receipt.ts'
import {
  decodeReferenceRow,
  encodeReferenceRow,
  referenceHeader,
  type TemplateProfile,
} from '../../src/record/reference-row.ts'
import { decodeSecretRow, encodeSecretRow, secretHeader } from '../../src/record/secret-row.ts'
import { decodeStateRow, encodeStateRow } from '../../src/record/state-row.ts'
import { decodeUnfinishedRow, encodeUnfinishedRow } from '../../src/record/unfinished-row.ts'
import { openCode } from '../../src/seal/code.ts'
import { expectRefused, hex, unhex } from './read.ts'
import receiptFile from './receipt.json' with { type: 'json' }
import recordFile from './record.json' with { type: 'json' }

beforeAll(cryptoReady)

type Vector = Readonly<Record<string, unknown>>

const text = (vector: Vector, field: string): string => String(vector[field])
const bytes = (vector: Vector, field: string): Uint8Array => unhex(text(vector, field))
const fieldsOf = (vector: Vector): Vector => vector['fields'] as Vector
const number = (vector: Vector, field: string): number => vector[field] as number
const rowOf = (vector: Vector): Uint8Array => {
  const printed = bytes(vector, 'row')
  const row = new Uint8Array(printed.length + ((vector['zeros'] as number | undefined) ?? 0))
  row.set(printed)
  return row
}

const positive = recordFile.positive as unknown as Vector[]
const negative = recordFile.negative as unknown as Vector[]
const named = (name: string): Vector => {
  const found = positive.find((vector) => vector['name'] === name)
  if (found === undefined) throw new Error(`no vector ${name}`)
  return found
}
const kind = (beginning: string): Vector[] =>
  positive.filter((vector) => text(vector, 'name').startsWith(beginning))

/** Rows name some of handle, record and generation. */
function bytesOrNone(fields: Vector, field: string): Uint8Array {
  return field in fields ? bytes(fields, field) : new Uint8Array(0)
}

function placeOf(fields: Vector): place.RecordName {
  return {
    realm: fields['realm'] as Realm,
    handle: bytesOrNone(fields, 'handle'),
    record: bytesOrNone(fields, 'record'),
    generation: bytesOrNone(fields, 'generation'),
  }
}

function profileOf(fields: Vector): TemplateProfile {
  return {
    realm: fields['realm'] as Realm,
    purpose: text(fields, 'purpose'),
    model: text(fields, 'model'),
    meanHash: bytes(fields, 'meanHash'),
    dimensions: number(fields, 'd'),
    bits: number(fields, 'm') as TemplateProfile['bits'],
    suite: text(fields, 'suite'),
  }
}

/** What reads a row of each kind as the vault would, the key of `good` at hand. */
const readers: Readonly<Record<string, (good: Vector, row: Uint8Array) => unknown>> = {
  reference: (good, row) => {
    const fields = fieldsOf(good)
    const found = decodeReferenceRow(row, profileOf(fields), placeOf(fields))
    const length = number(fields, 'm') / 8
    const code = openCode(bytes(good, 'recordSecret'), found.header, found, length, (opened) => hex(opened))
    return [code, hex(encodeReferenceRow(found)), found.createdMs]
  },
  secret: (good, row) => {
    const found = decodeSecretRow(row, placeOf(fieldsOf(good)))
    const slots = committingOpen(bytes(good, 'epochKey'), 'guise/v1/outer', found.header, found)
    if (slots === undefined) throw Object.assign(new Error('does not open'), { code: 'ERR_SEAL_OPEN' })
    return [hex(slots), hex(encodeSecretRow(found)), found.epoch, found.since, found.keyVersion]
  },
  state: (good, row) => {
    const found = decodeStateRow(row, placeOf(fieldsOf(good)), keyFor(good))
    const generation = placeOf(fieldsOf(good)).record
    if (hex(found.record) !== hex(generation))
      throw Object.assign(new Error('binding'), { code: 'ERR_RECORD_BINDING' })
    return encodeStateRow(found, bytes(good, 'macKey'))
  },
  attempts: (good, row) => {
    const found = decodeAttemptsRow(row, { ...placeOf(fieldsOf(good)), scope: 1 }, keyFor(good))
    return encodeAttemptsRow(found, bytes(good, 'macKey'))
  },
  model: (good, row) => {
    const found = decodeModelRow(row, fieldsOf(good)['realm'] as Realm, keyFor(good))
    return encodeModelRow(found, bytes(good, 'macKey'))
  },
  'realm attempts': (good, row) => {
    const found = decodeRealmAttemptsRow(row, fieldsOf(good)['realm'] as Realm, keyFor(good))
    return encodeRealmAttemptsRow(found, bytes(good, 'macKey'))
  },
  index: (good, row) => {
    const fields = fieldsOf(good)
    const tag = bytes(good, 'macContext').slice(1)
    const where = { realm: fields['realm'] as Realm, version: number(fields, 'v'), tag }
    expect(hex(indexRowKey(where))).toBe(good['key'])
    return encodeIndexRow(where, bytes(good, 'macKey'), decodeIndexRow(row, where, bytes(good, 'macKey')))
  },
  unfinished: (good, row) => {
    const found = decodeUnfinishedRow(row, placeOf(fieldsOf(good)), keyFor(good))
    return encodeUnfinishedRow(found, bytes(good, 'macKey'))
  },
  ending: (good, row) =>
    encodeEndingRow(decodeEndingRow(row, placeOf(fieldsOf(good)), keyFor(good)), bytes(good, 'macKey')),
  receipt: (good, row) => {
    const where = { realm: fieldsOf(good)['realm'] as Realm, digest: bytes(fieldsOf(good), 'digest') }
    return encodeReceiptRow(decodeReceiptRow(row, where, keyFor(good)), bytes(good, 'macKey'))
  },
  keyring: (good, row) => {
    const { realm, provider } = fieldsOf(good)
    const found = decodeRing(row, { realm: realm as Realm, provider: String(provider) })
    if (!ringIsGenuine(found, bytes(good, 'macKey')))
      throw Object.assign(new Error('mac'), { code: 'ERR_KEYS_RING' })
    return encodeRing(found.ring, bytes(good, 'macKey'))
  },
}

const keyFor = (good: Vector) => (version: number) =>
  version === number(fieldsOf(good), 'v') ? bytes(good, 'macKey') : undefined

describe('sealed rows', () => {
  test.each(kind('reference'))('$name', (vector) => {
    const fields = fieldsOf(vector)
    const name = placeOf(fields)
    expect(hex(referenceHeader(profileOf(fields), name, number(fields, 'created')))).toBe(vector['header'])
    expect(hex(place.referenceKey(name.realm, name.record))).toBe(vector['key'])
    const read = readers['reference']?.(vector, rowOf(vector))
    expect(read).toEqual([vector['code'], vector['row'], fields['created']])
  })

  test.each(kind('secret'))('$name', (vector) => {
    const fields = fieldsOf(vector)
    const { realm, record, generation } = placeOf(fields)
    const epoch = Number.parseInt(text(fields, 'epoch'), 16)
    const header = secretHeader({
      realm,
      record,
      generation,
      epoch,
      since: 1,
      profile: number(fields, 'profile'),
      keyVersion: 1,
      quorumEpoch:
        fields['quorumEpoch'] === undefined ? undefined : Number.parseInt(text(fields, 'quorumEpoch'), 16),
    })
    expect(hex(header)).toBe(vector['header'])
    expect(hex(place.secretKey(realm, record, generation))).toBe(vector['key'])
    expect(readers['secret']?.(vector, rowOf(vector))).toEqual([vector['slots'], vector['row'], epoch, 1, 1])
  })
})

describe('rows with a MAC', () => {
  const same = (reader: string, vector: Vector): void => {
    expect(hex(readers[reader]?.(vector, rowOf(vector)) as Uint8Array)).toBe(vector['row'])
  }

  test.each(kind('state,'))('$name', (vector) => {
    const fields = fieldsOf(vector)
    same('state', vector)
    const { realm, handle } = placeOf(fields)
    expect(hex(place.stateKey(realm, handle))).toBe(vector['key'])
    const row = decodeStateRow(rowOf(vector), placeOf(fields), keyFor(vector))
    expect([row.version, row.exposed, row.profile, row.model, row.bits, row.since, row.last]).toEqual(
      ['version', 'exposed', 'profile', 'model', 'bits', 'since', 'last'].map((field) => fields[field]),
    )
    expect([row.changedMs, row.reason, row.keyVersion]).toEqual([
      fields['changed'],
      fields['reason'],
      fields['v'],
    ])
    expect(row.devices.map((device) => hex(device))).toEqual(fields['devices'])
    expect(row.operations.map(({ digest, code }) => [hex(digest), code])).toEqual(fields['operations'])
    expect(
      row.references?.map(({ probeClass, record, generation, bits }) => [
        probeClass,
        hex(record),
        hex(generation),
        bits,
      ]),
    ).toEqual(fields['references'])
    const { basis } = row
    expect(
      basis && [
        basis.purpose,
        basis.grantedMs,
        basis.expiresMs,
        basis.noticeVersion,
        hex(basis.evidence),
        basis.separateConsent,
        basis.under14,
        basis.guardianEvidence === null ? null : hex(basis.guardianEvidence),
      ],
    ).toEqual((fields['basis'] as unknown[] | null)?.slice(1) ?? null)
  })

  test.each(kind('attempts'))('$name', (vector) => {
    const fields = fieldsOf(vector)
    same('attempts', vector)
    const { realm, handle } = placeOf(fields)
    expect(hex(place.attemptsKey(realm, handle, 1))).toBe(vector['key'])
    const row: AttemptsRow = decodeAttemptsRow(
      rowOf(vector),
      { ...placeOf(fields), scope: 1 },
      keyFor(vector),
    )
    expect(row.adapted && [row.adapted.count, row.adapted.lastMs]).toEqual(fields['adapted'])
    expect(row.count.live === true ? 68 : 6).toBe(fields['kind'])
    const { run, failures, lastMs, origin, steadyMs } = row.count
    expect([row.version, run, failures, lastMs, hex(origin), steadyMs]).toEqual(
      ['version', 'run', 'failures', 'last', 'origin', 'steady'].map((field) => fields[field]),
    )
  })

  test.each(kind('migration'))('$name', (vector) => {
    const fields = fieldsOf(vector)
    same('model', vector)
    const realm = fields['realm'] as Realm
    expect(hex(place.modelPlace({ realm }).key)).toBe(vector['key'])
    const row = decodeModelRow(rowOf(vector), realm, keyFor(vector))
    const side = ({ model, meanHash, dimensions, bits }: ModelSide): unknown[] => [
      model,
      hex(meanHash),
      dimensions,
      bits,
    ]
    expect([side(row.from), [...side(row.to), row.points]]).toEqual([fields['from'], fields['to']])
    expect([row.version, Number(row.finished), row.opensMs, row.closesMs, row.changedMs]).toEqual(
      ['version', 'finished', 'opens', 'closes', 'changed'].map((field) => fields[field]),
    )
  })

  test('realm attempts', () => {
    const vector = named('realm attempts')
    const { realm, writer, window, count } = fieldsOf(vector)
    same('realm attempts', vector)
    expect(hex(place.realmAttemptsKey(realm as Realm, unhex(String(writer))))).toBe(vector['key'])
    const row = decodeRealmAttemptsRow(rowOf(vector), realm as Realm, keyFor(vector))
    expect([hex(row.writer), row.windowMs, row.count]).toEqual([writer, window, count])
  })

  test.each(kind('index'))('$name', (vector) => {
    same('index', vector)
  })

  test('keyring', () => {
    const vector = named('keyring')
    const fields = fieldsOf(vector)
    same('keyring', vector)
    expect(hex(ringRowKey(fields['realm'] as Realm))).toBe(vector['key'])
    const { ring } = decodeRing(rowOf(vector), {
      realm: fields['realm'] as Realm,
      provider: text(fields, 'provider'),
    })
    expect([ring.version, ring.primary, ring.minAccepted]).toEqual(
      ['version', 'primary', 'minAccepted'].map((field) => fields[field]),
    )
    expect(
      ring.epochs.map(({ epoch, status, createdMs, changedMs, wrapped }) => [
        epoch,
        status,
        createdMs,
        changedMs,
        hex(wrapped),
      ]),
    ).toEqual(fields['epochs'])
  })
})

test.each(kind('unfinished'))('$name', (vector) => {
  const fields = fieldsOf(vector)
  const name = placeOf(fields)
  const row = decodeUnfinishedRow(rowOf(vector), name, keyFor(vector))
  expect(hex(encodeUnfinishedRow(row, bytes(vector, 'macKey')))).toBe(vector['row'])
  expect([row.timeMs, hex(row.origin), row.steadyMs]).toEqual([
    fields['time'],
    fields['origin'],
    fields['steady'],
  ])
  expect(hex(place.unfinishedKey(name.realm, name.record, name.generation))).toBe(vector['key'])
})

test('generation that ended', () => {
  const vector = named('generation that ended')
  const name = placeOf(fieldsOf(vector))
  const row = decodeEndingRow(rowOf(vector), name, keyFor(vector))
  expect(hex(row.handle)).toBe(fieldsOf(vector)['handle'])
  expect(hex(encodeEndingRow(row, bytes(vector, 'macKey')))).toBe(vector['row'])
  expect(hex(place.endingKey(name.realm, name.record, name.generation))).toBe(vector['key'])
})

test('receipt of an erasure', () => {
  const vector = named('receipt of an erasure')
  const { realm, statement, signature } = fieldsOf(vector)
  const where = { realm: realm as Realm, digest: bytes(fieldsOf(vector), 'digest') }
  const receipt = decodeReceiptRow(rowOf(vector), where, keyFor(vector))
  expect([hex(receipt.bytes), hex(receipt.signature)]).toEqual([statement, signature])
  expect(hex(encodeReceiptRow(receipt, bytes(vector, 'macKey')))).toBe(vector['row'])
  expect(hex(place.receiptKey(where.realm, where.digest))).toBe(vector['key'])
})

describe('rows with one fault', () => {
  const good: Readonly<Record<string, readonly [reader: string, of: string]>> = {
    reference: ['reference', 'reference, m 512 of d 512'],
    secret: ['secret', 'secret, operator in epoch 1'],
    'state, active': ['state', 'state, active'],
    attempts: ['attempts', 'attempts'],
    'state, two further references': ['state', 'state, two further references'],
    'attempts, third adaptation in a row': ['attempts', 'attempts, third adaptation in a row'],
    'migration of models': ['model', 'migration of models'],
    'realm attempts': ['realm attempts', 'realm attempts'],
    index: ['index', 'index'],
    keyring: ['keyring', 'keyring'],
    'unfinished work, table states': ['unfinished', 'unfinished work, table states'],
    'generation that ended': ['ending', 'generation that ended'],
    'receipt of an erasure': ['receipt', 'receipt of an erasure'],
  }

  test.each(negative)('$name', (vector) => {
    const [reader, of] = good[text(vector, 'of')] as readonly [string, string]
    const read = (): unknown => readers[reader]?.(named(of), rowOf(vector))
    expectRefused(read, vector['code'] as string | null, text(vector, 'name'))
  })

  test.each(Object.values(good))('what is read as %s is accepted without a fault', (reader, of) => {
    expect(() => readers[reader]?.(named(of), rowOf(named(of)))).not.toThrow()
  })
})

describe('receipts', () => {
  test.each(receiptFile.positive as unknown as Vector[])('$name', (vector) => {
    const fields = fieldsOf(vector)
    const seed = bytes(vector, 'seed')
    const { publicKey } = keyPairEd25519(seed)
    const { realm, record, generation } = placeOf(fields)
    const body = {
      realm,
      record,
      generation,
      unreachableMs: number(fields, 'unreachable'),
      since: number(fields, 'since'),
      last: number(fields, 'last'),
      boundMs: number(fields, 'bound'),
      keyVersion: number(fields, 'v'),
    }
    const signed = signReceipt(body, seed)
    expect([hex(publicKey), hex(signed.bytes), hex(signed.signature)]).toEqual([
      vector['publicKey'],
      vector['body'],
      vector['signature'],
    ])
    const read = readReceipt(bytes(vector, 'body'), bytes(vector, 'signature'), (version) =>
      version === body.keyVersion ? publicKey : undefined,
    )
    expect({ ...read, record: hex(read.record), generation: hex(read.generation) }).toEqual({
      ...body,
      record: fields['record'],
      generation: fields['generation'],
    })
  })

  test.each(receiptFile.negative as unknown as Vector[])('refuses: $name', (vector) => {
    const read = (): unknown =>
      readReceipt(bytes(vector, 'body'), bytes(vector, 'signature'), () => bytes(vector, 'publicKey'))
    expectRefused(read, null, text(vector, 'name'))
  })
})
