/** Campaigns: resumption, stragglers, grants, the lowest accepted epoch (SPEC §11.11). @module */
import { memoryStore, type Store } from 'guise'
import { type RotateCampaignOptions, rewrapCampaign, rewrapGrant, rotateCampaign } from 'guise/node'
import { describe, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { realmPrefix } from '../../src/base/identifier.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { openWrap, outerOpens } from '../../src/keys/wraps.ts'
import { decodeSecretRow, type SecretRow } from '../../src/record/secret-row.ts'
import { type CampaignKind, type CampaignTask, runCampaign } from '../../src/vault/campaign.ts'
import { rejectInput, VaultError } from '../../src/vault/errors.ts'
import { GrantHost } from '../../src/vault/rewrap-grant.ts'
import { enrollPeople, galleryVault } from '../support/gallery.ts'
import { dump, hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, manualClock, SIGNER, sample, type TestVault, testVault } from '../support/vault.ts'
import { ask, entriesOf } from '../support/vault-log.ts'

const REALM = 'clinic' as Realm

async function people(world: TestVault, count: number): Promise<void> {
  for (let person = 0; person < count; person++) {
    await world.vault.enroll({ subject: `person-${person}`, basis: basis(), ...sample(person) })
  }
}

async function secretRows(store: Store): Promise<readonly SecretRow[]> {
  const length = realmPrefix(REALM).length
  return (await rowsOf(store, 'secrets')).map(({ key, bytes }) =>
    decodeSecretRow(bytes, {
      realm: REALM,
      record: key.slice(length, length + 16),
      generation: key.slice(length + 16),
    }),
  )
}

/** A realm of which everything lies under epoch 1 and epoch 2 is primary. */
async function twoEpochs(count: number, secrets?: Store): Promise<TestVault> {
  const world = await testVault(secrets === undefined ? {} : { secrets })
  await people(world, count)
  await world.keyring.promote(await world.keyring.add())
  return world
}

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
      expect(rows.map(({ epoch, since }) => [epoch, since])).toEqual(Array(5).fill([2, 1]))
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

test('VAULT-45 whoever is compared while a campaign runs is answered as before', async () => {
  const { keyring, store, vault } = await twoEpochs(40)
  let running = true
  const answers = { match: 0, nonmatch: 0, other: 0 }
  const traffic = (async () => {
    for (let turn = 0; running; turn++) {
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
  while (answers.match < 60 && answers.other === 0) {
    expect(await rotateCampaign({ keyring, store, retire: true })).toMatchObject({ complete: true })
    await keyring.promote(await keyring.add())
  }
  running = false
  await traffic
  expect(answers.other).toBe(0)
  expect(answers.nonmatch).toBeGreaterThan(10)
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

describe('VAULT-44 a grant', () => {
  test('re-wraps records and shards and changes nothing else of a header', async () => {
    const world = await galleryVault()
    const { keyring, store, vault } = world
    await enrollPeople(vault, [1, 2, 3])
    await keyring.promote(await keyring.add())
    const grant = await rewrapGrant(keyring)
    const before = await secretRows(store)
    const report = await rewrapCampaign({ grant, store })
    expect(report).toMatchObject({
      campaign: 'rewrap',
      complete: true,
      failed: 0,
      before: { left: report.changed },
    })
    const after = await secretRows(store)
    for (const [at, row] of after.entries()) {
      const { epoch, header, nonce, commitment, ciphertext, ...rest } = row
      expect(before[at]).toMatchObject(rest)
      expect(epoch).toBe(2)
      expect(ciphertext).not.toEqual(before[at]?.ciphertext)
    }
    expect(keyring.minAccepted).toBe(1)
    expect(await vault.identify({ ...sample(2, 1), limit: 1 })).toMatchObject({ outcome: 'candidates' })
    expect(await rotateCampaign({ keyring, store })).toMatchObject({ complete: true, changed: 0 })
    await vault.close()
  })

  test('opens outer wraps and nothing within', async () => {
    const world = await twoEpochs(1)
    const { keyring, store, vault } = world
    const grant = await rewrapGrant(keyring)
    const access = ringAccess(keyring)
    const keys = await access.loadRealmKeys(1)
    const text = toHex(grant)
    for (const secret of [keys.custody, keys.index, keys.limiter, keys.receipt, keys.ring, keys.part]) {
      expect(text).not.toContain(toHex(secret))
    }
    expect(text).toContain(toHex(keys.log))
    expect(text).not.toContain(toHex(keys.preparedOperator))
    const host = new GrantHost({ grant, store })
    const [row] = await secretRows(store)
    const opened = await host.decide(async () =>
      host.ring.withEpoch(1, (prepared) =>
        outerOpens(row as SecretRow, { prepared, header: row?.header as Uint8Array }, 0),
      ),
    )
    expect(opened).toBe(true)
    // Every secret of the grant tried as the custody key, at every place.
    const state = (await vault.describe('person-0')) as { subject: string }
    const handle = Uint8Array.from(Buffer.from(state.subject, 'base64url'))
    const { record, generation, header } = row as SecretRow
    const binding = {
      realm: REALM,
      record,
      handle,
      generation,
      purpose: 'login',
      profile: 0,
      keyVersion: 1,
      devices: [],
    } as const
    const tryWith = (custodyKey: Uint8Array): boolean =>
      host.ring.withEpoch(1, (prepared) => {
        const custody = preparedCustody(0, { custodyKey })
        return openWrap(row as SecretRow, { custody, binding, outer: { prepared, header } }) !== undefined
      })
    let found = 0
    for (let at = 0; at + 32 <= grant.length; at += 1) found += Number(tryWith(grant.slice(at, at + 32)))
    expect(found).toBe(0)
    // The control: with the custody key it opens.
    expect(tryWith(Uint8Array.from((await access.loadRealmKeys(1)).custody))).toBe(true)
    host.dispose()
    await vault.close()
  })

  test('without shards it holds no state key, and leaves them alone', async () => {
    const world = await galleryVault()
    const { keyring, store, vault } = world
    await enrollPeople(vault, [1, 2])
    await keyring.promote(await keyring.add())
    const grant = await rewrapGrant(keyring, { shards: false })
    const keys = await ringAccess(keyring).loadRealmKeys(1)
    expect(toHex(grant)).not.toContain(toHex(keys.state))
    expect(await rewrapCampaign({ grant, store })).toMatchObject({ complete: true, changed: 2 })
    expect((await rotateCampaign({ keyring, store, dryRun: true })).before.left).toBeGreaterThan(0)
    await vault.close()
  })

  test('ends when the keyring changes', async () => {
    const { keyring, store, vault } = await twoEpochs(3)
    const grant = await rewrapGrant(keyring)
    await keyring.add()
    expect(await typedCode(rewrapCampaign({ grant, store }))).toBe('ERR_VAULT_GRANT')
    const next = await rewrapGrant(keyring)
    let seen = 0
    const report = rewrapCampaign({
      grant: next,
      store,
      width: 1,
      onProgress: () => {
        if (++seen === 1) void keyring.add()
      },
      perSecond: 20,
    })
    // Each wrap from then on is one that the grant may not touch any more; the count after the pass says so.
    expect(await typedCode(report)).toBe('ERR_VAULT_GRANT')
    const rows = await secretRows(store)
    expect(rows.some(({ epoch }) => epoch === 1)).toBe(true)
    expect(await rewrapCampaign({ grant: await rewrapGrant(keyring), store })).toMatchObject({
      complete: true,
    })
    await vault.close()
  })

  test('holds no key of a closed epoch; what lies under one is a straggler', async () => {
    const { keyring, store, vault } = await twoEpochs(2)
    await keyring.disable(1)
    const report = await rewrapCampaign({ grant: await rewrapGrant(keyring), store })
    expect(report).toMatchObject({ complete: false, changed: 0, failed: 2 })
    expect(report.stragglers[0]?.code).toBe('ERR_KEYS_UNKNOWN_EPOCH')
    await vault.close()
  })

  test('that is cut, altered or of another kind is refused', async () => {
    const { keyring, store, vault } = await twoEpochs(1)
    const grant = await rewrapGrant(keyring)
    for (const length of [0, 3, 4, 40, grant.length - 1]) {
      const cut = grant.slice(0, length)
      expect(await typedCode(rewrapCampaign({ grant: cut, store }))).toBe('ERR_VAULT_GRANT')
    }
    for (let at = 0; at < 120; at++) {
      const altered = Uint8Array.from(grant)
      altered[at] = (altered[at] as number) ^ 1
      const code = await typedCode(rewrapCampaign({ grant: altered, store, dryRun: true }))
      // A bit of a listed epoch's number is only noticed by what lies under it.
      if (!code.startsWith('resolved')) expect(code).toBe('ERR_VAULT_GRANT')
    }
    const other = memoryStore()
    expect(await typedCode(rewrapCampaign({ grant, store: other }))).toBe('ERR_VAULT_GRANT')
    expect(await typedCode(rewrapCampaign({ grant, store: undefined as never }))).toBe(
      'ERR_VAULT_CONFIGURATION',
    )
    await vault.close()
  })
})

/** Tasks of which a test decides what becomes of them. */
function toy(
  of: number,
  run: (number: number) => boolean,
): CampaignKind & { readonly told: string[]; readonly begun: number[]; left: Set<number> } {
  const left = new Set(Array.from({ length: of }, (_, number) => number))
  const told: string[] = []
  const begun: number[] = []
  return {
    told,
    begun,
    left,
    name: 'provider',
    realm: REALM,
    census: async () => ({ total: of, left: left.size, places: {}, unreadable: [] }),
    async *tasks(): AsyncGenerator<CampaignTask> {
      for (const number of [...left]) {
        yield {
          kind: 'key',
          name: String(number),
          run: async () => {
            begun.push(number)
            const done = run(number)
            if (done) left.delete(number)
            return done
          },
        }
      }
    },
    trial: async () => undefined,
    finish: async () => void told.push(`finish ${left.size}`),
    log: async (when, outcome) => void told.push(`${when} ${outcome}`),
  }
}

describe('the runner', () => {
  test('VAULT-42 begins no more than the rate allows', async () => {
    const clock = manualClock()
    const kind = toy(7, () => true)
    const at: number[] = []
    const timer = setInterval(() => clock.advance(10), 1)
    const report = await runCampaign(kind, {
      perSecond: 20,
      width: 7,
      clock,
      onProgress: () => at.push(clock.steady().ms - 1000),
    })
    clearInterval(timer)
    expect(report).toMatchObject({ complete: true, changed: 7, passes: 1 })
    expect(at.length).toBe(7)
    // Groups of two: a tenth of a second each.
    for (const [number, ms] of at.entries()) expect(ms).toBeGreaterThanOrEqual((number - (number % 2)) * 50)
  })

  test('VAULT-43 goes on as long as a pass changes something; the end waits for the last', async () => {
    const turns = new Map<number, number>()
    const kind = toy(5, (number) => {
      const turn = (turns.get(number) ?? 0) + 1
      turns.set(number, turn)
      if (turn <= number) throw rejectInput('not yet')
      return true
    })
    expect(await runCampaign(kind)).toMatchObject({ complete: true, passes: 5, changed: 5, failed: 0 })
    expect(kind.told).toEqual(['begin done', 'finish 0', 'end done'])
    const stuck = toy(3, (number) => {
      if (number === 1) throw new VaultError('ERR_VAULT_DEVICE', 'never')
      return number === 0
    })
    expect(await runCampaign(stuck)).toMatchObject({
      complete: false,
      changed: 1,
      passes: 2,
      failed: 1,
      after: { left: 2 },
      stragglers: [{ kind: 'key', name: '1', code: 'ERR_VAULT_DEVICE' }],
    })
    expect(stuck.told).toEqual(['begin done', 'end failed'])
  })

  test('ends with what is no failure of one thing, and with the reason of a signal', async () => {
    const broken = toy(2, () => {
      throw new Error('the store is away')
    })
    await expect(runCampaign(broken)).rejects.toThrow('the store is away')
    expect(broken.told).toEqual(['begin done'])
    const abort = new AbortController()
    const stopped = toy(50, () => {
      abort.abort(new Error('enough'))
      return true
    })
    await expect(runCampaign(stopped, { signal: abort.signal, width: 1, perSecond: 10 })).rejects.toThrow(
      'enough',
    )
    expect(stopped.begun.length).toBeLessThan(50)
  })

  test('refuses what makes no sense', async () => {
    for (const bad of [{ perSecond: 0 }, { width: 65 }, { onProgress: 1 }]) {
      expect(
        await typedCode(
          runCampaign(
            toy(1, () => true),
            bad as never,
          ),
        ),
      ).toBe('ERR_VAULT_INPUT')
    }
    const { keyring, vault } = await testVault()
    const options: RotateCampaignOptions = { keyring, store: memoryStore() }
    expect(await typedCode(rotateCampaign(options))).toBe('ERR_VAULT_CONFIGURATION')
    await vault.close()
    expect(SIGNER.origin).toBe('test.example/guise')
  })
})
