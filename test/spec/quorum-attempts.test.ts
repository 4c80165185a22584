/** Requests to the quorum that have no outcome, and what holders remember better than the store (SPEC §13.9). */
import { allowHighFalseMatchRate } from 'guise'
import { storedLog } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { decodeEntry } from '../../src/audit/entry.ts'
import { openContext } from '../../src/vault/open.ts'
import {
  bent,
  enrolled,
  other,
  outcomeOf,
  own,
  type QuorumVault,
  SUBJECT,
  until,
} from '../support/quorum-vault.ts'
import { codeOf, MODEL, PURPOSE, point, SIGNER } from '../support/vault.ts'

/** A verify in a process that ends while the holders are asked. */
async function ended(world: QuorumVault, operationId?: string): Promise<void> {
  let asked = false
  const quorum = bent(world.quorum, {
    open: () => {
      asked = true
      return new Promise(() => undefined)
    },
  })
  const vault = await world.open({ custody: { profile: 'quorum', quorum } })
  void vault.verify(own(), operationId === undefined ? {} : { operationId })
  await until(() => asked)
}

describe('QUORUM-28', () => {
  test('QUORUM-28 what the holders remember as revoked fails, whatever the rows say', async () => {
    const world = await enrolled()
    // Somebody ends the generation without the vault's rows.
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        const { record, generation } = question
        const { entry } = question.receipt
        const handle = decodeEntry(entry).handle as Uint8Array
        await endAtHolders(world, { record, generation, handle })
        return await world.quorum.open(question, options)
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    expect(await codeOf(vault.verify(own()))).toBe('ERR_QUORUM_REVOKED')
    expect(await codeOf(world.vault.verify(own()))).toBe('ERR_QUORUM_REVOKED')
    expect(await codeOf(world.vault.verify(own()))).toBe('ERR_QUORUM_REVOKED')
    await vault.close()
    await world.end()
  })

  test('QUORUM-28 who is revoked while the holders are asked is refused as revoked', async () => {
    const world = await enrolled()
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        await world.vault.revoke(SUBJECT, 'fraud')
        return await world.quorum.open(question, options)
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    expect(await outcomeOf(vault, own())).toBe('refused revoked')
    await vault.close()
    await world.end()
  })
})

/** Logs a revocation that changes no row, and shows it to the holders. */
async function endAtHolders(
  world: QuorumVault,
  name: { readonly record: Uint8Array; readonly generation: Uint8Array; readonly handle: Uint8Array },
): Promise<void> {
  const { record, generation, handle } = name
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
  await ctx.commitLogged([], { action: 'revoke', outcome: 'done', handle, record, generation })
  await ctx.ledger.settle({})
  const log = storedLog(world.store, 'clinic')
  const receipt = await log.prove(({ action }) => action === 'revoke', 100)
  if (receipt === undefined) throw new Error('no entry')
  await world.quorum.revoke({ record, generation, receipt, log })
  await ctx.ledger.close()
}

describe('QUORUM-29', () => {
  test('QUORUM-29 a process that ends between request and outcome leaves a failure', async () => {
    const world = await enrolled({ attempts: { consecutive: 3 } })
    for (let i = 0; i < 2; i++) await ended(world)
    expect(await outcomeOf(world.vault, own())).toBe('match')
    // The match was asked for later: the run begins anew.
    for (let i = 0; i < 3; i++) await ended(world)
    expect(await outcomeOf(world.vault, own())).toBe('refused throttled')
    await world.vault.rebind(SUBJECT)
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.end()
  })

  test('QUORUM-29 the failures of a generation keep what was never answered', async () => {
    const world = await enrolled({ attempts: { consecutive: 3, total: 3, generation: 3 } })
    for (let i = 0; i < 2; i++) await ended(world)
    for (let i = 0; i < 3; i++) expect(await outcomeOf(world.vault, own())).toBe('match')
    expect(await outcomeOf(world.vault, other())).toBe('nonmatch')
    expect(await outcomeOf(world.vault, own())).toBe('refused locked')
    await world.end()
  })

  test('QUORUM-29 a retry with the same operation id goes on with the request', async () => {
    const world = await enrolled({ attempts: { consecutive: 1 } })
    await ended(world, 'op-1')
    expect(await outcomeOf(world.vault, own())).toBe('refused throttled')
    const again = async (): Promise<string> =>
      (await world.vault.verify(own(), { operationId: 'op-1' })).outcome
    expect(await again()).toBe('match')
    expect(await again()).toBe('match')
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.end()
  })

  test('QUORUM-29 an answer that could not be written stays a failure', async () => {
    const world = await enrolled({ attempts: { consecutive: 2 } })
    const { store } = world
    const commit = store.commit.bind(store)
    let opened = 0
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        const answer = await world.quorum.open(question, options)
        opened++
        Object.assign(store, { commit: () => Promise.reject(new Error('the disk is gone')) })
        return answer
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    for (let i = 0; i < 2; i++) {
      expect(await codeOf(vault.verify(own()))).toBe('Error: the disk is gone')
      Object.assign(store, { commit })
    }
    expect(opened).toBe(2)
    expect(await outcomeOf(world.vault, own())).toBe('refused throttled')
    await vault.close()
    await world.end()
  })
})

describe('QUORUM-31', () => {
  test('QUORUM-31 no more nonmatches leave side by side than one after the other', async () => {
    const world = await enrolled({ attempts: { consecutive: 3 } })
    const second = await world.open()
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => outcomeOf(i % 2 === 0 ? world.vault : second, other())),
    )
    const count = (wanted: string): number => outcomes.filter((outcome) => outcome === wanted).length
    expect(count('nonmatch')).toBe(3)
    expect(count('refused throttled')).toBe(9)
    await second.close()
    await world.end()
  })
})
