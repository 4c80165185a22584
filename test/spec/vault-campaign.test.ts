/** Campaigns: resumption, stragglers, grants, the lowest accepted epoch (SPEC §11.11). @module */
import { memoryStore, type Store, StoreError } from 'guise'
import { rotateCampaign } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { realmPrefix } from '../../src/base/identifier.ts'
import { blindPuts } from '../fault/vault-liars.ts'
import { REALM, secretRows, twoEpochs } from '../support/campaign.ts'
import { enrollPeople, galleryVault } from '../support/gallery.ts'
import { dump, hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'
import { ask, entriesOf } from '../support/vault-log.ts'

describe.each([
  ['one store', (): Store | undefined => undefined],
  ['two stores', (): Store | undefined => memoryStore()],
])('%s', (_, make) => {
  test('VAULT-40 a campaign that was stopped anywhere is completed by another one', async () => {
    for (let stop = 1; stop <= 12; stop++) {
      const secrets = make()
      const { keyring, store, vault } = await twoEpochs(5, secrets)
      const where = secrets ?? store
      const hooked = hookedStore(where)
      let commits = 0
      hooked.fault = {
        before: ({ name }) => {
          if (name === 'commit' && ++commits > stop) throw new Error('killed')
        },
      }
      // The keyring stays in the store that it knows: only wraps go through the one that breaks.
      const broken = secrets === undefined ? undefined : { secrets: hooked }
      if (broken !== undefined) {
        await rotateCampaign({ keyring, store, ...broken, width: 1 }).catch(() => undefined)
      } else {
        const abort = new AbortController()
        const onProgress = ({ done }: { done: number }): void => {
          if (done >= stop) abort.abort(new Error('killed'))
        }
        await rotateCampaign({ keyring, store, signal: abort.signal, onProgress, width: 1 }).catch(
          () => undefined,
        )
      }
      const again = await rotateCampaign({ keyring, store, ...(secrets === undefined ? {} : { secrets }) })
      expect(again).toMatchObject({ complete: true, failed: 0, after: { left: 0, places: { 'epoch 2': 5 } } })
      const rows = await secretRows(where)
      expect(rows.map(({ epoch, since }) => [epoch, since])).toEqual(rows.map(() => [2, 1]))
      expect(await ask(vault, 'person-3', 3)).toBe('match')
      await vault.close()
    }
  })

  test('VAULT-41 a dry run writes nothing and counts every wrap where it is', async () => {
    const secrets = make()
    const { keyring, store, vault } = await twoEpochs(3, secrets)
    await vault.enroll({ subject: 'new', basis: basis(), ...sample(9) })
    const place = { keyring, store, ...(secrets === undefined ? {} : { secrets }) }
    const before = [await dump(store), secrets && (await dump(secrets))]
    const report = await rotateCampaign({ ...place, dryRun: true, perSecond: 2 })
    expect(report).toMatchObject({ dryRun: true, complete: false, changed: 0, atLeastMs: 1500 })
    expect(report.before).toMatchObject({ total: 4, left: 3, places: { 'epoch 1': 3, 'epoch 2': 1 } })
    expect([await dump(store), secrets && (await dump(secrets))]).toEqual(before)
    await vault.close()
    const told = (await entriesOf(store)).map(({ action }) => action)
    expect(told.filter((action) => action === 'campaign' || action === 'rotate')).toEqual([])
    expect((await rotateCampaign({ ...place, dryRun: true })).atLeastMs).toBeGreaterThan(0)
  })

  test('VAULT-43 the lowest accepted epoch rises when nothing is left below, and not before', async () => {
    const secrets = make()
    const { keyring, store, vault } = await twoEpochs(4, secrets)
    const where = secrets ?? store
    const [row] = await rowsOf(where, 'secrets')
    const key = row?.key as Uint8Array
    await overwrite(where, 'secrets', key, new Uint8Array(3))
    const place = { keyring, store, retire: true, ...(secrets === undefined ? {} : { secrets }) }
    const first = await rotateCampaign(place)
    expect(first).toMatchObject({ complete: false, changed: 3, failed: 1, after: { left: 1 } })
    expect(first.stragglers).toMatchObject([{ kind: 'record', code: 'ERR_RECORD_FORMAT' }])
    expect(keyring.minAccepted).toBe(1)
    await remove(where, 'secrets', key)
    expect(await rotateCampaign(place)).toMatchObject({ complete: true, changed: 0 })
    expect(keyring.minAccepted).toBe(2)
    await vault.close()
  })
})

test('VAULT-43 a wrap under a disabled epoch is a straggler', async () => {
  const { keyring, store, vault } = await twoEpochs(2)
  await keyring.disable(1)
  const report = await rotateCampaign({ keyring, store, retire: true })
  expect(report).toMatchObject({ complete: false, failed: 2, changed: 0 })
  expect(new Set(report.stragglers.map(({ code }) => code))).toEqual(new Set(['ERR_KEYS_DISABLED']))
  expect(keyring.minAccepted).toBe(1)
  await keyring.enable(1)
  expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true, changed: 2 })
  expect(keyring.minAccepted).toBe(2)
  await vault.close()
})

test('VAULT-43 a shard that stays behind holds the lowest accepted epoch back', async () => {
  const world = await galleryVault()
  const { keyring, store, vault } = world
  await enrollPeople(vault, [1, 2, 3])
  await keyring.promote(await keyring.add())
  const shards = (await rowsOf(store, 'galleries')).filter(({ key }) => key[realmPrefix(REALM).length] === 1)
  const [shard] = shards
  const kept = shard?.bytes as Uint8Array
  await overwrite(store, 'galleries', shard?.key as Uint8Array, new Uint8Array(9))
  const first = await rotateCampaign({ keyring, store, retire: true })
  expect(first.complete).toBe(false)
  expect(first.stragglers).toMatchObject([{ kind: 'shard' }])
  expect(keyring.minAccepted).toBe(1)
  await overwrite(store, 'galleries', shard?.key as Uint8Array, kept)
  expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true })
  expect(keyring.minAccepted).toBe(2)
  expect(await vault.identify({ ...sample(2, 1), limit: 1 })).toMatchObject({ outcome: 'candidates' })
  await vault.close()
})

test('VAULT-43 an epoch that is promoted during the last count is not what the lowest accepted one is raised to', async () => {
  const store = hookedStore(memoryStore())
  const { keyring, vault } = await testVault({ store })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await keyring.promote(await keyring.add())
  await rotateCampaign({ keyring, store })
  let scans = 0
  store.fault = {
    before: async ({ name, table }) => {
      if (name === 'scan' && table === 'galleries' && ++scans === 2)
        await keyring.promote(await keyring.add())
    },
  }
  expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true })
  expect(keyring).toMatchObject({ primary: 3, minAccepted: 2 })
  expect(await ask(vault, 'anna', 1)).toBe('match')
  await vault.close()
})

test('VAULT-43 an epoch that stops being primary during the last count and is it again raises nothing over what was wrapped meanwhile', async () => {
  const store = hookedStore(memoryStore())
  const { keyring, vault } = await testVault({ store })
  const enroll = (subject: string) => vault.enroll({ subject, basis: basis(), ...sample(1) })
  await enroll('anna')
  await keyring.promote(await keyring.add())
  await rotateCampaign({ keyring, store })
  let scans = 0
  store.fault = {
    before: async ({ name, table }) => {
      if (name !== 'scan' || table !== 'galleries' || ++scans !== 2) return
      await keyring.promote(1)
      await enroll('ben')
      await keyring.promote(2)
    },
  }
  await rotateCampaign({ keyring, store, retire: true })
  expect(keyring).toMatchObject({ primary: 2, minAccepted: 1 })
  expect(await ask(vault, 'ben', 1)).toBe('match')
  expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ changed: 1, complete: true })
  expect(keyring.minAccepted).toBe(2)
  expect(await ask(vault, 'ben', 1)).toBe('match')
  await vault.close()
})

test('VAULT-43 a keyring that changes during every count raises nothing, and one that went down and stayed there neither', async () => {
  const store = hookedStore(memoryStore())
  const { keyring, vault } = await testVault({ store })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  await keyring.promote(await keyring.add())
  await rotateCampaign({ keyring, store })
  let counts = 0
  store.fault = {
    before: async ({ name, table }) => {
      if (name !== 'scan' || table !== 'galleries') return
      counts += 1
      await keyring.add()
    },
  }
  expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true })
  expect(keyring.minAccepted).toBe(1)
  expect(counts).toBe(10)
  counts = 0
  store.fault = {
    before: async ({ name, table }) => {
      if (name === 'scan' && table === 'galleries' && ++counts === 2) await keyring.promote(1)
    },
  }
  await rotateCampaign({ keyring, store, retire: true })
  expect(keyring).toMatchObject({ primary: 1, minAccepted: 1 })
  await vault.close()
})

test('VAULT-43 in a second store a wrap that waits for its deletion holds nothing back', async () => {
  const secrets = hookedStore(memoryStore())
  const { keyring, store, vault } = await twoEpochs(2, secrets)
  secrets.fault = {
    before: ({ name }) => {
      if (name === 'commit') throw new StoreError('ERR_STORE_FULL', 'away')
    },
  }
  expect(await typedCode(vault.revoke('person-0', 'other'))).toBe('ERR_VAULT_UNFINISHED')
  secrets.fault = {}
  expect(await rowsOf(secrets, 'secrets')).toHaveLength(2)
  const report = await rotateCampaign({ keyring, store, secrets, retire: true })
  expect(report).toMatchObject({
    complete: true,
    changed: 1,
    after: { places: { 'epoch 2': 1, 'to be deleted': 1 } },
  })
  expect(keyring.minAccepted).toBe(2)
  await vault.erase('person-0')
  expect(await rowsOf(secrets, 'secrets')).toHaveLength(1)
  await vault.close()
})

/** Revokes everybody between a campaign's reading and its writing; how many wraps there are afterwards. */
async function revokedMeanwhile(between: (store: Store) => Store): Promise<number> {
  const secrets = memoryStore()
  const { keyring, store, vault } = await twoEpochs(2, secrets)
  const hooked = hookedStore(between(secrets))
  let first = true
  hooked.fault = {
    before: async ({ name }) => {
      if (name !== 'commit' || !first) return
      first = false
      for (const subject of ['person-0', 'person-1']) await vault.revoke(subject, 'other')
    },
  }
  await rotateCampaign({ keyring, store, secrets: hooked, width: 1 })
  await vault.close()
  return (await rowsOf(secrets, 'secrets')).length
}

test('VAULT-40 a wrap that was revoked while it was re-wrapped stays so; the control that writes over is caught', async () => {
  expect(await revokedMeanwhile((store) => store)).toBe(0)
  expect(await revokedMeanwhile(blindPuts)).toBeGreaterThan(0)
})

test('VAULT-45 whoever is compared while a campaign runs is answered as before', async () => {
  const { keyring, store, vault } = await twoEpochs(40)
  const stop = new AbortController()
  const answers = { match: 0, nonmatch: 0, other: 0 }
  const traffic = (async () => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      // A match costs no turn of the event loop: nothing else would ever happen.
      await new Promise((resolve) => setImmediate(resolve))
      const person = turn % 40
      const wrong = turn % 4 === 3
      const { outcome } = await vault.verify({
        subject: `person-${person}`,
        ...sample(wrong ? 900 + person : person, 1),
      })
      if (outcome === (wrong ? 'nonmatch' : 'match')) answers[outcome as 'match'] += 1
      else answers.other += 1
    }
  })()
  while (answers.match < 30 && answers.other === 0) {
    expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true })
    await keyring.promote(await keyring.add())
  }
  stop.abort()
  await traffic
  expect(answers.other).toBe(0)
  expect(answers.nonmatch).toBeGreaterThan(5)
  await vault.close()
})

test('VAULT-46 the log tells of begin and end, of each wrap, and of nothing when nothing was to be done', async () => {
  const { keyring, store, vault } = await twoEpochs(2)
  await rotateCampaign({ keyring, store, actor: 'nightly' })
  await rotateCampaign({ keyring, store, actor: 'nightly' })
  await vault.close()
  const told = (await entriesOf(store)).filter(({ actor }) => actor === 'nightly')
  expect(told.map(({ action, outcome, policy, epoch }) => [action, outcome, policy, epoch])).toEqual([
    ['campaign', 'done', 'rotate.begin', 2],
    ['rotate', 'done', null, 2],
    ['rotate', 'done', null, 2],
    ['campaign', 'done', 'rotate.end', 2],
  ])
})
