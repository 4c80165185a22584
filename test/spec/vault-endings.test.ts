/** Ends of generations as others see them: holders, purges, reports, receipts (SPEC §11.12, §11.13, §12.4). @module */
import { memoryStore, openKeyring } from 'guise'
import {
  breachReport,
  erasureStatus,
  markBreach,
  purge,
  rewrapCampaign,
  rewrapGrant,
  rotateCampaign,
} from 'guise/node'
import { describe, expect, test } from 'vitest'
import { verifyErasureReceipt } from '../../src/vault/erasure-receipt.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { secretRows, twoEpochs } from '../support/campaign.ts'
import { logOf, purged } from '../support/people.ts'
import { ANNA, enrolled, outcomeOf, own, SUBJECT } from '../support/quorum-vault.ts'
import { hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import {
  basis,
  codeOf,
  manualClock,
  memoryProvider,
  PURPOSE,
  SIGNER,
  sample,
  testVault,
} from '../support/vault.ts'
import { ask } from '../support/vault-log.ts'

const DAY = 86_400_000
const EVERYTHING = { rows: true, secrets: true, keyring: true } as const

describe('under a quorum', () => {
  test('VAULT-23 the end that is logged once more ends no later generation', async () => {
    const world = await enrolled()
    const { vault, store, keyring } = world
    world.manners.splice(0, 2, 'gone', 'gone')
    expect(await codeOf(vault.revoke(SUBJECT, 'other'))).toBe('ERR_VAULT_QUORUM_PENDING')
    world.manners.fill('honest')
    // The note waits beyond the thousand entries that are searched, and meanwhile there is a second generation.
    const [note] = (await rowsOf(store, 'states')).filter(({ key }) => key.length > 40)
    if (note === undefined) throw new Error('no note')
    await vault.reissue({ ...sample(1), ...ANNA })
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 101 }, () => vault.verify({ ...sample(2), subject: 'nobody' })))
    }
    await overwrite(store, 'states', note.key, note.bytes)
    await vault.close()
    const again = await world.open()
    const late = (await logOf(store)).filter(({ action }) => action === 'revoke').at(-1)
    expect(late).toMatchObject({ outcome: 'done', handle: null })
    expect(await outcomeOf(again, own())).toBe('match')
    const report = await breachReport({ keyring, store, stolen: EVERYTHING, since: Date.now() })
    expect(report.affected.map(({ generation }) => generation)).toEqual([2])
    const policies = [{ purpose: PURPOSE, afterRevocationDays: 0 }]
    expect((await purged({ keyring, store, logSigner: SIGNER, policies })).summary).toMatchObject({
      due: 0,
      people: 1,
    })
    await again.close()
    await world.end()
  })

  test('VAULT-52 a mark that holders cannot be told of yet is made; the next end of any record tells them', async () => {
    const world = await enrolled()
    const { vault, store, keyring } = world
    await vault.enroll({ ...sample(2), subject: 'user-2', basis: basis() })
    await vault.enroll({ ...sample(3), subject: 'user-3', basis: basis() })
    const report = await breachReport({ keyring, store, stolen: { ...EVERYTHING, quorum: true } })
    const kept = (await vault.describe('user-3'))?.subject
    const affected = report.affected.filter(({ subject }) => subject !== kept)
    const marked = await markBreach({ keyring, store, report: { affected } })
    expect(marked).toMatchObject({ complete: true, changed: 2, failed: 0 })
    expect((await vault.health()).unfinished).toBe(2)
    await vault.erase('user-3')
    expect((await vault.health()).unfinished).toBe(0)
    await vault.close()
    await world.end()
  })
})

test('POLICY-41 what was issued again while its page is erased is judged by its own instants', async () => {
  const clock = manualClock()
  const store = hookedStore(memoryStore())
  const { vault, keyring } = await testVault({ clock, store })
  const long = () =>
    basis({ grantedAt: new Date(clock.nowMs()), expiresAt: new Date(clock.nowMs() + 100 * DAY) })
  await vault.enroll({ subject: 'anna', basis: long(), ...sample(0) })
  clock.advance(2 * DAY)
  const policies = [{ purpose: PURPOSE, afterEnrolmentDays: 2 }]
  const walk = purge({ keyring, store, policies, logSigner: SIGNER, [testClock]: clock })
  const due = await walk.next()
  expect(due.value).toMatchObject([{ outcome: 'due' }])
  let first = true
  store.fault = {
    before: async ({ name, table }) => {
      if (!first || name !== 'get' || table !== 'states') return
      first = false
      await vault.reissue({ subject: 'anna', basis: long(), ...sample(0, 2) })
    },
  }
  const outcomes: string[] = []
  let step = await walk.next()
  for (; step.done !== true; step = await walk.next())
    outcomes.push(...step.value.map(({ outcome }) => outcome))
  expect([first, ...outcomes]).toEqual([false, 'kept'])
  expect(step.value).toMatchObject({ due: 1, erased: 0, people: 1 })
  expect(await ask(vault, 'anna', 0)).toBe('match')
  await vault.close()
})

test('VAULT-49 an instant that lies ahead is promised, not told', async () => {
  const clock = manualClock()
  const waits = memoryProvider()
  const ahead = clock.nowMs() + 7 * DAY
  const destroy = async () => ({ confirmedAt: ahead as never })
  const { vault, keyring, store } = await testVault({ clock, provider: { ...waits, destroy } })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const receipt = await vault.erase('anna')
  await keyring.promote(await keyring.add())
  await rotateCampaign({ keyring, store, retire: true })
  await keyring.disable(1)
  await keyring.destroy(1)
  const at = (now: number) => erasureStatus({ keyring, store, receipt, now: () => now })
  expect(await at(ahead - 1)).toMatchObject({ irrecoverable: { by: ahead }, overdue: false })
  expect(await at(ahead)).toMatchObject({ irrecoverable: { at: ahead }, overdue: false })
  await vault.close()
})

test('VAULT-50 a mark or a withdrawal under a hold ends no template; a withdrawal without one does', async () => {
  const clock = manualClock()
  const { vault, keyring, store } = await testVault({ clock })
  const dates = { grantedAt: new Date(clock.nowMs()), expiresAt: new Date(clock.nowMs() + DAY) }
  for (const [person, subject] of ['held', 'left'].entries())
    await vault.enroll({ subject, basis: basis(dates), ...sample(person) })
  const held = (await vault.describe('held'))?.subject
  await vault.hold('held')
  await vault.withdraw('held')
  await vault.revoke('held', 'breach')
  await vault.withdraw('left')
  clock.advance(1000)
  const now = () => clock.nowMs()
  const report = () => breachReport({ keyring, store, stolen: EVERYTHING, since: now(), now })
  expect((await report()).affected.map(({ subject }) => subject)).toEqual([held])
  await vault.release('held')
  await vault.withdraw('held')
  clock.advance(1000)
  expect((await report()).affected).toEqual([])
  await vault.close()
})

describe('with codes and wraps in two stores', () => {
  test('VAULT-43 a code that cannot be read counts as left, and ends no campaign', async () => {
    const secrets = memoryStore()
    const { keyring, store, vault } = await twoEpochs(3, secrets)
    const [code] = await rowsOf(store, 'references')
    const kept = code?.bytes as Uint8Array
    await overwrite(store, 'references', code?.key as Uint8Array, new Uint8Array(3))
    const broken = await rotateCampaign({ keyring, store, secrets, retire: true })
    expect(broken).toMatchObject({ complete: false })
    expect(keyring.minAccepted).toBe(1)
    await overwrite(store, 'references', code?.key as Uint8Array, kept)
    expect(await rotateCampaign({ keyring, store, secrets, retire: true })).toMatchObject({ complete: true })
    expect(keyring.minAccepted).toBe(2)
    await vault.close()
  })

  test('VAULT-44 a grant whose keyring has changed re-wraps nothing', async () => {
    const secrets = memoryStore()
    const { keyring, store, vault, provider } = await twoEpochs(2, secrets)
    const grant = await rewrapGrant(keyring)
    const watched = hookedStore(store)
    const other = await openKeyring({ realm: 'clinic', provider, store })
    let entries = 0
    watched.fault = {
      before: async ({ name, steps }) => {
        if (name !== 'commit' || !steps.some((step) => step.table === 'queue')) return
        // The second entry is that of the first wrap.
        if (++entries === 2) await other.add()
      },
    }
    const code = await typedCode(rewrapCampaign({ grant, store: watched, secrets, width: 1 }))
    expect(code).toBe('ERR_VAULT_GRANT')
    expect(entries).toBeGreaterThan(1)
    expect((await secretRows(secrets)).map(({ epoch }) => epoch)).toEqual([1, 1])
    await vault.close()
  })
})

test('VAULT-60 who withdrew under a hold is expired for a machine whose clock is behind', async () => {
  const clock = manualClock()
  const { vault, open } = await testVault({ clock })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await vault.hold('anna')
  await vault.withdraw('anna')
  await vault.release('anna')
  const behind = await open({ [testClock]: manualClock(clock.nowMs() - 30_000) })
  expect(await codeOf(behind.resume('anna'))).not.toBe('match')
  expect(await ask(behind, 'anna', 1)).toMatch(/suspended|expired/)
  await behind.close()
  await vault.close()
})

test('VAULT-12 the receipt of a record whose wrap is missing names every epoch that may have wrapped it', async () => {
  const { vault, keyring, store } = await testVault()
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  for (let i = 0; i < 2; i++) await keyring.promote(await keyring.add())
  const [wrap] = await rowsOf(store, 'secrets')
  await remove(store, 'secrets', wrap?.key as Uint8Array)
  const receipt = await vault.erase('anna')
  expect(verifyErasureReceipt(receipt, await keyring.receiptPublicKey()).epochs).toEqual([1, 3])
  await vault.close()
})
