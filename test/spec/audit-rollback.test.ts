/** SPEC §14.8: what was put back, and when a verb is acknowledged. @module */
import { logElsewhere, memoryStore, openKeyring, type Store, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { AuditError } from '../../src/audit/errors.ts'
import { headKey } from '../../src/audit/log-rows.ts'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { queueRow } from '../reference/audit.ts'
import { SecondVault } from '../reference/second.ts'
import { hookedStore, onlyRow, overwrite, rowsOf } from '../support/rows.ts'
import { codeOf, SIGNER, type TestVault, testVault } from '../support/vault.ts'
import { ask, copyOf, enroll, entriesOf, memoryAnchor } from '../support/vault-log.ts'

describe('AUDIT-21 rows that were put back', () => {
  async function rowAt(
    made: TestVault,
    table: 'states' | 'attempts' | 'keyrings',
  ): Promise<[Uint8Array, Uint8Array]> {
    const rows = (await rowsOf(made.store, table)).filter(({ key }) => key.length <= 24)
    return [rows[0]?.key as Uint8Array, rows[0]?.bytes as Uint8Array]
  }

  test('AUDIT-21 a suspended state, a counter, a keyring: each is refused, here and after opening', async () => {
    const made = await testVault()
    await enroll(made.vault)
    const [stateAt, active] = await rowAt(made, 'states')
    const [attemptsAt, none] = await rowAt(made, 'attempts')
    await made.vault.suspend('anna')
    await overwrite(made.store, 'states', stateAt, active)
    const others = (): Promise<Vault> => made.open()
    for (const vault of [made.vault, await others()]) {
      expect(await codeOf(ask(vault, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
      expect(await codeOf(vault.activate('anna'))).toBe('ERR_AUDIT_ROLLBACK')
    }
    // Whoever stops matching may do so all the same.
    await made.vault.suspend('anna')
    await made.vault.resume('anna')
    expect(await ask(made.vault, 'anna', 2)).toBe('nonmatch')
    await overwrite(made.store, 'attempts', attemptsAt, none)
    for (const vault of [made.vault, await others()]) {
      expect(await codeOf(ask(vault, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
    }
    const again = await testVault()
    const [ringAt, ring] = await rowAt(again, 'keyrings')
    await again.keyring.add()
    await overwrite(again.store, 'keyrings', ringAt, ring)
    expect(await codeOf(again.open().then((vault) => enroll(vault)))).toBe('ERR_KEYS_RING')
  })

  test('AUDIT-21 what another process has suspended is known at once, whatever row is put back', async () => {
    const made = await testVault()
    // A keyring of its own: what this process writes is told to whoever shares one.
    const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store: made.store })
    const other = await made.open({ keyring })
    await enroll(made.vault)
    for (let round = 0; round < 4; round++) {
      expect(await ask(other, 'anna', 1)).toBe('match')
      // Until it has nothing to write, and looks at the log once a second.
      await new Promise((resolve) => setTimeout(resolve, 700))
      const [stateAt, active] = await rowAt(made, 'states')
      await made.vault.suspend('anna')
      const [, suspended] = await rowAt(made, 'states')
      await overwrite(made.store, 'states', stateAt, active)
      expect(await codeOf(ask(other, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
      await overwrite(made.store, 'states', stateAt, suspended)
      await made.vault.resume('anna')
    }
  })

  test('AUDIT-21 the row of a commit that was refused is not the row of the one that was applied', async () => {
    const inner = memoryStore()
    const store = hookedStore(inner)
    const made = await testVault({ store })
    await enroll(made.vault)
    await made.vault.suspend('anna')
    let refused: Uint8Array | undefined
    store.fault = {
      before: (call) => {
        const put = call.steps.find(({ step, table }) => step === 'put' && table === 'states')
        if (put?.step !== 'put' || refused !== undefined) return
        refused = Uint8Array.from(put.bytes)
        throw Object.assign(new AuditError('ERR_AUDIT_ANCHOR', 'planted'), { code: 'ERR_STORE_FULL' })
      },
    }
    // Refused, so that nothing was written: yet whoever reads the wire has a row that says active.
    expect(await codeOf(made.vault.resume('anna'))).toBe('ERR_STORE_FULL')
    await made.vault.hold('anna')
    const { key } = await onlyRow(inner, 'states')
    await overwrite(inner, 'states', key, refused as Uint8Array)
    expect(await codeOf(ask(made.vault, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
  })

  test('AUDIT-21 a row that another process wrote is read with its entry', async () => {
    const made = await testVault()
    const other = await made.open()
    await enroll(made.vault)
    for (let round = 0; round < 3; round++) {
      expect(await ask(other, 'anna', 1)).toBe('match')
      expect(await ask(made.vault, 'anna', 2)).toBe('nonmatch')
      expect(await ask(other, 'anna', 1)).toBe('match')
    }
    const second = new SecondVault(made.store, made.provider, 'clinic')
    await second.load()
    const [entry] = await entriesOf(made.store)
    expect(queueRow(new Uint8Array(1), 1, second.keysOf(1).log)).toHaveLength(37)
    expect(entry?.action).toBe('key-add')
  })
})

describe('AUDIT-22 a whole store that was put back', () => {
  test('AUDIT-22 is refused when opened, and found while it is open', async () => {
    const anchor = memoryAnchor()
    const made = await testVault({ anchor })
    expect(made.vault.rollbackProtection).toBe(true)
    await enroll(made.vault)
    await made.vault.suspend('anna')
    const backup = await copyOf(made.store)
    const anchored = anchor.kept
    await made.vault.revoke('anna', 'withdrawn')
    await made.vault.close()
    const reopen = async (store: Store): Promise<Vault> => {
      const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
      return made.open({ store, keyring })
    }
    expect(await codeOf(reopen(backup))).toBe('ERR_AUDIT_ROLLBACK')
    // Without what was anchored meanwhile nobody can tell.
    anchor.kept = anchored
    const vault = await reopen(backup)
    expect((await vault.describe('anna'))?.state).toBe('suspended')
    await vault.resume('anna')
    await vault.suspend('anna')
    await vault.close()
    // Now the anchor has a history that the first store does not continue.
    expect(await codeOf(reopen(made.store))).toMatch(/^ERR_AUDIT_(FORK|ROLLBACK)$/)
  })

  test('AUDIT-22 a log that was altered is refused, and stops an open vault but for what stops matching', async () => {
    const made = await testVault()
    await enroll(made.vault)
    await enroll(made.vault, 'bert', 2)
    await made.vault.suspend('bert')
    const rows = await rowsOf(made.store, 'log')
    for (const row of rows) {
      if (row.key.length === 8 && row.key.at(-1) === 1) continue
      const store = await copyOf(made.store)
      await overwrite(
        store,
        'log',
        row.key,
        row.bytes.with(row.bytes.length - 40, (row.bytes.at(-40) as number) ^ 4),
      )
      const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
      const code = await codeOf(made.open({ store, keyring }).then((vault) => vault.suspend('anna')))
      // Hashes are for proofs: they are compared when a proof is made of them.
      expect(code).toMatch(row.key.at(-9) === 3 ? /^(resolved|ERR_AUDIT_)/ : /^ERR_AUDIT_(EDIT|FORMAT)$/)
    }
    const head = rows.find(({ key }) => toHex(key) === toHex(headKey('clinic' as Realm)))
    await overwrite(made.store, 'log', head?.key as Uint8Array, new Uint8Array(60))
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect((await made.vault.health()).log).toBe(false)
    expect(await codeOf(ask(made.vault, 'anna', 1))).toMatch(/^ERR_AUDIT_/)
    expect(await codeOf(enroll(made.vault, 'carl', 3))).toMatch(/^ERR_AUDIT_/)
    expect(await codeOf(made.vault.revoke('anna', 'other'))).toBe('ERR_AUDIT_PENDING')
    expect((await rowsOf(made.store, 'references')).length).toBe(1)
  })
})

describe('AUDIT-23 acknowledged when anchored', () => {
  test('AUDIT-23 with the anchor gone a revocation stops matching and says that it is pending', async () => {
    const anchor = memoryAnchor()
    const made = await testVault({ anchor })
    await enroll(made.vault)
    anchor.down = true
    expect(await codeOf(made.vault.suspend('anna', { operationId: 'one' }))).toBe('ERR_AUDIT_PENDING')
    expect(await ask(made.vault, 'anna', 1)).toBe('suspended')
    expect(await codeOf(made.vault.suspend('anna', { operationId: 'one' }))).toBe('ERR_AUDIT_PENDING')
    expect(await codeOf(made.keyring.add())).toBe('ERR_AUDIT_PENDING')
    anchor.down = false
    await made.vault.suspend('anna', { operationId: 'one' })
    expect(anchor.kept?.size).toBe((await entriesOf(made.store)).length)
    expect(made.keyring.epochs).toHaveLength(2)
    const receipt = await made.vault.erase('anna')
    expect(receipt.record).toHaveLength(22)
    expect(anchor.kept?.size).toBe((await entriesOf(made.store)).length)
  })
})

describe('AUDIT-23 a signer that fails', () => {
  test('AUDIT-23 garbage from the signer leaves a verb pending, and stops nothing', async () => {
    let answer: Uint8Array | undefined = new Uint8Array(64)
    const signer = {
      origin: SIGNER.origin,
      publicKey: SIGNER.publicKey,
      sign: async (note: Uint8Array) => answer ?? (await SIGNER.sign(note)),
    }
    const made = await testVault()
    const vault = await made.open({ logSigner: signer })
    await enroll(vault)
    await made.vault.close()
    expect(await codeOf(vault.suspend('anna', { operationId: 'two' }))).toBe('ERR_AUDIT_PENDING')
    expect(await ask(vault, 'anna', 1)).toBe('suspended')
    answer = undefined
    await vault.suspend('anna', { operationId: 'two' })
    expect((await vault.health()).log).toBe(true)
  })

  test('AUDIT-23 a vault without the key waits for one that has it', async () => {
    const made = await testVault()
    const other = await made.open({ logSigner: undefined as never, [logElsewhere]: true })
    await enroll(other)
    await other.suspend('anna')
    expect((await rowsOf(made.store, 'queue')).length).toBe(0)
    await other.close()
  })
})

describe('AUDIT-24 what is not anchored', () => {
  test('AUDIT-24 health counts what waits and what no anchor knows of', async () => {
    const plain = await testVault()
    expect(plain.vault.rollbackProtection).toBe(false)
    await enroll(plain.vault)
    expect(await plain.vault.health()).toMatchObject({ log: true, queued: 1, unanchored: 2 })
    const anchor = memoryAnchor()
    const made = await testVault({ anchor })
    expect(await made.vault.health()).toMatchObject({ queued: 0, unanchored: 0 })
    await enroll(made.vault)
    expect(await made.vault.health()).toMatchObject({ queued: 1, unanchored: 1 })
    await made.vault.suspend('anna')
    expect(await made.vault.health()).toMatchObject({ queued: 0, unanchored: 0 })
  })
})
