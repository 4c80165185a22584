/** Hostile arguments at every verb: refused with a type, nothing written, nothing told (SPEC CONVENTIONS-3, EMBEDDING-5). @module */
import { inspect } from 'node:util'
import {
  allowUnattestedCapture,
  GuiseError,
  type Keyring,
  type Store,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { beforeAll, describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { dump, thrown, typedCode } from '../support/rows.ts'
import { basis, face, faceOf, sample, testVault } from '../support/vault.ts'

const SUBJECT = 'Sophie-Canary-4711'

/** Forty identifiers that have broken somebody's system. */
const NASTY: readonly string[] = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  'valueOf',
  '__defineGetter__',
  '\0',
  'a\0b',
  '\0\0',
  '\n',
  '\r\n',
  '	',
  ' ',
  '  anna  ',
  '\xA0',
  '﻿',
  '​',
  '‮anna',
  "' OR 1=1 --",
  '"; DROP TABLE faces; --',
  '%',
  '_',
  '*',
  '\\',
  '../../etc/passwd',
  '..',
  '.',
  '/',
  'C:\\',
  'é',
  'é',
  'Å',
  'Å',
  'Å',
  '😀',
  'null',
  'undefined',
  'NaN',
  '-0',
  '1e3',
  'x'.repeat(256),
  '😀'.repeat(64),
  '[object Object]',
  '${7*7}',
  '<script>',
  'ANNA',
  'anna',
]
const REFUSED_NAMES: readonly unknown[] = [
  '',
  'x'.repeat(257),
  '\u{1f600}'.repeat(65),
  'x'.repeat(1_048_576),
  '\ud800',
  'a\udfff',
  '\udc00\ud800',
  undefined,
  null,
  0,
  1n,
  true,
  {},
  [],
  ['anna'],
  Symbol('anna'),
  () => 'anna',
  new String('anna'),
  { toString: () => 'anna' },
]

const throwing = (name: string): object =>
  Object.defineProperty({ subject: SUBJECT, basis: basis(), ...sample(1) }, name, {
    get: () => {
      throw new Error(SUBJECT)
    },
  })
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
class Liar extends Uint8Array {
  override get length(): number {
    return 32
  }
}

/** What is no request, or one that changes while it is read. */
const REQUESTS: readonly (() => unknown)[] = [
  ...[undefined, null, 0, 'anna', true, [], Symbol('x'), () => 0].map((value) => () => value),
  ...['subject', 'basis', 'embedding', 'more', 'holderShare', 'pending', 'probeClass'].map(
    (n) => () => throwing(n),
  ),
  revoked,
  () => ({}),
  () => ({ subject: SUBJECT, basis: basis() }),
  () => ({ subject: SUBJECT, basis: basis(), embedding: faceOf(1) }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), embedding: face(1) }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), embedding: { model: 'test@1', dimensions: 128 } }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), embedding: Object.create(faceOf(1)) }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), more: {} }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), more: [undefined] }),
  () => ({
    subject: SUBJECT,
    basis: basis(),
    ...sample(1),
    more: Array.from({ length: 32 }, () => sample(1)),
  }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), more: new Array(4e9 / 2) }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), more: [revoked()] }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), probeClass: '__proto__' }),
  () => ({ subject: SUBJECT, basis: basis(), ...sample(1), pending: 1 }),
  () => ({ subject: SUBJECT, basis: revoked(), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ evidence: new Liar(64) }), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ evidence: new Liar(8) }), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ evidence: new Proxy(new Uint8Array(32), {}) }), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ evidence: detached() }), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ grantedAt: new Proxy(new Date(), {}) }), ...sample(1) }),
  () => ({ subject: SUBJECT, basis: basis({ grantedAt: { getTime: () => 5 } as Date }), ...sample(1) }),
]

function detached(): Uint8Array {
  const bytes = new Uint8Array(32)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
}

const OPTIONS: readonly unknown[] = [
  null,
  0,
  'x',
  [],
  Symbol('x'),
  revoked(),
  { signal: {} },
  { signal: null },
  { signal: 'aborted' },
  { operationId: '' },
  { operationId: 7 },
  { operationId: 'x'.repeat(129) },
  { operationId: '\ud800' },
  { actor: '' },
  { actor: {} },
]

let vault: Vault
let store: Store
let keyring: Keyring
let before: ReadonlyMap<string, string>

beforeAll(async () => {
  const made = await testVault()
  ;({ vault, store, keyring } = made)
  await vault.enroll({ subject: 'somebody', basis: basis(), ...sample(3) })
  before = await dump(store)
})

async function unchanged(): Promise<void> {
  expect(await dump(store)).toEqual(before)
}

describe('arguments', () => {
  test('identifiers that are no identifiers, at every verb', async () => {
    for (const subject of REFUSED_NAMES as readonly string[]) {
      const calls = [
        vault.enroll({ subject, basis: basis(), ...sample(1) }),
        vault.reissue({ subject, basis: basis(), ...sample(1) }),
        vault.verify({ subject, ...sample(1) }),
        ...(['activate', 'suspend', 'resume', 'hold', 'release', 'rebind', 'erase', 'describe'] as const).map(
          (verb) => vault[verb](subject),
        ),
        vault.revoke(subject, 'other'),
      ]
      for (const call of calls) expect(await typedCode(call)).toBe('ERR_VAULT_INPUT')
    }
    await unchanged()
  })

  test('requests that are none, or that change while they are read', async () => {
    for (const [i, make] of REQUESTS.entries()) {
      for (const verb of ['enroll', 'reissue', 'verify'] as const) {
        const code = await typedCode(vault[verb](make() as never))
        // A field that the verb does not read spoils nothing.
        if (/unknown-subject|UNKNOWN_SUBJECT/.test(code) && verb !== 'enroll') continue
        expect([i, verb, code]).toEqual([i, verb, expect.stringMatching(/^ERR_(VAULT_INPUT|POLICY_BASIS)$/)])
      }
    }
    await unchanged()
  })

  test('options that are none, alike for known and unknown subjects', async () => {
    for (const options of OPTIONS as readonly undefined[]) {
      for (const subject of ['somebody', 'nobody']) {
        expect(await typedCode(vault.verify({ subject, ...sample(3) }, options))).toBe('ERR_VAULT_INPUT')
        expect(await typedCode(vault.suspend(subject, options))).toBe('ERR_VAULT_INPUT')
      }
      expect(await typedCode(vault.health(options))).toBe('ERR_VAULT_INPUT')
      expect(await typedCode(vault.rotate(options)[Symbol.asyncIterator]().next())).toBe('ERR_VAULT_INPUT')
      expect(await typedCode(vault.enrollMany([], options)[Symbol.asyncIterator]().next())).toBe(
        'ERR_VAULT_INPUT',
      )
    }
    for (const options of [{ dryRun: 1 }, { onProgress: 'x' }] as unknown as readonly never[]) {
      expect(await typedCode(vault.rotate(options)[Symbol.asyncIterator]().next())).toBe('ERR_VAULT_INPUT')
    }
    for (const requests of [undefined, null, {}, 7] as unknown as readonly never[]) {
      expect(await typedCode(vault.enrollMany(requests)[Symbol.asyncIterator]().next())).toBe(
        'ERR_VAULT_INPUT',
      )
    }
    await unchanged()
  })

  test('receipts, devices and reasons that are none', async () => {
    for (const receipt of [
      undefined,
      {},
      { statement: new Uint8Array(0) },
      revoked(),
      { statement: 7, signature: 7 },
    ]) {
      expect(await typedCode(vault.renewReceipt(receipt as never))).toBe('ERR_VAULT_INPUT')
    }
    const statement = new Uint8Array(257)
    expect(await typedCode(vault.renewReceipt({ statement, signature: new Uint8Array(64) } as never))).toBe(
      'ERR_VAULT_INPUT',
    )
    for (const reason of [undefined, '', 'Breach', 0, '__proto__'] as unknown as readonly never[]) {
      expect(await typedCode(vault.revoke('somebody', reason))).toBe('ERR_VAULT_INPUT')
    }
    const change = { subject: 'somebody', [secondFactorConfirmed]: true as const }
    expect(await typedCode(vault.addDevice(change as never))).toBe('ERR_VAULT_CUSTODY')
    await unchanged()
  })

  test('a refused request leaves no sample behind', async () => {
    const [first, second, third] = [faceOf(1), faceOf(2), faceOf(3)]
    const more = [sample(9), { embedding: second }, 7, { embedding: third, [allowUnattestedCapture]: true }]
    const request = { subject: SUBJECT, embedding: first, more, [allowUnattestedCapture]: true }
    const enrolling = vault.enroll({ ...request, basis: basis() } as never)
    expect(await typedCode(enrolling)).toBe('ERR_VAULT_INPUT')
    for (const one of [first, second, third]) {
      const reuse = vault.verify({ subject: SUBJECT, embedding: one, [allowUnattestedCapture]: true })
      expect(await typedCode(reuse)).toBe('ERR_EMBEDDING_DISPOSED')
    }
  })
})

test('forty names that are names: each finds its own face and no other', async () => {
  const { vault: own } = await testVault({ attempts: { consecutive: 100, total: 1000, generation: 1000 } })
  expect(NASTY.length).toBeGreaterThanOrEqual(40)
  for (const [i, subject] of NASTY.entries()) await own.enroll({ subject, basis: basis(), ...sample(i) })
  for (const [i, subject] of NASTY.entries()) {
    expect((await own.verify({ subject, ...sample(i, 1) })).outcome).toBe('match')
    const other = NASTY[(i + 1) % NASTY.length] as string
    expect((await own.verify({ subject: other, ...sample(i, 1) })).outcome).toBe('nonmatch')
  }
  expect(({} as { anna?: unknown }).anna).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
})

test('options of openVault that change or throw are refused', async () => {
  const { open } = await testVault()
  for (const field of ['model', 'custody', 'attempts', 'operatingPoints', 'store', 'secrets', 'keyring']) {
    for (const value of field === 'model' ? [null, 7, 'x', []] : [null, 7, 'x', [], revoked()]) {
      const code = await typedCode(open({ [field]: value }))
      expect([field, code]).toEqual([field, expect.stringMatching(/^ERR_(VAULT|POLICY|KEYS|EMBEDDING)_/)])
    }
  }
  for (const change of [
    { maxInFlight: 0 },
    { maxInFlight: 1.5 },
    { erasureBoundMs: 0 },
    { bits: 100 },
    { signal: 1 },
  ]) {
    expect(await typedCode(open(change as never))).toMatch(/^ERR_(VAULT|TEMPLATE)_/)
  }
})

test('nothing that was thrown or returned tells of a person, a vector or a key', async () => {
  const decision = await vault.verify({ subject: 'somebody', ...sample(3, 1) }, { operationId: SUBJECT })
  const described = await vault.describe('somebody')
  const returned = [decision, described, await vault.health(), vault, keyring, faceOf(1)]
  const vector = toHex(new Uint8Array(face(1).buffer)).slice(0, 32)
  const numbers = [...face(3)].slice(0, 8).map((value) => value.toFixed(5))
  expect(thrown.length).toBeGreaterThan(200)
  for (const value of [...thrown, ...returned]) {
    const texts = [inspect(value, { depth: 12, showHidden: true }), String(value)]
    if (value instanceof GuiseError) texts.push(JSON.stringify(value), inspect(structuredClone(value)))
    for (const text of texts) {
      for (const canary of [SUBJECT, 'somebody', vector, ...numbers, 'score', 'similarity']) {
        expect(text).not.toContain(canary)
      }
    }
  }
})
