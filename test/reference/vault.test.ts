/** A vault’s rows, read by the second implementation, and its own rows, read by a vault (SPEC §4, §9, §11). @module */
import { allowUnattestedCapture } from 'guise'
import { describe, expect, test } from 'vitest'
import { basis, face, faceOf, MODEL, PURPOSE, sample, testVault } from '../support/vault.ts'
import { entryBytes, queueRow } from './audit.ts'
import { hex, u32be } from './bytes.ts'
import { fuse, integers, meanHash, unit } from './embedding.ts'
import { ed25519PublicKey } from './hashes.ts'
import { bytesFor } from './inputs.ts'
import { custodyIkm, epochContext, holderShare, sealOuter, sealSlot, subjectTag } from './keys.ts'
import { operationDigest, probeBound, verifyReceipt } from './lifecycle.ts'
import * as rows from './record.ts'
import { recordKeys, recordSeal } from './seal.ts'
import { type Ikm, SecondVault } from './second.ts'
import * as shapes from './shapes.ts'
import { referenceCode } from './template.ts'

const THRESHOLD = 4500
const operator: Ikm = (custody) => custodyIkm(custody)

const unitOf = (person: number, index: number): readonly number[] => unit([...face(person, index)], 128).u
const zOf = (person: number, index = 0): number[] => integers(unitOf(person, index))

async function bothVaults(
  options: Parameters<typeof testVault>[0] = {},
): Promise<Awaited<ReturnType<typeof testVault>> & { readonly second: SecondVault }> {
  const made = await testVault(options)
  const second = new SecondVault(made.store, made.provider, 'clinic')
  await second.load()
  return { ...made, second }
}

describe('what the vault wrote', () => {
  test('opens from the text alone, and holds the code of the reference', async () => {
    const { vault, second } = await bothVaults()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    await vault.enroll({ subject: 'bert', basis: basis(), ...sample(2), more: [sample(2, 1), sample(2, 2)] })
    const anna = await second.open('anna', PURPOSE, operator)
    expect(hex(anna.code)).toBe(hex(referenceCode(zOf(1), 'B4', 128, anna.rotationKey)))
    const fused = integers(fuse([unitOf(2, 0), unitOf(2, 1), unitOf(2, 2)]))
    const bert = await second.open('bert', PURPOSE, operator)
    expect(hex(bert.code)).toBe(hex(referenceCode(fused, 'B4', 128, bert.rotationKey)))
    expect(anna.state).toMatchObject({
      state: 1,
      exposed: false,
      profile: 0,
      devices: [],
      bits: 128,
      since: 1,
      last: 1,
    })
    expect(anna.header).toMatchObject({ model: MODEL.id, d: 128, m: 128, suite: 'B4', purpose: PURPOSE })
    expect(hex(anna.header['meanHash'] as Uint8Array)).toBe(hex(meanHash(128, undefined)))
  })

  test('decides as the vault does, on 60 probes', async () => {
    const { vault, second } = await bothVaults()
    const decisions = new Set<boolean>()
    for (let person = 0; person < 6; person++) {
      const subject = `p${person}`
      await vault.enroll({ subject, basis: basis(), ...sample(person) })
      const opened = await second.open(subject, PURPOSE, operator)
      for (const [who, index] of [
        [person, 1],
        [person + 1, 1],
        [person, 2],
        [person + 2, 1],
        [person, 3],
      ] as const) {
        for (const of of [0, 10]) {
          const { outcome } = await vault.verify({ subject, ...sample(who, index + of) })
          const accepted = second.decide(opened, zOf(who, index + of), THRESHOLD)
          expect(outcome).toBe(accepted ? 'match' : 'nonmatch')
          decisions.add(accepted)
        }
      }
    }
    expect(decisions.size).toBe(2)
  })

  test('attempts and operations: counts and digests', async () => {
    const { vault, second } = await bothVaults()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) }, { operationId: 'enrol-1' })
    for (let i = 0; i < 3; i++)
      await vault.verify({ subject: 'anna', ...sample(2, i) }, { operationId: `verify-${i}` })
    const { state } = await second.open('anna', PURPOSE, operator)
    const handle = state['handle'] as Uint8Array
    const { index, limiter } = second.keysOf(1)
    const enrolled = operationDigest(
      limiter,
      'enroll',
      subjectTag(index, 'anna'),
      'enrol-1',
      new Uint8Array(0),
    )
    expect(
      (state['operations'] as [Uint8Array, number][]).map(([digest, verb]) => [hex(digest), verb]),
    ).toEqual([[hex(enrolled), 1]])
    const attempts = await second.attempts(handle)
    expect(attempts).toMatchObject({ run: 3, failures: 3 })
    const digests = (attempts['operations'] as [Uint8Array, number][]).map(([digest]) => hex(digest))
    expect(digests).toEqual(
      [0, 1, 2].map((i) =>
        hex(operationDigest(limiter, 'verify', handle, `verify-${i}`, probeBound(zOf(2, i)))),
      ),
    )
  })

  test('rotation leaves the slots as they are', async () => {
    const { vault, keyring, second } = await bothVaults()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const before = await second.open('anna', PURPOSE, operator)
    await keyring.promote(await keyring.add())
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    await second.load()
    const after = await second.open('anna', PURPOSE, operator)
    expect([hex(after.slots), hex(after.rs), hex(after.code)]).toEqual([
      hex(before.slots),
      hex(before.rs),
      hex(before.code),
    ])
    expect([hex(after.wrap['epoch'] as Uint8Array), hex(after.wrap['since'] as Uint8Array)]).toEqual([
      '00000002',
      '00000001',
    ])
  })

  test('revocation deletes code and wrap, reissue makes others, erasure leaves a receipt', async () => {
    const { vault, second } = await bothVaults()
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
    const first = await second.open('anna', PURPOSE, operator)
    const handle = first.state['handle'] as Uint8Array
    await vault.revoke('anna', 'breach')
    expect(await second.state(handle)).toMatchObject({ state: 4, exposed: true, reason: 1 })
    await expect(second.open('anna', PURPOSE, operator)).rejects.toThrow('no row')
    await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 1) })
    const next = await second.open('anna', PURPOSE, operator)
    expect(hex((next.state['generation'] as Uint8Array).slice(0, 4))).toBe('00000002')
    expect(next.state['exposed']).toBe(true)
    expect(hex(next.rs)).not.toBe(hex(first.rs))
    const { statement, signature } = await vault.erase('anna')
    const receipt = verifyReceipt(ed25519PublicKey(second.keysOf(1).receipt), { body: statement, signature })
    expect(receipt).toMatchObject({ realm: 'clinic', since: 1, last: 1, bound: 2_592_000_000, v: 1 })
    expect(await second.handleOf('anna')).toBeUndefined()
    await expect(second.attempts(handle)).rejects.toThrow('no row')
    expect(await second.state(handle)).toMatchObject({ state: 6 })
  })

  test('a holder’s share opens, nothing else does', async () => {
    const { vault, second } = await bothVaults({ custody: { profile: 'holder' } })
    const device = bytesFor('device', 32)
    const share = async ({
      record,
      generation,
    }: {
      record: string
      generation: Uint8Array
    }): Promise<Uint8Array> =>
      Uint8Array.from(holderShare(device, 'clinic', fromBase64Url(record), generation))
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1), holderShare: share })
    const withShare: Ikm = (custody, record, generation) =>
      custodyIkm(custody, undefined, holderShare(device, 'clinic', record, generation))
    const opened = await second.open('anna', PURPOSE, withShare)
    expect(hex(opened.code)).toBe(hex(referenceCode(zOf(1), 'B4', 128, opened.rotationKey)))
    expect(opened.slots).toHaveLength(416)
    await expect(second.open('anna', PURPOSE, operator)).rejects.toThrow('no slot opens')
  })
})

test('what the reference wrote, the vault reads: the person matches, another does not', async () => {
  const { vault, store, second, provider } = await bothVaults()
  const realm = 'clinic'
  const keys = second.keysOf(1)
  const [record, handle, rs] = [bytesFor('r', 16), bytesFor('h', 16), bytesFor('rs', 32)]
  const generation = rows.generationOf(1, bytesFor('g', 16))
  const now = Date.now()
  const names = { format: 1, realm, record, handle, generation }
  const header = shapes.encodeShape(shapes.referenceHeader, {
    ...names,
    kind: 1,
    purpose: PURPOSE,
    model: MODEL.id,
    meanHash: meanHash(128, undefined),
    d: 128,
    m: 128,
    suite: 'B4',
    created: now,
  })
  const nonce = bytesFor('record nonce', 24)
  const code = referenceCode(zOf(5), 'B4', 128, recordKeys(rs, nonce, header).rotationKey)
  const wrapFields = { ...names, kind: 2, epoch: u32be(1), since: u32be(1), profile: 0, v: u32be(1) }
  const wrapHeader = shapes.encodeShape(shapes.secretHeader, wrapFields)
  const context = { realm, record, handle, generation, purpose: PURPOSE, profile: 0, v: 1, devices: [] }
  const slot = sealSlot(custodyIkm(keys.custody), context, 0, rs, bytesFor('inner', 24))
  const epochs = second.ring['epochs'] as [number, number, number, number, Uint8Array][]
  const wrapped = epochs[0]?.[4] ?? new Uint8Array(0)
  const epochKey = await provider.unwrap(wrapped, epochContext(realm, 1))
  const state = shapes.encodeShape(shapes.stateBody, {
    ...names,
    kind: 4,
    version: 1,
    state: 1,
    exposed: false,
    profile: 0,
    devices: [],
    v: 1,
    model: MODEL.id,
    bits: 128,
    basis: [0, PURPOSE, now - 60_000, now + 86_400_000, '2026-01', bytesFor('e', 32), true, false, null],
    since: 1,
    last: 1,
    changed: now,
    reason: 0,
    operations: [],
  })
  const attempts = shapes.encodeShape(shapes.attemptsBody, {
    ...names,
    kind: 6,
    scope: 1,
    version: 1,
    run: 0,
    failures: 0,
    last: 0,
    origin: new Uint8Array(16),
    steady: 0,
    v: 1,
    operations: [],
  })
  const tag = subjectTag(keys.index, 'carla')
  const indexBody = shapes.encodeShape(shapes.indexBody, { format: 1, kind: 5, realm, v: 1, handle })
  const put = (
    table: 'references' | 'secrets' | 'states' | 'index' | 'attempts',
    key: Uint8Array,
    bytes: Uint8Array,
  ) => ({ step: 'put', table, key, bytes, expected: null }) as const
  const stateRow = rows.encodeMacRow(keys.state, rows.STATE_CONTEXT, state)
  const attemptsRow = rows.encodeMacRow(keys.limiter, rows.ATTEMPTS_CONTEXT, attempts)
  const entry = entryBytes({
    realm,
    writer: bytesFor('writer', 16),
    sequence: 0,
    previous: new Uint8Array(32),
    time: now,
    actor: null,
    action: 0,
    handle,
    record,
    generation,
    outcome: 0,
    epoch: 1,
    policy: null,
    basis: 0,
    state: stateRow.slice(-32, -16),
    attempts: attemptsRow.slice(-32, -16),
    ring: null,
  })
  await store.commit([
    { step: 'append', table: 'queue', bytes: queueRow(entry, 1, keys.log) },
    put('attempts', rows.attemptsKey(realm, handle, 1), attemptsRow),
    put(
      'references',
      rows.referenceKey(realm, record),
      rows.encodeSealedRow(header, recordSeal(rs, header, code, nonce)),
    ),
    put(
      'secrets',
      rows.secretKey(realm, record, generation),
      rows.encodeSealedRow(wrapHeader, sealOuter(epochKey, wrapHeader, slot, bytesFor('outer', 24))),
    ),
    put('states', rows.stateKey(realm, handle), stateRow),
    put(
      'index',
      rows.indexKey(realm, 1, tag),
      rows.encodeMacRow(keys.index, rows.indexContext(tag), indexBody),
    ),
  ])
  expect((await vault.verify({ subject: 'carla', ...sample(5, 1) })).outcome).toBe('match')
  expect((await vault.verify({ subject: 'carla', ...sample(6, 1) })).outcome).toBe('nonmatch')
  expect(
    (await vault.verify({ subject: 'carla', embedding: faceOf(5, 2), [allowUnattestedCapture]: true }))
      .outcome,
  ).toBe('match')
  expect((await vault.describe('carla'))?.generation).toBe(1)
})

function fromBase64Url(text: string): Uint8Array {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(plain, (character) => character.charCodeAt(0))
}
