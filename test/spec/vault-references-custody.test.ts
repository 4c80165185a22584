import {
  type ShareContext,
  type ShareSource,
  sameCaptureConfirmed,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { announceModel } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { DAY } from '../support/models.ts'
import { outcomeOf, quorumVault } from '../support/quorum-vault.ts'
import {
  addition,
  BITS,
  faultsOf,
  pointOf,
  referenceWorld,
  shot,
  strangers,
  templates,
  WIDE,
  wide,
} from '../support/references.ts'
import { basis, codeOf, manualClock, SIGNER } from '../support/vault.ts'

/** A device: its share of each template differs. */
function device(seed: number): ShareSource & { readonly asked: string[] } {
  const asked: string[] = []
  const source = async ({ record, generation }: ShareContext): Promise<Uint8Array> => {
    asked.push(record)
    const bytes = fromBase64(record) as Uint8Array
    return Uint8Array.from(
      { length: 32 },
      (_, i) => seed ^ (bytes[i % 16] ?? 0) ^ (generation[i % 20] ?? 0) ^ i,
    )
  }
  return Object.assign(source, { asked })
}

const verify = async (
  vault: Vault,
  holderShare: ShareSource,
  probeClass = 'any',
  person = 1,
): Promise<string> => await outcomeOf(vault, { subject: 'ada', ...shot(person, probeClass, 1), holderShare })

describe('devices', () => {
  test('VAULT-94 one that is added opens every reference, one that is removed none', async () => {
    const world = await referenceWorld({ custody: { profile: 'holder' } })
    const { vault } = world
    const [first, second] = [device(1), device(2)]
    const references = [shot(1, 'masked')]
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references, holderShare: first })
    expect(await vault.addReference({ ...addition('ada', 1, 'glasses'), holderShare: first })).toMatchObject({
      added: { probeClass: 'glasses' },
    })
    expect(new Set(first.asked).size).toBe(3)
    const CLASSES = ['any', 'masked', 'glasses']
    const seen = async (share: ShareSource): Promise<readonly string[]> => {
      const found: string[] = []
      for (const name of CLASSES) found.push(await verify(vault, share, name))
      return found
    }
    expect(await seen(second)).toEqual(Array(3).fill('refused holder-share'))
    const factor = { [secondFactorConfirmed]: true } as const
    await vault.addDevice({ subject: 'ada', holderShare: first, newShare: second, ...factor })
    expect(await seen(second)).toEqual(Array(3).fill('match'))
    expect(await codeOf(vault.addReference({ ...addition('ada', 1, 'desk'), holderShare: first }))).toBe(
      'ERR_VAULT_DEVICE',
    )
    const [lost] = (await vault.describe('ada'))?.devices ?? []
    await vault.removeDevice({ subject: 'ada', holderShare: second, device: lost as string, ...factor })
    expect(await seen(first)).toEqual(Array(3).fill('refused holder-share'))
    // The only device has the second slot now.
    expect(await vault.addReference({ ...addition('ada', 1, 'desk'), holderShare: second })).toMatchObject({
      added: { probeClass: 'desk' },
    })
    expect(await verify(vault, second, 'desk')).toBe('match')
    expect(await seen(second)).toEqual(Array(3).fill('match'))
    expect(await faultsOf(world)).toEqual([])
  })
})

describe('a quorum', () => {
  test('VAULT-91 holders are told of the end of every reference, and a verb does not end before', async () => {
    const world = await quorumVault({ ...wide(), timeoutMs: 500 })
    const { vault, store, manners } = world
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
    const seen = async (person: number, name: string): Promise<string> =>
      await outcomeOf(vault, { subject: 'ada', ...shot(person, name, 1) })
    expect([await seen(1, 'any'), await seen(100, 'masked'), await seen(101, 'glasses')]).toEqual(
      Array(3).fill('match'),
    )
    await vault.removeReference({ subject: 'ada', probeClass: 'glasses' })
    expect(await seen(1, 'glasses')).toBe('match')
    expect(await vault.addReference(addition('ada', 1, 'glasses'))).toMatchObject({ outcome: 'match' })
    expect(await seen(1, 'glasses')).toBe('match')
    expect(await vault.adapt(addition('ada', 1, 'any') as never)).toMatchObject({
      adapted: { generation: 2 },
    })
    expect(await seen(100, 'masked')).toBe('match')
    manners.fill('gone')
    const erase = (): Promise<unknown> => vault.erase('ada', { operationId: 'end' })
    expect(await codeOf(erase())).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await templates(store)).toEqual([0, 0])
    expect(await vault.health()).toMatchObject({ unfinished: 3 })
    expect(await codeOf(erase())).toBe('ERR_VAULT_QUORUM_PENDING')
    manners.fill('honest')
    await erase()
    expect(await vault.health()).toMatchObject({ unfinished: 0 })
    await world.end()
  })

  test('VAULT-87 what a request to the quorum counted is given back under the subject', async () => {
    const attempts = { consecutive: 3, total: 3, generation: 100 }
    const world = await quorumVault({ ...wide(), attempts, timeoutMs: 200 })
    const { vault, manners } = world
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers(1) })
    manners.fill('gone')
    for (let i = 0; i < 4; i++) {
      const asked = vault.verify({ subject: 'ada', ...shot(100, 'masked', 1) })
      expect(await codeOf(asked)).toBe('ERR_QUORUM_UNAVAILABLE')
    }
    manners.fill('honest')
    expect(await outcomeOf(vault, { subject: 'ada', ...shot(100, 'masked', 1) })).toBe('match')
    await world.end()
  })
})

test('VAULT-91 a move to another model ends further references of the former, VAULT-90 and none of it is added', async () => {
  const clock = manualClock()
  const next = { ...WIDE, id: 'later@1' } as const
  const world = await referenceWorld({ clock })
  const { vault, keyring, store, open } = world
  const ends = basis({ expiresAt: new Date(clock.nowMs() + 90 * DAY) })
  const enrol = (): Promise<unknown> =>
    vault.enroll(
      { subject: 'ada', ...shot(1), basis: ends, references: strangers() },
      { operationId: 'once' },
    )
  await enrol()
  const points = [pointOf('any', 4500, next), pointOf('masked', 4500, next)]
  await announceModel({
    keyring,
    store,
    logSigner: SIGNER,
    [testClock]: clock,
    from: { model: WIDE, bits: BITS },
    to: { model: next, bits: BITS, operatingPoints: points },
    closesAt: new Date(clock.nowMs() + 30 * DAY),
  } as never)
  const dual = await open({
    nextModel: {
      model: next,
      bits: BITS,
      operatingPoints: points,
      referencePoints: [pointOf('masked', 4500, next)],
    },
  })
  const moved = await dual.adapt({
    ...addition('ada', 1, 'any'),
    also: shot(1, 'any', 1, next),
    [sameCaptureConfirmed]: true,
  } as never)
  expect(moved).toMatchObject({ outcome: 'match', adapted: { generation: 2 } })
  expect(await templates(store)).toEqual([1, 1])
  expect(await dual.describe('ada')).toMatchObject({ model: next.id, references: [] })
  // The enrolment again, as after an answer that was lost: what it would add is of the former model.
  expect(await codeOf(enrol())).toBe('ERR_VAULT_MODEL')
  expect(await templates(store)).toEqual([1, 1])
  expect(await faultsOf(world)).toEqual([])
})
