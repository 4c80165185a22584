/** Reads files of the testkit with the reference: the result, or an error with a code. @module */
import { leafHash, readEntry } from '../audit.ts'
import { equal, hex, Refused, unhex } from '../bytes.ts'
import type { Value } from '../cbor.ts'
import * as gallery from '../gallery.ts'
import * as galleryShapes from '../gallery-shapes.ts'
import { epochToOpen, readRing, transition } from '../keyring.ts'
import { custodyIkm, openOuter, openSlot, slotCount, subjectTag } from '../keys.ts'
import { verifyReceipt } from '../lifecycle.ts'
import { readCheckpoint, readCosignature } from '../notes.ts'
import * as rows from '../record.ts'
import { open, recordKeys, recordOpen } from '../seal.ts'
import * as shapes from '../shapes.ts'
import { hashesOf, verifyConsistency, verifyInclusion, verifyLog } from '../verify.ts'
import type { KitFile } from './file.ts'

type Read = (file: KitFile) => string

/** The result as the file would write it. Throws `Refused`. */
export function readWithReference(file: KitFile): string {
  const read = READERS[file.kind]
  if (read === undefined) throw new RangeError(`kind ${file.kind}`)
  return read(file)
}

const input = ({ inputs, name }: KitFile, field: string): string => {
  const value = inputs[field]
  if (value === undefined) throw new RangeError(`${name}: no ${field}`)
  return value
}
const bytes = (file: KitFile, field: string): Uint8Array => unhex(input(file, field))
const maybe = (file: KitFile, field: string): Uint8Array | undefined =>
  field in file.inputs ? bytes(file, field) : undefined
const list = ({ inputs }: KitFile, field: string): readonly Uint8Array[] =>
  (inputs[field] ?? '').split(' ').filter(Boolean).map(unhex)
const number = (file: KitFile, field: string): number => Number(input(file, field))

function show(fields: shapes.Fields, ...names: readonly string[]): string {
  const text = (value: Value | undefined): string =>
    value instanceof Uint8Array ? hex(value) : String(value)
  return names.map((name) => text(fields[name])).join(' ')
}

/** One code for whatever is wrong, where the chapter has one. */
function under<T>(code: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (error instanceof Refused) throw new Refused(code, error.message)
    throw error
  }
}

function reference(file: KitFile): string {
  const row = rows.decodeSealedRow(shapes.referenceHeader, sized(file.payload))
  rows.checkBinding(row.fields, {
    realm: input(file, 'realm'),
    record: bytes(file, 'record'),
    handle: bytes(file, 'handle'),
    generation: bytes(file, 'generation'),
    purpose: input(file, 'purpose'),
    model: input(file, 'model'),
    meanHash: bytes(file, 'mean-hash'),
    d: number(file, 'dimensions'),
    m: number(file, 'bits'),
    suite: input(file, 'suite'),
  })
  if (row.ciphertext.length !== number(file, 'bits') / 8 + 16)
    throw new Refused('ERR_RECORD_FORMAT', 'length of the ciphertext')
  const secret = bytes(file, 'record-secret')
  const code = recordOpen(secret, row.header, row)
  return `${hex(code)} ${hex(recordKeys(secret, row.nonce, row.header).rotationKey)}`
}

/** RECORD-7. */
function sized(row: Uint8Array): Uint8Array {
  if (row.length > 65_536) throw new Refused('ERR_RECORD_FORMAT', 'above 64 KiB')
  return row
}

function secret(file: KitFile): string {
  const row = rows.decodeSecretRow(sized(file.payload))
  const names = {
    realm: input(file, 'realm'),
    record: bytes(file, 'record'),
    generation: bytes(file, 'generation'),
  }
  rows.checkBinding(row.fields, names)
  const profile = row.fields['profile'] as number
  if (row.ciphertext.length !== 104 * slotCount(profile) + 16)
    throw new Refused('ERR_RECORD_FORMAT', 'length of the ciphertext')
  const quorum = maybe(file, 'quorum')
  const share = maybe(file, 'share')
  if ((profile % 2 === 1 && quorum === undefined) || (profile >= 2 && share === undefined))
    throw new Refused('ERR_KEYS_MISSING', 'a part of the custody key')
  const slots = openOuter(bytes(file, 'epoch-key'), row.header, row)
  const ikm = custodyIkm(bytes(file, 'custody-key'), quorum, share)
  const context = {
    ...names,
    handle: bytes(file, 'handle'),
    purpose: input(file, 'purpose'),
    profile,
    v: (row.fields['v'] as Uint8Array)[3] as number,
    devices: list(file, 'devices'),
  }
  for (let slot = 0; slot < slotCount(profile); slot++) {
    try {
      return hex(openSlot(ikm, context, slot, slots.slice(104 * slot, 104 * (slot + 1))))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
    }
  }
  throw new Refused('ERR_SEAL_OPEN', 'no slot opens')
}

interface Tagged {
  readonly shape: shapes.Shape
  readonly context: Uint8Array
  readonly bound: readonly string[]
  readonly shown: readonly string[]
}

const tagged =
  ({ shape, context, bound, shown }: Tagged): Read =>
  (file) => {
    const fields = rows.decodeMacRow(shape, sized(file.payload), context, (v) =>
      v === number(file, 'version') ? bytes(file, 'mac-key') : undefined,
    )
    const expected = bound.map((name) => [name, name === 'realm' ? input(file, name) : bytes(file, name)])
    rows.checkBinding(fields, Object.fromEntries(expected) as shapes.Fields)
    if ('scope' in fields) rows.checkBinding(fields, { scope: 1 })
    return show(fields, ...shown)
  }

function index(file: KitFile): string {
  const key = bytes(file, 'index-key')
  const tag = subjectTag(key, input(file, 'subject'))
  return under('ERR_KEYS_INDEX', () => {
    const fields = rows.decodeMacRow(shapes.indexBody, file.payload, rows.indexContext(tag), () => key)
    rows.checkBinding(fields, { realm: input(file, 'realm'), v: number(file, 'version') })
    return show(fields, 'handle')
  })
}

function receipt(file: KitFile): string {
  const signed = { body: file.payload, signature: bytes(file, 'signature') }
  const fields = shapes.decodeShape(shapes.receiptBody, file.payload)
  if (fields['v'] !== number(file, 'version')) throw new Refused('ERR_RECORD_MAC', 'no key of this version')
  under('ERR_RECORD_MAC', () => verifyReceipt(bytes(file, 'public-key'), signed))
  return show(fields, 'unreachable', 'since', 'last', 'bound')
}

function ringOf(file: KitFile): shapes.Fields {
  return readRing(file.payload, input(file, 'realm'), input(file, 'provider'), bytes(file, 'ring-key'))
}

function sealed(file: KitFile): string {
  const { payload } = file
  const parts = {
    nonce: payload.slice(0, 24),
    commitment: payload.slice(24, 56),
    ciphertext: payload.slice(56),
  }
  return hex(open(bytes(file, 'key'), input(file, 'label'), bytes(file, 'aad'), parts))
}

function entry({ payload }: KitFile): string {
  const { sequence, action, outcome } = under('ERR_AUDIT_FORMAT', () => readEntry(payload))
  return `${sequence} ${action} ${outcome} ${hex(leafHash(payload))}`
}

function checkpoint(file: KitFile): string {
  const { size, root } = readCheckpoint(file.payload, input(file, 'log-key'))
  return `${size} ${hex(root)}`
}

/** AUDIT-13. */
function anchor(file: KitFile): string {
  const key = input(file, 'log-key')
  const kept = readCheckpoint(bytes(file, 'kept'), key)
  const next = readCheckpoint(file.payload, key)
  if (next.size < kept.size) throw new Refused('ERR_AUDIT_ROLLBACK', 'smaller')
  if (next.size === kept.size && !equal(next.root, kept.root))
    throw new Refused('ERR_AUDIT_FORK', 'another root')
  return String(next.size)
}

function inclusion(file: KitFile): string {
  const hashes = hashesOf(file.payload)
  verifyInclusion(
    bytes(file, 'entry'),
    number(file, 'index'),
    number(file, 'size'),
    bytes(file, 'root'),
    hashes,
  )
  return 'holds'
}

function consistency(file: KitFile): string {
  const older = { size: number(file, 'old-size'), root: bytes(file, 'old-root') }
  const newer = { size: number(file, 'size'), root: bytes(file, 'root') }
  verifyConsistency(older, newer, hashesOf(file.payload))
  return 'holds'
}

function log(file: KitFile): string {
  const { size, writers } = verifyLog(
    file.payload,
    input(file, 'log-key'),
    list(file, 'older'),
    maybe(file, 'anchor'),
  )
  return `${size} ${writers}`
}

/** A row of a gallery whose tag fits, and whose fields fit each other. */
function galleryRow(file: KitFile, shape: shapes.Shape, context: Uint8Array): shapes.Fields {
  const fields = rows.decodeMacRow(shape, sized(file.payload), context, (v) =>
    v === number(file, 'version') ? bytes(file, 'mac-key') : undefined,
  )
  if (!galleryShapes.fitsTogether(fields)) throw new Refused('ERR_RECORD_FORMAT', 'fields')
  rows.checkBinding(fields, { realm: input(file, 'realm') })
  return fields
}

function head(file: KitFile): string {
  const fields = galleryRow(file, galleryShapes.headBody, galleryShapes.HEAD_CONTEXT)
  return show(fields, 'version', 'purpose', 'basis', 'limit', 'count', 'open')
}

function shard(file: KitFile): string {
  const fields = galleryRow(file, galleryShapes.shardBody, galleryShapes.SHARD_CONTEXT)
  rows.checkBinding(fields, { number: number(file, 'number') })
  const keys = {
    custodyIkm: custodyIkm(bytes(file, 'custody-key'), undefined, undefined),
    epochKey: bytes(file, 'epoch-key'),
  }
  const named = fields as unknown as gallery.Gallery & gallery.Shard
  const key = gallery.unwrapKey(fields['wrap'] as Uint8Array, named, named, keys)
  const slots = (fields['slots'] as readonly (Uint8Array | null)[]).map((slot) => (slot ? hex(slot) : '-'))
  return `${show(fields, 'version', 'epoch', 'since')} ${slots.join(',')} ${hex(key)}`
}

function member(file: KitFile): string {
  const row = rows.decodeSealedRow(galleryShapes.galleryMemberHeader, sized(file.payload))
  if (row.ciphertext.length !== (row.fields['g'] as number) / 8 + 16)
    throw new Refused('ERR_RECORD_FORMAT', 'length of the ciphertext')
  rows.checkBinding(row.fields, {
    realm: input(file, 'realm'),
    use: 'identify',
    handle: bytes(file, 'handle'),
    purpose: input(file, 'purpose'),
    model: input(file, 'model'),
    meanHash: bytes(file, 'mean-hash'),
    d: number(file, 'dimensions'),
    g: number(file, 'bits'),
    number: number(file, 'number'),
    slot: number(file, 'slot'),
  })
  return hex(open(bytes(file, 'record-secret'), 'guise/v1/gallery-member', row.header, row))
}

const READERS: Readonly<Record<string, Read>> = {
  'reference-row': reference,
  'secret-row': secret,
  'state-row': tagged({
    shape: shapes.stateBody,
    context: rows.STATE_CONTEXT,
    bound: ['realm', 'handle'],
    shown: ['version', 'state', 'exposed', 'profile', 'since', 'last'],
  }),
  'attempts-row': tagged({
    shape: shapes.attemptsBody,
    context: rows.ATTEMPTS_CONTEXT,
    bound: ['realm', 'handle', 'generation'],
    shown: ['version', 'run', 'failures', 'last', 'origin', 'steady'],
  }),
  'realm-attempts-row': tagged({
    shape: shapes.realmAttemptsBody,
    context: rows.REALM_ATTEMPTS_CONTEXT,
    bound: ['realm'],
    shown: ['writer', 'window', 'count'],
  }),
  'unfinished-row': tagged({
    shape: shapes.unfinishedBody,
    context: rows.UNFINISHED_CONTEXT,
    bound: ['realm', 'record', 'generation'],
    shown: ['time', 'origin', 'steady'],
  }),
  'ending-row': tagged({
    shape: shapes.endingBody,
    context: rows.ENDING_CONTEXT,
    bound: ['realm', 'record', 'generation'],
    shown: ['handle'],
  }),
  'receipt-row': tagged({
    shape: shapes.receiptRow,
    context: rows.RECEIPT_ROW_CONTEXT,
    bound: ['realm', 'digest'],
    shown: ['statement', 'signature'],
  }),
  'index-row': index,
  receipt,
  keyring: (file) => show(ringOf(file), 'version', 'primary', 'minAccepted'),
  'epoch-use': (file) => hex(epochToOpen(ringOf(file), number(file, 'epoch'))[4]),
  'epoch-transition': (file) => transition(ringOf(file), input(file, 'verb'), number(file, 'epoch')),
  sealed,
  entry,
  checkpoint,
  cosignature: (file) => String(readCosignature(file.payload, input(file, 'witness-key'))),
  anchor,
  'inclusion-proof': inclusion,
  'consistency-proof': consistency,
  log,
  'gallery-head-row': head,
  'gallery-shard-row': shard,
  'gallery-member-row': member,
  'gallery-budget-row': (file) => {
    const fields = galleryRow(file, galleryShapes.budgetBody, galleryShapes.BUDGET_CONTEXT)
    return show(fields, 'version', 'count', 'time', 'origin', 'steady')
  },
}
