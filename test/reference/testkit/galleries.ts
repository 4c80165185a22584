/** Files about the rows of a gallery (SPEC §16). @module */
import { concat, hex } from '../bytes.ts'
import type { Value } from '../cbor.ts'
import * as gallery from '../gallery.ts'
import {
  BUDGET_CONTEXT,
  budgetBody,
  galleryMemberHeader,
  HEAD_CONTEXT,
  headBody,
  SHARD_CONTEXT,
  shardBody,
} from '../gallery-shapes.ts'
import { bytesFor } from '../inputs.ts'
import { encodeSealedRow, generationOf } from '../record.ts'
import { seal } from '../seal.ts'
import type { Fields, Shape } from '../shapes.ts'
import * as person from '../vectors/person.ts'
import type { MacRow } from '../vectors/recordfaults.ts'
import { flipped } from '../vectors/seal.ts'
import { D, G, GALLERY, K, KEYS, SHARD } from '../vectors/shard.ts'
import { type Fault, family, fault, type Inputs, type KitFile } from './file.ts'
import { bodyOf, remade, tagFaults } from './mac-rows.ts'
import { encodeWith, outerFaults } from './sealed-rows.ts'

const FORMAT = 'ERR_RECORD_FORMAT'
const VERSION = 'ERR_RECORD_VERSION'
const BINDING = 'ERR_RECORD_BINDING'
const MAC = 'ERR_RECORD_MAC'
const OPEN = 'ERR_SEAL_OPEN'

const NONCES = { inner: bytesFor('shard inner nonce', 24), outer: bytesFor('shard outer nonce', 24) }
const CODE = bytesFor('code of a member', G / 8)
const OPEN_PLACES = [0, 3, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
const made = {
  purpose: GALLERY.purpose,
  model: GALLERY.model,
  meanHash: GALLERY.meanHash,
  d: D,
  g: G,
  suite: 'B6',
}

export function galleryFiles(): KitFile[] {
  return [...headFiles(), ...shardFiles(), ...memberFiles(), ...budgetFiles()]
}

function macRow(name: string, shape: Shape, fields: Fields, tag: Pick<MacRow, 'macKey' | 'context'>): MacRow {
  return { name, table: 'galleries', key: new Uint8Array(0), shape, fields, ...tag }
}

/** Faults of fields, with a tag that fits. */
function faultsOf(kind: string, row: MacRow) {
  return (what: string, code: string, comment: string, changes: Fields): Fault =>
    fault(`${kind}-${what}`, code, comment, remade(row, changes))
}

/** Faults of how codes were made, in every row that says so. */
function madeFaults(of: (what: string, code: string, comment: string, changes: Fields) => Fault): Fault[] {
  return [
    of('suite-b4', VERSION, 'A suite that galleries do not use.', { suite: 'B4' }),
    of('bits-500', FORMAT, 'A number of bits that no code has.', { g: 500 }),
    of('mean-hash-31-bytes', FORMAT, 'A hash of the mean of 31 bytes.', { meanHash: bytesFor('mean', 31) }),
    of('purpose-41-characters', FORMAT, 'A purpose of 41 characters.', { purpose: 'p'.repeat(41) }),
  ]
}

function headFiles(): KitFile[] {
  const fields: Fields = {
    format: 1,
    kind: 15,
    realm: person.REALM,
    version: 4,
    basis: 0,
    limit: 5000,
    ...made,
    created: person.CREATED,
    count: 3,
    open: OPEN_PLACES,
    v: 1,
  }
  const tag = { macKey: person.keys.state, context: HEAD_CONTEXT }
  const row = macRow('head', headBody, fields, tag)
  const of = faultsOf('gallery-head-row', row)
  const inputs: Inputs = { realm: person.REALM, version: '1', 'mac-key': hex(person.keys.state) }
  const good = (name: string, comment: string, changes: Fields, faults: readonly Fault[] = []): KitFile[] => {
    const said = { ...fields, ...changes }
    const places = (said['open'] as readonly number[]).join(',')
    const result = ['version', 'purpose', 'basis', 'limit', 'count'].map((field) => said[field]).join(' ')
    const payload = remade(row, changes)
    return family(
      { kind: 'gallery-head-row', name, comment, inputs, payload, result: `${result} ${places}` },
      faults,
    )
  }
  return [
    ...good('gallery-head-row-three-shards', 'Three shards, all of which take members.', {}, [
      ...tagFaults('gallery-head-row', row),
      fault(
        'gallery-head-row-limit-raised',
        MAC,
        'A higher limit, the old tag.',
        concat(bodyOf(row, { limit: 9000 }), remade(row).slice(-32)),
      ),
      ...madeFaults(of),
      of('basis-4', FORMAT, 'A kind of basis that does not exist.', { basis: 4 }),
      of('limit-above-ten-million', FORMAT, 'A limit of 10,000,001.', { limit: 10_000_001 }),
      of('fifteen-places', FORMAT, 'Fifteen places instead of sixteen.', { open: OPEN_PLACES.slice(1) }),
      of('open-shard-4-of-3', FORMAT, 'A shard takes members that was never begun.', {
        open: [4, ...OPEN_PLACES.slice(1)],
      }),
      of('open-as-number', FORMAT, 'A number for the list of places.', { open: 0 }),
    ]),
    ...good('gallery-head-row-new', 'A gallery that has just been declared.', {
      version: 1,
      count: 0,
      open: new Array<number>(16).fill(0),
    }),
    ...good('gallery-head-row-largest', 'The highest limit there is.', { limit: 10_000_000 }),
  ]
}

function wrapWith(keys = KEYS, shard = SHARD): Uint8Array {
  return gallery.wrapKey(K, { gallery: GALLERY, shard }, keys, NONCES)
}

function shardFiles(): KitFile[] {
  const slots: readonly (Uint8Array | null)[] = [bytesFor('another handle', 16), null, person.handle]
  const fields: Fields = {
    format: 1,
    kind: 16,
    realm: person.REALM,
    ...SHARD,
    version: 5,
    ...made,
    wrap: wrapWith(),
    slots,
    v: 1,
  }
  const tag = { macKey: person.keys.state, context: SHARD_CONTEXT }
  const row = macRow('shard', shardBody, fields, tag)
  const of = faultsOf('gallery-shard-row', row)
  const full = Array.from({ length: 16 }, (_, i) => bytesFor(`handle ${i}`, 16))
  const inputs: Inputs = {
    realm: person.REALM,
    number: '3',
    version: '1',
    'mac-key': hex(person.keys.state),
    'epoch-key': hex(KEYS.epochKey),
    'custody-key': hex(person.keys.custody),
  }
  const good = (name: string, comment: string, changes: Fields, faults: readonly Fault[] = []): KitFile[] => {
    const all = { ...fields, ...changes }
    const handles = (all['slots'] as readonly (Uint8Array | null)[]).map((slot) => (slot ? hex(slot) : '-'))
    const result = [all['version'], all['epoch'], all['since'], handles.join(','), hex(K)].join(' ')
    const payload = remade(row, changes)
    return family({ kind: 'gallery-shard-row', name, comment, inputs, payload, result }, faults)
  }
  return [
    ...good('gallery-shard-row-with-hole', 'Three insertions, one of whom has gone.', {}, [
      ...tagFaults('gallery-shard-row', row),
      fault(
        'gallery-shard-row-hole-filled',
        MAC,
        'The hole names its member again, the old tag.',
        concat(bodyOf(row, { slots: [full[0], full[1], person.handle] as Value }), remade(row).slice(-32)),
      ),
      ...madeFaults(of),
      of('no-slots', FORMAT, 'A shard into which nobody was inserted.', { slots: [] }),
      of('seventeen-slots', FORMAT, 'One insertion more than ⌊d/8⌋ in the life of a key.', {
        slots: [...full, person.handle],
      }),
      of('handle-15-bytes', FORMAT, 'A handle of 15 bytes.', { slots: [bytesFor('handle', 15)] }),
      of('slot-as-number', FORMAT, 'A number for a slot.', { slots: [0] }),
      of('wrap-175-bytes', FORMAT, 'A wrap of 175 bytes.', { wrap: wrapWith().slice(1) }),
      of('outer-nonce-flipped', OPEN, 'One bit of the outer nonce.', { wrap: flipped(wrapWith(), 0) }),
      of('outer-tag-flipped', OPEN, 'One bit of the outer tag.', { wrap: flipped(wrapWith(), -1) }),
      of('inner-under-other-custody', OPEN, 'The inner wrap lies under another custody key.', {
        wrap: wrapWith({ ...KEYS, custodyIkm: bytesFor('another custody key', 32) }),
      }),
      of('wrap-of-other-shard', OPEN, 'The wrap of the next shard.', {
        wrap: wrapWith(KEYS, { ...SHARD, number: 4 }),
      }),
      of('since-changed', OPEN, 'Another first epoch than the wrap was made with.', { since: 2 }),
      of('purpose-changed', OPEN, 'Another purpose than the wrap was made for.', {
        purpose: 'other-purpose',
      }),
      fault('gallery-shard-row-wrong-number', BINDING, 'A genuine row, asked for as another shard.', {
        number: '4',
      }),
      fault('gallery-shard-row-wrong-epoch-key', OPEN, 'Opened with the key of another epoch.', {
        'epoch-key': hex(person.epochKey(3)),
      }),
      fault('gallery-shard-row-wrong-custody-key', OPEN, 'Opened with another custody key.', {
        'custody-key': hex(bytesFor('another custody key', 32)),
      }),
    ]),
    ...good('gallery-shard-row-full', 'As many insertions as the key may serve.', {
      slots: full,
      version: 16,
    }),
    ...good('gallery-shard-row-all-gone', 'Everybody has gone; the slots stay used.', {
      slots: full.map(() => null),
      version: 32,
    }),
  ]
}

function memberFiles(): KitFile[] {
  const member: gallery.Member = {
    handle: person.handle,
    record: person.record,
    generation: person.generation,
    number: 3,
    slot: 2,
    created: person.CREATED,
  }
  const fields: Fields = {
    format: 1,
    kind: 17,
    realm: person.REALM,
    use: 'identify',
    ...member,
    ...made,
  }
  const nonce = bytesFor('member nonce', 24)
  const header = encodeWith(galleryMemberHeader, fields)
  const sealed = seal(person.rs, 'guise/v1/gallery-member', header, CODE, nonce)
  const under = (changes: Fields, code = CODE): Uint8Array => {
    const changed = encodeWith(galleryMemberHeader, fields, changes)
    return encodeSealedRow(changed, seal(person.rs, 'guise/v1/gallery-member', changed, code, nonce))
  }
  const of = (what: string, code: string, comment: string, changes: Fields): Fault =>
    fault(`gallery-member-row-${what}`, code, comment, under(changes))
  const inputs: Inputs = {
    realm: person.REALM,
    handle: hex(person.handle),
    purpose: GALLERY.purpose,
    model: GALLERY.model,
    'mean-hash': hex(GALLERY.meanHash),
    dimensions: `${D}`,
    bits: `${G}`,
    number: '3',
    slot: '2',
    'record-secret': hex(person.rs),
  }
  const input = (what: string, comment: string, changes: Record<string, string>): Fault =>
    fault(`gallery-member-row-wrong-${what}`, BINDING, comment, changes)
  const good = {
    kind: 'gallery-member-row',
    inputs,
    payload: encodeSealedRow(header, sealed),
    result: hex(CODE),
  }
  return family(
    { ...good, name: 'gallery-member-row-third-slot', comment: 'The third insertion of shard 3.' },
    [
      ...outerFaults('gallery-member-row', header, sealed),
      of('format-2', VERSION, 'Format number 2, sealed as such.', { format: 2 }),
      of('kind-of-shard', VERSION, 'The kind of another structure.', { kind: 16 }),
      ...madeFaults(of),
      of('slot-32', FORMAT, 'A slot that no shard has.', { slot: 32 }),
      of('generation-16-bytes', FORMAT, 'A generation without its counter.', {
        generation: bytesFor('g', 16),
      }),
      of('use-verify', BINDING, 'A use that is not the gallery’s.', { use: 'verify' }),
      fault(
        'gallery-member-row-code-of-128-bits',
        FORMAT,
        'A code of the length of another g.',
        under({}, bytesFor('c', 16)),
      ),
      fault(
        'gallery-member-row-slot-changed',
        BINDING,
        'Another slot in the header, the old seal: it is in the wrong place before it is opened.',
        encodeSealedRow(encodeWith(galleryMemberHeader, fields, { slot: 1 }), sealed),
      ),
      fault(
        'gallery-member-row-generation-changed',
        OPEN,
        'Another generation in the header, the old seal.',
        encodeSealedRow(
          encodeWith(galleryMemberHeader, fields, {
            generation: generationOf(2, bytesFor('second generation', 16)),
          }),
          sealed,
        ),
      ),
      fault('gallery-member-row-wrong-record-secret', OPEN, 'Opened with the secret of another record.', {
        'record-secret': hex(bytesFor('another record secret', 32)),
      }),
      input('realm', 'A genuine row, asked for in another realm.', { realm: 'other-realm' }),
      input('handle', 'A genuine row, asked for as another subject.', {
        handle: hex(bytesFor('another handle', 16)),
      }),
      input('number', 'A genuine row that another shard names.', { number: '4' }),
      input('slot', 'A genuine row that another slot names.', { slot: '1' }),
      input('purpose', 'A genuine row of a gallery for another purpose.', { purpose: 'other-purpose' }),
      input('mean', 'A genuine row of another mean.', { 'mean-hash': hex(bytesFor('another mean', 32)) }),
    ],
  )
}

function budgetFiles(): KitFile[] {
  const fields: Fields = {
    format: 1,
    kind: 20,
    realm: person.REALM,
    version: 9,
    count: 9,
    time: person.CREATED,
    origin: person.origin,
    steady: 123_456,
    v: 1,
  }
  const tag = { macKey: person.keys.limiter, context: BUDGET_CONTEXT }
  const row = macRow('budget', budgetBody, fields, tag)
  const of = faultsOf('gallery-budget-row', row)
  const inputs: Inputs = { realm: person.REALM, version: '1', 'mac-key': hex(person.keys.limiter) }
  const result = ['9', '9', `${person.CREATED}`, hex(person.origin), '123456'].join(' ')
  const good = { kind: 'gallery-budget-row', inputs, payload: remade(row), result }
  return family(
    { ...good, name: 'gallery-budget-row-nine-searches', comment: 'Nine searches in this hour.' },
    [
      ...tagFaults('gallery-budget-row', row),
      fault(
        'gallery-budget-row-count-lowered',
        MAC,
        'No search, the old tag.',
        concat(bodyOf(row, { count: 0 }), remade(row).slice(-32)),
      ),
      of('origin-15-bytes', FORMAT, 'A name of the steady clock of 15 bytes.', {
        origin: bytesFor('clock', 15),
      }),
      of('count-as-text', FORMAT, 'A text for a number.', { count: '9' }),
    ],
  )
}
