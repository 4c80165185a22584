/** How generations end under a quorum (SPEC §11.7, §11.13). */
import {
  allowHighFalseMatchRate,
  memoryStore,
  openKeyring,
  type ShareSource,
  secondFactorConfirmed,
  type Vault,
} from 'guise'
import { holderShare } from 'guise/holder'
import { fsck, vaultStatus } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { encodeEndingRow } from '../../src/record/ending-row.ts'
import { endingKey, endingStart } from '../../src/record/place.ts'
import { openContext } from '../../src/vault/open.ts'
import { BITS, gallery } from '../support/gallery.ts'
import {
  ANNA,
  bent,
  enrolled,
  outcomeOf,
  own,
  type QuorumVault,
  quorumVault,
  SUBJECT,
} from '../support/quorum-vault.ts'
import { overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, codeOf, MODEL, PURPOSE, point, SIGNER, sample } from '../support/vault.ts'

/** Rows that say that holders have to be told. */
async function waiting({ store, vault }: QuorumVault): Promise<number> {
  const start = endingStart(vault.realm)
  return (await rowsOf(store, 'states')).filter(({ key }) => start.every((byte, i) => key[i] === byte)).length
}

const VERBS = {
  revoke: (vault: Vault, operationId?: string) => vault.revoke(SUBJECT, 'fraud', call(operationId)),
  erase: (vault: Vault, operationId?: string) => vault.erase(SUBJECT, call(operationId)),
  reissue: (vault: Vault, operationId?: string) =>
    vault.reissue({ ...sample(1), ...ANNA }, call(operationId)),
} as const
type Ending = keyof typeof VERBS

const call = (operationId?: string): { operationId?: string } =>
  operationId === undefined ? {} : { operationId }

describe('VAULT-23', () => {
  test.each(Object.keys(VERBS) as Ending[])(
    'VAULT-23 %s ends when n − t + 1 holders remember it',
    async (verb) => {
      const world = await enrolled()
      world.manners[0] = 'gone'
      await VERBS[verb](world.vault)
      expect(await waiting(world)).toBe(0)
      await world.end()
    },
  )

  test.each(['revoke', 'erase'] as const)(
    'VAULT-23 %s stops matching at once, and a retry goes on with it',
    async (verb) => {
      const world = await enrolled()
      world.manners.splice(0, 2, 'gone', 'gone')
      const failure = await VERBS[verb](world.vault, 'op-1').catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: 'ERR_VAULT_QUORUM_PENDING',
        retryable: true,
        cause: { code: 'ERR_QUORUM_UNAVAILABLE' },
      })
      expect(await outcomeOf(world.vault, own())).toBe(
        verb === 'revoke' ? 'refused revoked' : 'refused unknown-subject',
      )
      expect(await codeOf(VERBS[verb](world.vault, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
      expect(await waiting(world)).toBe(1)
      world.manners.fill('honest')
      await VERBS[verb](world.vault, 'op-1')
      expect(await waiting(world)).toBe(0)
      await world.end()
    },
  )

  test('VAULT-23 a reissue whose holders go before they are told stands, and a retry goes on with it', async () => {
    const world = await enrolled()
    const quorum = bent(world.quorum, { revoke: () => Promise.reject(new Error('gone')) })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    expect(await codeOf(VERBS.reissue(vault, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await outcomeOf(world.vault, own())).toBe('match')
    expect(await waiting(world)).toBe(1)
    expect(await VERBS.reissue(world.vault, 'op-1')).toMatchObject({ generation: 2 })
    expect(await waiting(world)).toBe(0)
    await vault.close()
    await world.end()
  })

  test('VAULT-23 a withdrawal ends when the holders know, and a retry goes on with it', async () => {
    const world = await enrolled()
    world.manners.splice(0, 2, 'gone', 'gone')
    const withdraw = (): Promise<void> => world.vault.withdraw(SUBJECT, { operationId: 'op-1' })
    expect(await codeOf(withdraw())).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await outcomeOf(world.vault, own())).toBe('refused revoked')
    expect(await waiting(world)).toBe(1)
    world.manners.fill('honest')
    await withdraw()
    expect(await waiting(world)).toBe(0)
    await world.end()
  })

  test('VAULT-23 without an operation id the next verb that ends the record goes on with it', async () => {
    const world = await enrolled()
    world.manners.splice(0, 2, 'gone', 'gone')
    expect(await codeOf(VERBS.revoke(world.vault))).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await codeOf(VERBS.revoke(world.vault))).toBe('ERR_VAULT_TRANSITION')
    // A breach is noted of a revoked record too.
    expect(await codeOf(world.vault.revoke(SUBJECT, 'breach'))).toBe('ERR_VAULT_QUORUM_PENDING')
    world.manners.fill('honest')
    await VERBS.reissue(world.vault)
    expect(await waiting(world)).toBe(0)
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.end()
  })

  test('VAULT-23 opening a vault finishes what a crash left, and a quorum that is away keeps none from opening', async () => {
    const world = await enrolled()
    world.manners.splice(0, 2, 'gone', 'gone')
    expect(await codeOf(VERBS.erase(world.vault))).toBe('ERR_VAULT_QUORUM_PENDING')
    const early = await world.open()
    expect(await waiting(world)).toBe(1)
    expect(await early.health()).toMatchObject({ ok: true, unfinished: 1 })
    world.manners.fill('honest')
    const late = await world.open()
    expect(await waiting(world)).toBe(0)
    expect(await late.health()).toMatchObject({ ok: true, unfinished: 0 })
    for (const vault of [early, late]) await vault.close()
    await world.end()
  })

  test('VAULT-23 with wraps in a second store both kinds of work are finished', async () => {
    const secrets = memoryStore()
    const world = await enrolled({ secrets })
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await VERBS.reissue(world.vault)
    expect(await outcomeOf(world.vault, own())).toBe('match')
    world.manners.splice(0, 2, 'gone', 'gone')
    expect(await codeOf(VERBS.revoke(world.vault, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await rowsOf(secrets, 'secrets')).toEqual([])
    world.manners.fill('honest')
    const vault = await world.open()
    expect(await vault.health()).toMatchObject({ unfinished: 0 })
    await VERBS.erase(vault)
    await vault.close()
    await world.end()
  })

  test('VAULT-23 an entry that lies far back is logged once more', async () => {
    const world = await enrolled()
    world.manners.splice(0, 2, 'gone', 'gone')
    expect(await codeOf(VERBS.revoke(world.vault, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
    for (let i = 0; i < 1010; i += 101) {
      await Promise.all(
        Array.from({ length: 101 }, () => world.vault.verify({ ...sample(2), subject: 'nobody' })),
      )
    }
    world.manners.fill('honest')
    await VERBS.revoke(world.vault, 'op-1')
    expect(await waiting(world)).toBe(0)
    await world.end()
  })

  test('VAULT-23 a note that is forged, or about a generation that lives, leads to nothing', async () => {
    const world = await enrolled()
    const ctx = await openContext({
      keyring: world.keyring,
      store: world.store,
      model: MODEL,
      purpose: PURPOSE,
      operatingPoints: [point()],
      custody: { profile: 'quorum', quorum: world.quorum },
      logSigner: SIGNER,
      [allowHighFalseMatchRate]: true,
    })
    const [wrap] = await rowsOf(world.store, 'secrets')
    const [state] = await rowsOf(world.store, 'states')
    if (wrap === undefined || state === undefined) throw new Error('no record')
    const { realm } = ctx
    const name = {
      realm,
      handle: state.key.slice(7),
      record: wrap.key.slice(7, 23),
      generation: wrap.key.slice(23),
    }
    const genuine = encodeEndingRow({ ...name, keyVersion: 1 }, ctx.ring.requireRealmKeys(1).state)
    for (const bytes of [genuine, genuine.map((byte, i) => (i === 40 ? byte ^ 1 : byte))]) {
      await overwrite(world.store, 'states', endingKey(realm, name.record, name.generation), bytes)
      const vault = await world.open()
      expect(await waiting(world)).toBe(1)
      expect(await outcomeOf(vault, own())).toBe('match')
      await vault.close()
    }
    // Nor does it keep the generation from ending.
    await VERBS.reissue(world.vault)
    expect(await waiting(world)).toBe(0)
    await ctx.ledger.close()
    await world.end()
  })
})

describe('VAULT-24', () => {
  test('VAULT-24 a vault without the quorum stops the record, and says that holders were not told', async () => {
    const world = await enrolled()
    const operator = await world.open({ custody: { profile: 'operator' } })
    expect(await codeOf(operator.verify(own()))).toBe('ERR_RECORD_BINDING')
    expect(await codeOf(operator.reissue({ ...sample(1), ...ANNA }))).toBe('ERR_VAULT_CUSTODY')
    expect(await codeOf(VERBS.revoke(operator, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await codeOf(VERBS.revoke(operator, 'op-1'))).toBe('ERR_VAULT_QUORUM_PENDING')
    expect(await outcomeOf(world.vault, own())).toBe('refused revoked')
    await VERBS.revoke(world.vault, 'op-1')
    expect(await waiting(world)).toBe(0)
    await VERBS.revoke(operator, 'op-1')
    await operator.close()
    await world.end()
  })
})

describe('VAULT-25', () => {
  test('VAULT-25 rotation, fsck, status and health need no holder, and count what waits', async () => {
    const world = await enrolled()
    await world.vault.enroll({ ...sample(2), subject: 'user-2', basis: basis() })
    world.manners.fill('gone')
    expect(await codeOf(world.vault.revoke('user-2', 'other'))).toBe('ERR_VAULT_QUORUM_PENDING')
    const { keyring, store, provider } = world
    await keyring.promote(await keyring.add())
    const rotated: boolean[] = []
    for await (const { ok } of world.vault.rotate()) rotated.push(ok)
    expect(rotated).toEqual([true])
    const faults: unknown[] = []
    const walk = fsck({ keyring, store })
    let step = await walk.next()
    for (; step.done !== true; step = await walk.next()) faults.push(step.value)
    expect(faults).toEqual([])
    expect(step.value).toMatchObject({ records: 2, unfinished: 1, faults: 0 })
    expect(await vaultStatus({ keyring, store })).toMatchObject({ people: 1, unfinished: 1, unreadable: 0 })
    expect(await world.vault.health()).toMatchObject({ ok: true, unfinished: 1 })
    world.manners.fill('honest')
    const again = await openKeyring({ realm: 'clinic', provider, store })
    const vault = await world.open({ keyring: again })
    expect(await outcomeOf(vault, own())).toBe('match')
    expect(await vault.health()).toMatchObject({ unfinished: 0 })
    await vault.close()
    await world.end()
  })

  test('VAULT-25 fsck names a note that is altered, or another’s', async () => {
    const world = await enrolled()
    world.manners.fill('gone')
    expect(await codeOf(VERBS.revoke(world.vault))).toBe('ERR_VAULT_QUORUM_PENDING')
    const start = endingStart(world.vault.realm)
    const { keyring, store } = world
    const notes = (await rowsOf(store, 'states')).filter(({ key }) =>
      start.every((byte, i) => key[i] === byte),
    )
    const note = notes[0]
    if (note === undefined) throw new Error('no note')
    const kinds = async (): Promise<string[]> => {
      const found: string[] = []
      for await (const { kind } of fsck({ keyring, store })) found.push(kind)
      return found
    }
    await overwrite(
      store,
      'states',
      note.key,
      note.bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
    )
    expect(await kinds()).toEqual(['forged'])
    await overwrite(store, 'states', note.key, note.bytes)
    const elsewhere = note.key.map((byte, i) => (i === note.key.length - 1 ? byte ^ 1 : byte))
    await overwrite(store, 'states', elsewhere, note.bytes)
    expect(await kinds()).toEqual(['misplaced'])
    await remove(store, 'states', elsewhere)
    expect(await kinds()).toEqual([])
    await world.end()
  })
})

test('GALLERY-1 under a quorum there is no gallery, and nobody is searched', async () => {
  for (const profile of ['quorum', 'quorum+holder'] as const) {
    const world = await quorumVault({ profile })
    const declared = world.open({ gallery: gallery(), bits: BITS, operatingPoints: [point(MODEL, BITS)] })
    expect(await codeOf(declared)).toBe('ERR_GALLERY_CUSTODY')
    expect(await codeOf(world.vault.identify({ ...sample(1), limit: 1 }))).toMatch(/^ERR_GALLERY_/)
    await world.end()
  }
})

describe('VAULT-17', () => {
  test('VAULT-17 a reissue brings a quorum in, or a holder, and takes nobody out', async () => {
    const world = await quorumVault()
    const device: ShareSource = async (context) => holderShare(new Uint8Array(32).fill(3), context)
    const vaults = {
      operator: await world.open({ custody: { profile: 'operator' } }),
      quorum: world.vault,
      holder: await world.open({ custody: { profile: 'holder' } }),
      'quorum+holder': await world.open({ custody: { profile: 'quorum+holder', quorum: world.quorum } }),
    }
    type Profile = keyof typeof vaults
    const share = (profile: Profile): { holderShare?: ShareSource } =>
      profile.endsWith('holder') ? { holderShare: device } : {}
    const profiles = Object.keys(vaults) as Profile[]
    for (const [from, one] of profiles.entries()) {
      for (const [to, two] of profiles.entries()) {
        const subject = `${one} ${two}`
        await vaults[one].enroll({ ...sample(1), subject, basis: basis(), ...share(one) })
        const renewal = vaults[two].reissue({ ...sample(1), subject, basis: basis(), ...share(two) })
        const allowed = (from | to) === to
        expect(await codeOf(renewal), subject).toBe(allowed ? 'resolved' : 'ERR_VAULT_CUSTODY')
        const asked = { ...sample(1, 1), subject, ...share(allowed ? two : one) }
        expect(await outcomeOf(vaults[allowed ? two : one], asked), subject).toBe('match')
      }
    }
    for (const profile of profiles) if (profile !== 'quorum') await vaults[profile].close()
    await world.end()
  })

  test('VAULT-17 under quorum+holder devices come and go with the quorum', async () => {
    const world = await quorumVault({ profile: 'quorum+holder' })
    const { vault } = world
    const device =
      (seed: number): ShareSource =>
      async (context) =>
        holderShare(new Uint8Array(32).fill(seed), context)
    const confirmed = { [secondFactorConfirmed]: true } as const
    await vault.enroll({ ...sample(1), ...ANNA, holderShare: device(1) })
    const first = (await vault.describe(SUBJECT))?.devices[0] as string
    const second = await vault.addDevice({
      subject: SUBJECT,
      holderShare: device(1),
      newShare: device(2),
      ...confirmed,
    })
    for (const seed of [1, 2]) {
      expect(await outcomeOf(vault, { ...own(), holderShare: device(seed) })).toBe('match')
    }
    await vault.removeDevice({ subject: SUBJECT, holderShare: device(2), device: first, ...confirmed })
    expect(await outcomeOf(vault, { ...own(), holderShare: device(1) })).toBe('refused holder-share')
    expect((await vault.describe(SUBJECT))?.devices).toEqual([second])
    world.manners.fill('gone')
    const late = vault.removeDevice({ subject: SUBJECT, holderShare: device(2), device: first, ...confirmed })
    expect(await codeOf(late)).toBe('ERR_VAULT_DEVICE')
    const third = { subject: SUBJECT, holderShare: device(2), newShare: device(3), ...confirmed }
    expect(await codeOf(vault.addDevice(third))).toBe('ERR_QUORUM_UNAVAILABLE')
    world.manners.fill('honest')
    await vault.addDevice(third)
    expect(await outcomeOf(vault, { ...own(), holderShare: device(3) })).toBe('match')
    await world.end()
  })
})
