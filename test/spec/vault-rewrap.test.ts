/** Grants: a worker that re-wraps and opens nothing (SPEC §11.11). @module */
import { memoryStore } from 'guise'
import { rewrapCampaign, rewrapGrant, rotateCampaign } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { openWrap, outerOpens } from '../../src/keys/wraps.ts'
import type { SecretRow } from '../../src/record/secret-row.ts'
import { GrantHost } from '../../src/vault/rewrap-grant.ts'
import { REALM, secretRows, twoEpochs } from '../support/campaign.ts'
import { enrollPeople, galleryVault } from '../support/gallery.ts'
import { typedCode } from '../support/rows.ts'
import { sample } from '../support/vault.ts'

describe('a grant', () => {
  test('VAULT-44 re-wraps records and shards and changes nothing else of a header', async () => {
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
      const { epoch, header: _, nonce: _nonce, commitment: _commitment, ciphertext, ...rest } = row
      expect(before[at]).toMatchObject(rest)
      expect(epoch).toBe(2)
      expect(ciphertext).not.toEqual(before[at]?.ciphertext)
    }
    expect(keyring.minAccepted).toBe(1)
    expect(await vault.identify({ ...sample(2, 1), limit: 1 })).toMatchObject({ outcome: 'candidates' })
    expect(await rotateCampaign({ keyring, store })).toMatchObject({ complete: true, changed: 0 })
    await vault.close()
  })

  test('VAULT-44 opens outer wraps and nothing within', async () => {
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

  test('VAULT-44 without shards it holds no state key, and leaves them alone', async () => {
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

  test('VAULT-44 ends when the keyring changes', async () => {
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
