/** Reads files of the testkit with the library: the result, or an error with a code. @module */
import { decodeEntry, openCheckpoint, openCosignature, verifyConsistency, verifyLog } from 'guise/audit'
import { checkAdvance } from '../../src/audit/anchor.ts'
import { ACTION_NUMBERS, OUTCOMES } from '../../src/audit/entry.ts'
import { checkInclusion } from '../../src/audit/proof.ts'
import { hashLeaf } from '../../src/audit/tree.ts'
import type { Realm } from '../../src/base/brand.ts'
import { committingOpen } from '../../src/crypto/committing.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { decodeBudgetRow } from '../../src/gallery/budget-row.ts'
import { type GalleryProfile, sameProfile } from '../../src/gallery/declaration.ts'
import { decodeHeadRow } from '../../src/gallery/head-row.ts'
import { decodeMemberRow, openMember } from '../../src/gallery/member-row.ts'
import { decodeShardRow } from '../../src/gallery/shard-row.ts'
import { openShardKey } from '../../src/gallery/shard-wrap.ts'
import { type Profile, preparedCustody } from '../../src/keys/custody.ts'
import { decodeIndexRow, subjectTag } from '../../src/keys/pseudonym.ts'
import { decodeRing, findEpoch, type Ring, ringIsGenuine } from '../../src/keys/ring.ts'
import * as transitions from '../../src/keys/transition.ts'
import { openWrap } from '../../src/keys/wraps.ts'
import { BASIS_KINDS } from '../../src/policy/basis.ts'
import { STATES } from '../../src/policy/states.ts'
import { decodeAttemptsRow, decodeRealmAttemptsRow } from '../../src/record/attempts-row.ts'
import { decodeEndingRow } from '../../src/record/ending-row.ts'
import { decodeReceiptRow, readReceipt } from '../../src/record/receipt.ts'
import { decodeReferenceRow, type TemplateProfile } from '../../src/record/reference-row.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import { decodeStateRow } from '../../src/record/state-row.ts'
import { decodeUnfinishedRow } from '../../src/record/unfinished-row.ts'
import { openCode } from '../../src/seal/code.ts'
import type { KitFile } from '../reference/testkit/file.ts'
import { hex, unhex } from './read.ts'

type Read = (file: KitFile) => string | Promise<string>

/** The result as the file would write it. Rejects with an error of the library. */
export async function readWithLibrary(file: KitFile): Promise<string> {
  const read = READERS[file.kind]
  if (read === undefined) throw new RangeError(`kind ${file.kind}`)
  return await read(file)
}

const input = ({ inputs, name }: KitFile, field: string): string => {
  const value = inputs[field]
  if (value === undefined) throw new RangeError(`${name}: no ${field}`)
  return value
}
const bytes = (file: KitFile, field: string): Uint8Array => unhex(input(file, field))
const list = ({ inputs }: KitFile, field: string): readonly Uint8Array[] =>
  (inputs[field] ?? '').split(' ').filter(Boolean).map(unhex)
const number = (file: KitFile, field: string): number => Number(input(file, field))
const realmOf = (file: KitFile): Realm => input(file, 'realm') as Realm
const text = (raw: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(raw)

/** What the library leaves to its caller to turn into an error. */
function refused(code: string): Error {
  return Object.assign(new Error(code), { code })
}

const keyFor =
  (file: KitFile, field = 'mac-key') =>
  (version: number): Uint8Array | undefined =>
    version === number(file, 'version') ? bytes(file, field) : undefined

const nameOf = (file: KitFile) => ({
  realm: realmOf(file),
  record: bytes(file, 'record'),
  handle: bytes(file, 'handle'),
  generation: bytes(file, 'generation'),
})

function reference(file: KitFile): string {
  const profile: TemplateProfile = {
    realm: realmOf(file),
    purpose: input(file, 'purpose'),
    model: input(file, 'model'),
    meanHash: bytes(file, 'mean-hash'),
    dimensions: number(file, 'dimensions'),
    bits: number(file, 'bits') as TemplateProfile['bits'],
    suite: input(file, 'suite'),
  }
  const row = decodeReferenceRow(file.payload, profile, nameOf(file))
  const both = (code: Uint8Array, key: Uint8Array): string => `${hex(code)} ${hex(key)}`
  return openCode(bytes(file, 'record-secret'), row.header, row, profile.bits / 8, both)
}

function secret(file: KitFile): string {
  const row = decodeSecretRow(file.payload, nameOf(file))
  const profile = row.profile as Profile
  const custody = preparedCustody(profile, {
    custodyKey: bytes(file, 'custody-key'),
    quorum: 'quorum' in file.inputs ? bytes(file, 'quorum') : undefined,
    share: 'share' in file.inputs ? bytes(file, 'share') : undefined,
  })
  const opened = openWrap(row, {
    custody,
    outer: { prepared: hkdfPrepare(bytes(file, 'epoch-key')), header: row.header },
    binding: {
      ...nameOf(file),
      purpose: input(file, 'purpose'),
      profile,
      keyVersion: row.keyVersion,
      devices: list(file, 'devices'),
    },
  })
  if (opened === undefined) throw refused('ERR_SEAL_OPEN')
  return hex(opened.recordSecret)
}

function state(file: KitFile): string {
  const place = { realm: realmOf(file), handle: bytes(file, 'handle') }
  const row = decodeStateRow(file.payload, place, keyFor(file))
  return [row.version, STATES.indexOf(row.state), row.exposed, row.profile, row.since, row.last].join(' ')
}

function attempts(file: KitFile): string {
  const place = {
    realm: realmOf(file),
    handle: bytes(file, 'handle'),
    scope: 1,
    generation: bytes(file, 'generation'),
  }
  const { version, count } = decodeAttemptsRow(file.payload, place, keyFor(file))
  const { run, failures, lastMs, origin, steadyMs } = count
  return [version, run, failures, lastMs, hex(origin), steadyMs].join(' ')
}

function realmAttempts(file: KitFile): string {
  const { writer, windowMs, count } = decodeRealmAttemptsRow(file.payload, realmOf(file), keyFor(file))
  return `${hex(writer)} ${windowMs} ${count}`
}

function unfinished(file: KitFile): string {
  const place = {
    realm: realmOf(file),
    record: bytes(file, 'record'),
    generation: bytes(file, 'generation'),
  }
  const row = decodeUnfinishedRow(file.payload, place, keyFor(file))
  return `${row.timeMs} ${hex(row.origin)} ${row.steadyMs}`
}

function ending(file: KitFile): string {
  const place = {
    realm: realmOf(file),
    record: bytes(file, 'record'),
    generation: bytes(file, 'generation'),
  }
  return hex(decodeEndingRow(file.payload, place, keyFor(file)).handle)
}

function receiptRow(file: KitFile): string {
  const place = { realm: realmOf(file), digest: bytes(file, 'digest') }
  const row = decodeReceiptRow(file.payload, place, keyFor(file))
  return `${hex(row.bytes)} ${hex(row.signature)}`
}

function receipt(file: KitFile): string {
  const keys = keyFor(file, 'public-key')
  const { unreachableMs, since, last, boundMs } = readReceipt(file.payload, bytes(file, 'signature'), keys)
  return [unreachableMs, since, last, boundMs].join(' ')
}

function index(file: KitFile): string {
  const key = bytes(file, 'index-key')
  const tag = subjectTag(key, input(file, 'subject'))
  return hex(
    decodeIndexRow(file.payload, { realm: realmOf(file), version: number(file, 'version'), tag }, key),
  )
}

function ringOf(file: KitFile): Ring {
  const decoded = decodeRing(file.payload, { realm: realmOf(file), provider: input(file, 'provider') })
  if (!ringIsGenuine(decoded, bytes(file, 'ring-key'))) throw refused('ERR_KEYS_RING')
  return decoded.ring
}

function transition(file: KitFile): string {
  const before = ringOf(file)
  const epoch = number(file, 'epoch')
  const verbs: Readonly<Record<string, () => Ring>> = {
    promote: () => transitions.withPrimary(before, epoch),
    disable: () => transitions.withStatus(before, 'disable', epoch, 0),
    enable: () => transitions.withStatus(before, 'enable', epoch, 0),
    destroy: () => transitions.withDestroyed(before, epoch, 0),
  }
  const after = verbs[input(file, 'verb')]?.()
  const entry = after && findEpoch(after, epoch)
  return after === undefined || entry === undefined ? 'nothing' : transitions.statusOf(after, entry)
}

function sealed(file: KitFile): string {
  const { payload } = file
  const parts = {
    nonce: payload.slice(0, 24),
    commitment: payload.slice(24, 56),
    ciphertext: payload.slice(56),
  }
  const opened = committingOpen(bytes(file, 'key'), input(file, 'label'), bytes(file, 'aad'), parts)
  if (opened === undefined) throw refused('ERR_SEAL_OPEN')
  return hex(opened)
}

function entry({ payload }: KitFile): string {
  const { sequence, action, outcome } = decodeEntry(payload)
  return `${sequence} ${ACTION_NUMBERS[action]} ${OUTCOMES.indexOf(outcome)} ${hex(hashLeaf(payload))}`
}

function anchor(file: KitFile): string {
  const key = input(file, 'log-key')
  const next = openCheckpoint(text(file.payload), key)
  checkAdvance(openCheckpoint(text(bytes(file, 'kept')), key), next)
  return String(next.size)
}

function hashesOf(payload: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: Math.ceil(payload.length / 32) }, (_, i) => payload.slice(32 * i, 32 * i + 32))
}

function inclusion(file: KitFile): string {
  const head = { size: number(file, 'size'), root: bytes(file, 'root') }
  checkInclusion(hashLeaf(bytes(file, 'entry')), number(file, 'index'), head, hashesOf(file.payload))
  return 'holds'
}

function consistency(file: KitFile): string {
  const older = { size: number(file, 'old-size'), root: bytes(file, 'old-root') }
  verifyConsistency(older, { size: number(file, 'size'), root: bytes(file, 'root') }, hashesOf(file.payload))
  return 'holds'
}

async function log(file: KitFile): Promise<string> {
  const logKey = input(file, 'log-key')
  const [anchored] = list(file, 'anchor')
  const { checkpoint, writers } = await verifyLog([file.payload], {
    logKey,
    olderCheckpoints: list(file, 'older').map(text),
    ...(anchored === undefined ? {} : { anchor: openCheckpoint(text(anchored), logKey) }),
  })
  return `${checkpoint.size} ${writers}`
}

function galleryHead(file: KitFile): string {
  const row = decodeHeadRow(file.payload, realmOf(file), keyFor(file))
  const { version, profile, basis, limit, count, open } = row
  return [version, profile.purpose, BASIS_KINDS.indexOf(basis), limit, count, open.join(',')].join(' ')
}

function galleryShard(file: KitFile): string {
  const place = { realm: realmOf(file), number: number(file, 'number') }
  const row = decodeShardRow(file.payload, place, keyFor(file))
  const custody = preparedCustody(0, { custodyKey: bytes(file, 'custody-key') })
  const key = openShardKey(row, { custody, epoch: hkdfPrepare(bytes(file, 'epoch-key')) })
  const slots = row.slots.map((slot) => (slot === null ? '-' : hex(slot)))
  return [row.version, row.epoch, row.since, slots.join(','), hex(key)].join(' ')
}

function galleryMember(file: KitFile): string {
  const profile: GalleryProfile = {
    realm: realmOf(file),
    purpose: input(file, 'purpose'),
    model: input(file, 'model'),
    meanHash: bytes(file, 'mean-hash'),
    dimensions: number(file, 'dimensions'),
    bits: number(file, 'bits') as GalleryProfile['bits'],
  }
  const row = decodeMemberRow(file.payload, { profile, handle: bytes(file, 'handle') })
  // The shard names the slot and the head the profile: a vault compares them when it loads the member.
  const inPlace = row.number === number(file, 'number') && row.slot === number(file, 'slot')
  if (!inPlace || !sameProfile(row.profile, profile)) throw refused('ERR_RECORD_BINDING')
  return hex(openMember(row, bytes(file, 'record-secret')))
}

function galleryBudget(file: KitFile): string {
  const row = decodeBudgetRow(file.payload, realmOf(file), keyFor(file))
  return [row.version, row.count, row.timeMs, hex(row.origin), row.steadyMs].join(' ')
}

const READERS: Readonly<Record<string, Read>> = {
  'reference-row': reference,
  'secret-row': secret,
  'state-row': state,
  'attempts-row': attempts,
  'realm-attempts-row': realmAttempts,
  'unfinished-row': unfinished,
  'ending-row': ending,
  'receipt-row': receiptRow,
  receipt,
  'index-row': index,
  keyring: (file) => {
    const { version, primary, minAccepted } = ringOf(file)
    return `${version} ${primary} ${minAccepted}`
  },
  'epoch-use': (file) => hex(transitions.requireOpenable(ringOf(file), number(file, 'epoch')).wrapped),
  'epoch-transition': transition,
  sealed,
  entry,
  checkpoint: (file) => {
    const { size, root } = openCheckpoint(text(file.payload), input(file, 'log-key'))
    return `${size} ${hex(root)}`
  },
  cosignature: (file) => String(openCosignature(text(file.payload), input(file, 'witness-key')).timeSeconds),
  anchor,
  'inclusion-proof': inclusion,
  'consistency-proof': consistency,
  log,
  'gallery-head-row': galleryHead,
  'gallery-shard-row': galleryShard,
  'gallery-member-row': galleryMember,
  'gallery-budget-row': galleryBudget,
}
