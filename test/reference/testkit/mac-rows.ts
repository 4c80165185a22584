/** Files about rows that carry a tag, and about receipts (SPEC §4.5, §9.3–9.6, §11.3). @module */
import { concat, hex } from '../bytes.ts'
import type { Value } from '../cbor.ts'
import { ed25519PublicKey, ed25519Sign } from '../hashes.ts'
import { bytesFor } from '../inputs.ts'
import { signReceipt } from '../lifecycle.ts'
import { encodeMacRow, generationOf } from '../record.ts'
import { type Fields, receiptBody } from '../shapes.ts'
import * as person from '../vectors/person.ts'
import { macRows } from '../vectors/record.ts'
import type { MacRow } from '../vectors/recordfaults.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Inputs, type KitFile } from './file.ts'
import { encodeWith } from './sealed-rows.ts'

const FORMAT = 'ERR_RECORD_FORMAT'
const VERSION = 'ERR_RECORD_VERSION'
const BINDING = 'ERR_RECORD_BINDING'
const MAC = 'ERR_RECORD_MAC'
const INDEX = 'ERR_KEYS_INDEX'

export function macRowFiles(): KitFile[] {
  const rows = macRows()
  const named = (name: string): MacRow => {
    const found = rows.find((row) => row.name === name)
    if (found === undefined) throw new RangeError(name)
    return found
  }
  return [
    ...stateFiles(named),
    ...attemptsFiles(named),
    ...indexFiles(named('index')),
    ...unfinishedFiles(named('unfinished work, table states')),
    ...endingFiles(named('generation that ended')),
    ...receiptRowFiles(named('receipt of an erasure')),
    ...receiptFiles(),
  ]
}

export function bodyOf(row: MacRow, changes: Fields = {}): Uint8Array {
  return encodeWith(row.shape, row.fields, changes)
}

/** The row with some fields changed, and a tag that fits. */
export function remade(row: MacRow, changes: Fields = {}): Uint8Array {
  return encodeMacRow(row.macKey, row.context, bodyOf(row, changes))
}

const text = (row: MacRow, ...names: readonly string[]): string =>
  names
    .map((name) => row.fields[name] as Value)
    .map((value) => (value instanceof Uint8Array ? hex(value) : String(value)))
    .join(' ')

function inputs(row: MacRow, ...names: readonly string[]): Inputs {
  const given = names.map((name) => [name, text(row, name)])
  return { ...Object.fromEntries(given), version: text(row, 'v'), 'mac-key': hex(row.macKey) }
}

/** What every such row can suffer. */
export function tagFaults(kind: string, row: MacRow): Fault[] {
  const body = bodyOf(row)
  const whole = remade(row)
  const of = (what: string, code: string, comment: string, bytes: Uint8Array): Fault =>
    fault(`${kind}-${what}`, code, comment, bytes)
  return [
    of('tag-flipped', MAC, 'One bit of the tag.', flipped(whole, -1, 7)),
    of('tag-of-zeros', MAC, 'A tag of zeros.', concat(body, new Uint8Array(32))),
    of(
      'tag-without-label',
      MAC,
      'A tag that leaves the label out.',
      encodeMacRow(row.macKey, new Uint8Array(0), body),
    ),
    of('truncated-byte', FORMAT, 'The last byte is missing, so the tag begins early.', whole.slice(0, -1)),
    of('without-tag', FORMAT, 'The body alone.', body),
    of('empty', FORMAT, 'No byte at all.', new Uint8Array(0)),
    of('over-64-kib', FORMAT, 'A row above 64 KiB.', concat(whole, new Uint8Array(65_536))),
    of('format-2', VERSION, 'Format number 2, with a tag that fits.', remade(row, { format: 2 })),
    of('kind-unknown', VERSION, 'A kind that no structure has.', remade(row, { kind: 99 })),
    of('field-missing', FORMAT, 'A field too few, with a tag that fits.', tagged(row, shorter(row, body))),
    fault(`${kind}-wrong-mac-key`, MAC, 'Checked under another key.', {
      'mac-key': hex(bytesFor('another MAC key', 32)),
    }),
    fault(`${kind}-wrong-realm`, BINDING, 'A genuine row, asked for in another realm.', {
      realm: 'other-realm',
    }),
  ]
}

function tagged(row: MacRow, body: Uint8Array): Uint8Array {
  return encodeMacRow(row.macKey, row.context, body)
}

/** Without its last field. */
function shorter(row: MacRow, body: Uint8Array): Uint8Array {
  const last = encodeWith(row.shape.slice(-1), row.fields).length - 1
  return concat(Uint8Array.of(0x80 + row.shape.length - 1), body.slice(1, -last))
}

function stateFiles(named: (name: string) => MacRow): KitFile[] {
  const row = named('state, active')
  const of = (what: string, code: string, comment: string, changes: Fields): Fault =>
    fault(`state-row-${what}`, code, comment, remade(row, changes))
  const basis = row.fields['basis'] as readonly Value[]
  const shown = ['version', 'state', 'exposed', 'profile', 'since', 'last']
  const others = {
    'revoked-for-breach': 'state, revoked for breach',
    erased: 'state, erased, without basis',
    'two-devices': 'state, holder with two devices',
    'guardian-consent': 'state, consent of a guardian',
    'second-generation': 'state, second generation, four operations',
    'key-version-2': 'state, version 2 of the realm keys',
  }
  const good = (name: string, from: MacRow, faults: readonly Fault[] = []): KitFile[] =>
    family(
      {
        kind: 'state-row',
        name: `state-row-${name}`,
        comment: `${from.name[0]?.toUpperCase()}${from.name.slice(1)}.`,
        inputs: inputs(from, 'realm', 'handle'),
        payload: remade(from),
        result: text(from, ...shown),
      },
      faults,
    )
  return [
    ...good('active', row, [
      ...tagFaults('state-row', row),
      fault(
        'state-row-state-changed',
        MAC,
        'Suspended instead of active, the old tag.',
        concat(bodyOf(row, { state: 2 }), remade(row).slice(-32)),
      ),
      fault(
        'state-row-exposed-changed',
        MAC,
        'Exposed, the old tag.',
        concat(bodyOf(row, { exposed: true }), remade(row).slice(-32)),
      ),
      fault('state-row-wrong-handle', BINDING, 'A genuine row, asked for as another subject.', {
        handle: hex(bytesFor('another handle', 16)),
      }),
      fault('state-row-wrong-version', MAC, 'The key of this version is not known.', { version: '2' }),
      of('state-5', FORMAT, 'Expired, which is never stored.', { state: 5 }),
      of('state-7', FORMAT, 'A state that does not exist.', { state: 7 }),
      of('profile-4', VERSION, 'A custody profile that does not exist.', { profile: 4 }),
      of('bits-500', FORMAT, 'A number of bits that no template has.', { bits: 500 }),
      of('reason-7', FORMAT, 'A reason that does not exist.', { reason: 7 }),
      of('exposed-as-number', FORMAT, 'A number for a boolean.', { exposed: 0 }),
      of('three-devices', FORMAT, 'Three devices instead of none or four.', {
        devices: [1, 2, 3].map((n) => bytesFor(`device ${n}`, 16)),
      }),
      of('five-operations', FORMAT, 'Five operations.', {
        operations: Array.from({ length: 5 }, () => [bytesFor('o', 16), 1]),
      }),
      of('basis-kind-4', FORMAT, 'A kind of basis that does not exist.', { basis: [4, ...basis.slice(1)] }),
      of('basis-eight-parts', FORMAT, 'A basis without its guardian.', { basis: basis.slice(0, 8) }),
      of('generation-16-bytes', FORMAT, 'A generation without its counter.', {
        generation: bytesFor('g', 16),
      }),
    ]),
    ...Object.entries(others).flatMap(([name, from]) => good(name, named(from))),
  ]
}

function attemptsFiles(named: (name: string) => MacRow): KitFile[] {
  const shown = ['version', 'run', 'failures', 'last', 'origin', 'steady']
  const row = named('attempts')
  const of = (what: string, code: string, comment: string, changes: Fields): Fault =>
    fault(`attempts-row-${what}`, code, comment, remade(row, changes))
  const good = (name: string, comment: string, from: MacRow, faults: readonly Fault[] = []): KitFile[] =>
    family(
      {
        kind: 'attempts-row',
        name,
        comment,
        inputs: inputs(from, 'realm', 'handle', 'generation'),
        payload: remade(from),
        result: text(from, ...shown),
      },
      faults,
    )
  const realm = named('realm attempts')
  return [
    ...good('attempts-row-counting', 'Two failures in a row, seven in all.', row, [
      ...tagFaults('attempts-row', row),
      fault(
        'attempts-row-counter-lowered',
        MAC,
        'No failure, the old tag.',
        concat(bodyOf(row, { failures: 0 }), remade(row).slice(-32)),
      ),
      fault('attempts-row-wrong-handle', BINDING, 'A genuine row, asked for as another subject.', {
        handle: hex(bytesFor('another handle', 16)),
      }),
      fault('attempts-row-wrong-generation', BINDING, 'A genuine row of a former generation.', {
        generation: hex(generationOf(2, bytesFor('second generation', 16))),
      }),
      of('scope-2', BINDING, 'Another scope than its key says.', { scope: 2 }),
      of('run-as-text', FORMAT, 'A counter as text.', { run: '2' }),
      of('nine-operations', FORMAT, 'Nine operations.', {
        operations: Array.from({ length: 9 }, () => [bytesFor('o', 16), 1]),
      }),
      of('origin-15-bytes', FORMAT, 'A name of a clock that is a byte short.', {
        origin: bytesFor('o', 15),
      }),
    ]),
    ...good('attempts-row-new', 'Of a new generation.', named('attempts, none yet')),
    ...family(
      {
        kind: 'realm-attempts-row',
        name: 'realm-attempts-row-counting',
        comment: 'What one writer counted in an hour.',
        inputs: inputs(realm, 'realm'),
        payload: remade(realm),
        result: text(realm, 'writer', 'window', 'count'),
      },
      tagFaults('realm-attempts-row', realm),
    ),
  ]
}

function indexFiles(row: MacRow): KitFile[] {
  const whole = remade(row)
  const good = {
    kind: 'index-row',
    name: 'index-row-known-subject',
    comment: 'Leads from an external identifier to its handle.',
    inputs: {
      realm: person.REALM,
      version: '1',
      'index-key': hex(row.macKey),
      subject: person.SUBJECT,
    },
    payload: whole,
    result: hex(person.handle),
  }
  const of = (what: string, comment: string, change: Uint8Array | Inputs): Fault =>
    fault(`index-row-${what}`, INDEX, comment, change)
  return family(good, [
    of('tag-flipped', 'One bit of the tag.', flipped(whole, -1)),
    of('handle-changed', 'Another handle, the old tag.', flipped(whole, -40)),
    of('truncated-byte', 'The last byte is missing.', whole.slice(0, -1)),
    of('empty', 'No byte at all.', new Uint8Array(0)),
    of('format-2', 'Format number 2, with a tag that fits.', remade(row, { format: 2 })),
    of('other-realm', 'Another realm, with a tag that fits.', remade(row, { realm: 'other-realm' })),
    of('handle-15-bytes', 'A handle one byte short.', remade(row, { handle: bytesFor('h', 15) })),
    of('wrong-subject', 'The row of another external identifier.', { subject: 'other@example.org' }),
    of('wrong-case', 'The identifier with one capital.', { subject: 'Person@example.org' }),
    of('wrong-version', 'A row of another version of the realm keys.', { version: '2' }),
  ])
}

function unfinishedFiles(row: MacRow): KitFile[] {
  return family(
    {
      kind: 'unfinished-row',
      name: 'unfinished-row-waiting',
      comment: 'A wrap that waits for its deletion.',
      inputs: inputs(row, 'realm', 'record', 'generation'),
      payload: remade(row),
      result: text(row, 'time', 'origin', 'steady'),
    },
    [
      ...tagFaults('unfinished-row', row),
      fault('unfinished-row-wrong-record', BINDING, 'A genuine row under the key of another record.', {
        record: hex(bytesFor('another record', 16)),
      }),
      fault(
        'unfinished-row-wrong-generation',
        BINDING,
        'A genuine row under the key of another generation.',
        {
          generation: hex(generationOf(2, bytesFor('second generation', 16))),
        },
      ),
    ],
  )
}

function endingFiles(row: MacRow): KitFile[] {
  return family(
    {
      kind: 'ending-row',
      name: 'ending-row-waiting',
      comment: 'A generation of which fewer holders than needed know that it has ended.',
      inputs: inputs(row, 'realm', 'record', 'generation'),
      payload: remade(row),
      result: text(row, 'handle'),
    },
    [
      ...tagFaults('ending-row', row),
      fault('ending-row-wrong-record', BINDING, 'A genuine row under the key of another record.', {
        record: hex(bytesFor('another record', 16)),
      }),
      fault('ending-row-wrong-generation', BINDING, 'A genuine row under the key of another generation.', {
        generation: hex(generationOf(2, bytesFor('second generation', 16))),
      }),
    ],
  )
}

function receiptRowFiles(row: MacRow): KitFile[] {
  return family(
    {
      kind: 'receipt-row',
      name: 'receipt-row-of-erasure',
      comment: 'A receipt kept for a repeated call.',
      inputs: inputs(row, 'realm', 'digest'),
      payload: remade(row),
      result: text(row, 'statement', 'signature'),
    },
    [
      ...tagFaults('receipt-row', row),
      fault('receipt-row-wrong-digest', BINDING, 'The receipt of another operation.', {
        digest: hex(bytesFor('another operation', 16)),
      }),
      fault(
        'receipt-row-signature-63-bytes',
        FORMAT,
        'A signature one byte short.',
        remade(row, { signature: bytesFor('s', 63) }),
      ),
    ],
  )
}

function receiptFiles(): KitFile[] {
  const seed = person.keys.receipt
  const { body, signature } = signReceipt(seed, person.RECEIPT)
  const publicKey = ed25519PublicKey(seed)
  const shown = ['unreachable', 'since', 'last', 'bound'].map((name) => String(person.RECEIPT[name]))
  const good = {
    kind: 'receipt',
    name: 'receipt-30-days',
    comment: 'An erasure whose epochs are destroyed within 30 days.',
    inputs: { version: '1', 'public-key': hex(publicKey), signature: hex(signature) },
    payload: body,
    result: shown.join(' '),
  }
  const version2 = { ...person.RECEIPT, v: 2 }
  return family(good, [
    fault('receipt-body-flipped', MAC, 'One bit of a number in the statement.', flipped(body, -1)),
    fault('receipt-signature-flipped', MAC, 'One bit of the signature.', {
      signature: hex(flipped(signature, 5)),
    }),
    fault('receipt-signature-short', MAC, 'A signature one byte short.', {
      signature: hex(signature.slice(0, 63)),
    }),
    fault('receipt-signature-of-other-seed', MAC, 'Signed under another key.', {
      signature: hex(ed25519Sign(bytesFor('another receipt seed', 32), body)),
    }),
    fault('receipt-wrong-public-key', MAC, 'Verified under another key.', {
      'public-key': hex(ed25519PublicKey(bytesFor('another receipt seed', 32))),
    }),
    fault('receipt-public-key-of-low-order', MAC, 'The neutral point as public key.', {
      'public-key': `01${'00'.repeat(31)}`,
    }),
    fault('receipt-wrong-version', MAC, 'A version whose key is not known.', { version: '2' }),
    fault('receipt-truncated', FORMAT, 'The last byte of the statement is missing.', body.slice(0, -1)),
    fault(
      'receipt-kind-of-state-row',
      VERSION,
      'The kind of another structure.',
      encodeWith(receiptBody, { ...person.RECEIPT, kind: 4 }),
    ),
    fault(
      'receipt-version-changed',
      MAC,
      'Another version in the statement, the old signature.',
      encodeWith(receiptBody, version2),
    ),
  ])
}
