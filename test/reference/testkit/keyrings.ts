/** Files about keyrings: the row, which epochs open, what may become of one (SPEC §4.4). @module */
import { concat, hex } from '../bytes.ts'
import type { Value } from '../cbor.ts'
import { bytesFor } from '../inputs.ts'
import { encodeMacRow, prefix, RING_CONTEXT } from '../record.ts'
import { type Fields, keyringBody, movedKeyringBody } from '../shapes.ts'
import * as person from '../vectors/person.ts'
import type { MacRow } from '../vectors/recordfaults.ts'
import { flipped } from '../vectors/seal.ts'
import { type Fault, family, fault, type Good, type KitFile } from './file.ts'
import { bodyOf, remade } from './mac-rows.ts'

const RING = 'ERR_KEYS_RING'

const wrapped = (name: string): Uint8Array => bytesFor(`wrapped ${name}`, 72)
const epoch = (e: number, status: number): Value => [
  e,
  status,
  person.CREATED + 1000 * e,
  person.CREATED + 2000 * e,
  status === 2 ? new Uint8Array(0) : wrapped(`epoch ${e}`),
]

/** 1 is enabled and no longer accepted, 2 enabled, 3 disabled, 4 destroyed, 5 primary. */
const EPOCHS: readonly Value[] = [epoch(1, 0), epoch(2, 0), epoch(3, 1), epoch(4, 2), epoch(5, 0)]
const VERSIONS: readonly Value[] = [[1, person.CREATED, wrapped('realm secret 1')]]

const row: MacRow = {
  name: 'keyring',
  table: 'keyrings',
  key: prefix(person.REALM),
  shape: keyringBody,
  fields: {
    format: 1,
    kind: 7,
    realm: person.REALM,
    version: 12,
    provider: 'local',
    primary: 5,
    minAccepted: 2,
    epochs: EPOCHS,
    versions: VERSIONS,
  },
  macKey: person.keys.ring,
  context: RING_CONTEXT,
}

const FORMER: Value = ['former', [1, 2, 3, 5], [1], wrapped('former realm secret 1')]

/** The same ring, moved from one provider to another. */
const moved: MacRow = {
  ...row,
  shape: movedKeyringBody,
  fields: { ...row.fields, format: 2, former: [FORMER] },
}

const INPUTS = { realm: person.REALM, provider: 'local', 'ring-key': hex(person.keys.ring) }

export function keyringFiles(): KitFile[] {
  return [...rowFiles(), ...movedFiles(), ...useFiles(), ...transitionFiles()]
}

function rowFiles(): KitFile[] {
  const of = (what: string, comment: string, changes: Fields): Fault =>
    fault(`keyring-${what}`, RING, comment, remade(row, changes))
  const whole = remade(row)
  const body = bodyOf(row)
  const bytes = (what: string, comment: string, payload: Uint8Array): Fault =>
    fault(`keyring-${what}`, RING, comment, payload)
  const good: Good = {
    kind: 'keyring',
    name: 'keyring-five-epochs',
    comment: 'Five epochs, the last of them primary.',
    inputs: INPUTS,
    payload: whole,
    result: '12 5 2',
  }
  const single: Good = {
    ...good,
    name: 'keyring-one-epoch',
    comment: 'As it is made.',
    payload: remade(row, { version: 1, primary: 1, minAccepted: 1, epochs: EPOCHS.slice(0, 1) }),
    result: '1 1 1',
  }
  const second: Good = {
    ...good,
    name: 'keyring-two-versions',
    comment: 'Two versions of the realm secret.',
    payload: remade(row, { versions: [...VERSIONS, [2, person.CREATED, wrapped('realm secret 2')]] }),
  }
  return [
    ...family(good, [
      bytes('tag-flipped', 'One bit of the tag.', flipped(whole, -1)),
      bytes(
        'tag-without-label',
        'A tag that leaves the label out.',
        encodeMacRow(row.macKey, new Uint8Array(0), body),
      ),
      bytes(
        'version-changed',
        'A lower version, the old tag.',
        concat(bodyOf(row, { version: 11 }), whole.slice(-32)),
      ),
      bytes('truncated-byte', 'The last byte is missing.', whole.slice(0, -1)),
      bytes('empty', 'No byte at all.', new Uint8Array(0)),
      bytes('trailing-byte', 'A byte follows the row.', concat(whole, Uint8Array.of(0))),
      of('format-2', 'Format number 2, with a tag that fits.', { format: 2 }),
      of('kind-of-state-row', 'The kind of another structure.', { kind: 4 }),
      of('version-0', 'Version 0.', { version: 0 }),
      of('two-primaries', 'Two epochs named as primary.', { primary: [4, 5] }),
      of('primary-unknown', 'The primary epoch is not in the list.', { primary: 6 }),
      of('primary-disabled', 'The primary epoch is disabled.', { primary: 3 }),
      of('primary-destroyed', 'The primary epoch is destroyed.', { primary: 4 }),
      of('min-accepted-0', 'The lowest accepted epoch is 0.', { minAccepted: 0 }),
      of('min-accepted-above-primary', 'The lowest accepted epoch is above the primary one.', {
        minAccepted: 6,
      }),
      of('no-epochs', 'No epoch.', { epochs: [] }),
      of('no-versions', 'No version of the realm secret.', { versions: [] }),
      of('epoch-gap', 'An epoch is left out.', { epochs: EPOCHS.toSpliced(1, 1) }),
      of('epochs-reordered', 'Two epochs are exchanged.', {
        epochs: EPOCHS.with(0, EPOCHS[1] as Value).with(1, EPOCHS[0] as Value),
      }),
      of('epoch-twice', 'An epoch stands twice.', { epochs: EPOCHS.toSpliced(1, 0, EPOCHS[0] as Value) }),
      of('status-3', 'A status that does not exist.', {
        epochs: EPOCHS.with(1, [2, 3, 0, 0, wrapped('epoch 2')]),
      }),
      of('destroyed-with-key', 'A destroyed epoch that still has its key.', {
        epochs: EPOCHS.with(3, [4, 2, 0, 0, wrapped('epoch 4')]),
      }),
      of('enabled-without-key', 'An enabled epoch without its key.', {
        epochs: EPOCHS.with(1, [2, 0, 0, 0, new Uint8Array(0)]),
      }),
      of('wrapped-4097-bytes', 'A wrapped secret that is too long.', {
        versions: [[1, person.CREATED, new Uint8Array(4097)]],
      }),
      of('version-gap', 'The first version of the realm secret is missing.', {
        versions: [[2, person.CREATED, wrapped('realm secret 2')]],
      }),
      fault('keyring-wrong-realm', RING, 'A genuine ring, asked for in another realm.', {
        realm: 'other-realm',
      }),
      fault('keyring-wrong-provider', RING, 'The ring of another key provider.', { provider: 'other' }),
      fault('keyring-wrong-key', RING, 'Checked under another key.', {
        'ring-key': hex(bytesFor('another ring key', 32)),
      }),
    ]),
    ...family(single),
    ...family(second),
  ]
}

function movedFiles(): KitFile[] {
  const former = (what: string, comment: string, ...list: readonly Value[]): Fault =>
    fault(`keyring-moved-${what}`, RING, comment, remade(moved, { former: list }))
  const good: Good = {
    kind: 'keyring',
    name: 'keyring-moved',
    comment: 'A ring that moved from one provider to another.',
    inputs: INPUTS,
    payload: remade(moved),
    result: '12 5 2',
  }
  const ending: Good = {
    ...good,
    name: 'keyring-moved-ending',
    comment: 'Two former providers; the destruction of the keys of one has begun.',
    payload: remade(moved, { former: [['older', [1], [1], new Uint8Array(0)], FORMER] }),
  }
  const many = Array.from({ length: 17 }, (_, i): Value => [`former-${i}`, [1], [1], new Uint8Array(0)])
  return [
    ...family(good, [
      fault(
        'keyring-moved-format-1',
        RING,
        'A list of former providers under format 1.',
        remade(moved, { format: 1 }),
      ),
      former('to-none', 'Format 2 without a former provider.'),
      former('from-itself', 'The provider of the ring named as a former one.', [
        'local',
        [1],
        [1],
        new Uint8Array(0),
      ]),
      former('twice', 'A former provider named twice.', FORMER, FORMER),
      former('nameless', 'A former provider without a name.', ['', [1], [1], new Uint8Array(0)]),
      former('no-epochs', 'A former provider that holds no epoch.', ['former', [], [1], new Uint8Array(0)]),
      former('epochs-reordered', 'Epochs that do not ascend.', ['former', [2, 1], [1], new Uint8Array(0)]),
      former('epoch-0', 'Epoch 0.', ['former', [0, 1], [1], new Uint8Array(0)]),
      former('epoch-unknown', 'An epoch that the ring does not have.', [
        'former',
        [6],
        [1],
        new Uint8Array(0),
      ]),
      former('no-versions', 'No version.', ['former', [1], [], new Uint8Array(0)]),
      former('version-unknown', 'A version that the ring does not have.', [
        'former',
        [1],
        [2],
        new Uint8Array(0),
      ]),
      former('proof-4097-bytes', 'A proof that is too long.', ['former', [1], [1], new Uint8Array(4097)]),
      former('seventeen', 'Seventeen former providers.', ...many),
    ]),
    ...family(ending),
  ]
}

function useFiles(): KitFile[] {
  const good = (e: number, comment: string, faults: readonly Fault[] = []): KitFile[] =>
    family(
      {
        kind: 'epoch-use',
        name: `epoch-use-${e}`,
        comment,
        inputs: { ...INPUTS, epoch: String(e) },
        payload: remade(row),
        result: hex(wrapped(`epoch ${e}`)),
      },
      faults,
    )
  const of = (what: string, code: string, comment: string, e: number): Fault =>
    fault(`epoch-use-${what}`, code, comment, { epoch: String(e) })
  return [
    ...good(5, 'A wrap of the primary epoch.', [
      of('retired', 'ERR_KEYS_RETIRED', 'A wrap of an epoch below the lowest accepted one.', 1),
      of('disabled', 'ERR_KEYS_DISABLED', 'A wrap of a disabled epoch.', 3),
      of('destroyed', 'ERR_KEYS_DESTROYED', 'A wrap of a destroyed epoch.', 4),
      of('unknown', 'ERR_KEYS_UNKNOWN_EPOCH', 'A wrap of an epoch that the ring does not have.', 6),
      of('zero', 'ERR_KEYS_UNKNOWN_EPOCH', 'A wrap of epoch 0.', 0),
    ]),
    ...good(2, 'A wrap of an enabled epoch.'),
  ]
}

/** What each verb accepts, and what it makes of it. */
const VERBS: Readonly<Record<string, readonly [epoch: number, becomes: string]>> = {
  promote: [2, 'primary'],
  disable: [2, 'disabled'],
  enable: [3, 'enabled'],
  destroy: [3, 'destroyed'],
}
const STATUSES: Readonly<Record<number, string>> = {
  2: 'enabled',
  3: 'disabled',
  4: 'destroyed',
  5: 'primary',
}

function transitionFiles(): KitFile[] {
  return Object.entries(VERBS).flatMap(([verb, [from, becomes]]) => {
    const refused = Object.entries(STATUSES)
      .filter(([e]) => Number(e) !== from)
      .map(([e, status]) =>
        fault(
          `epoch-transition-${verb}-${status}`,
          'ERR_KEYS_TRANSITION',
          `To ${verb} an epoch that is ${status}.`,
          { epoch: e },
        ),
      )
    const unknown = fault(
      `epoch-transition-${verb}-unknown`,
      'ERR_KEYS_UNKNOWN_EPOCH',
      `To ${verb} an epoch that the ring does not have.`,
      { epoch: '6' },
    )
    return family(
      {
        kind: 'epoch-transition',
        name: `epoch-transition-${verb}`,
        comment: `To ${verb} an epoch that is ${STATUSES[from]}.`,
        inputs: { ...INPUTS, verb, epoch: String(from) },
        payload: remade(row),
        result: becomes,
      },
      [...refused, unknown],
    )
  })
}
