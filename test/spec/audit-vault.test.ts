/** SPEC §14.6 to §14.8: the log that a vault writes. @module */
import { logElsewhere, memoryStore, type StoreStep } from 'guise'
import { type Checkpoint, verifyConsistency } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import { AuditError } from '../../src/audit/errors.ts'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { hookedStore, onlyRow, rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, sample, testVault } from '../support/vault.ts'
import { ask, enroll, entriesOf, memoryAnchor } from '../support/vault-log.ts'

describe('AUDIT-16 an entry in every commit', () => {
  test('AUDIT-16 every verb leaves the entry that it tells of, in the commit that does it', async () => {
    const commits: (readonly StoreStep[])[] = []
    const inner = memoryStore()
    const store = hookedStore(inner)
    store.fault = { before: (call) => void (call.name === 'commit' && commits.push(call.steps)) }
    const { vault, keyring } = await testVault({ store })
    await enroll(vault)
    expect(await ask(vault, 'anna', 1)).toBe('match')
    expect(await ask(vault, 'anna', 2)).toBe('nonmatch')
    expect(await ask(vault, 'nobody', 2)).toBe('unknown-subject')
    await vault.suspend('anna', { actor: 'desk-4' })
    expect(await ask(vault, 'anna', 1)).toBe('suspended')
    expect(await codeOf(vault.suspend('anna'))).toBe('ERR_VAULT_TRANSITION')
    await vault.resume('anna')
    await vault.rebind('anna')
    await vault.hold('anna')
    await vault.release('anna')
    await vault.resume('anna')
    await keyring.promote(await keyring.add())
    expect(await codeOf(keyring.destroy(2))).toBe('ERR_KEYS_TRANSITION')
    for await (const result of vault.rotate()) expect(result.ok).toBe(true)
    await keyring.disable(1)
    await keyring.enable(1)
    await keyring.retire(2)
    await keyring.renew()
    await vault.reissue({ subject: 'anna', basis: basis(), ...sample(1, 2) })
    await vault.revoke('anna', 'breach')
    await vault.erase('anna')
    await vault.close()
    const entries = await entriesOf(inner)
    expect(entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      'key-add done',
      'enroll done',
      'verify match',
      'verify nonmatch',
      'verify refused',
      'suspend done',
      'verify refused',
      'suspend refused',
      'resume done',
      'rebind done',
      'hold done',
      'release done',
      'resume done',
      'key-add done',
      'key-promote done',
      'key-destroy refused',
      'rotate done',
      'key-disable done',
      'key-enable done',
      'key-retire done',
      'key-renew done',
      'reissue done',
      'revoke done',
      'erase done',
    ])
    expect(entries.find(({ action }) => action === 'suspend')?.actor).toBe('desk-4')
    const changes = (steps: readonly StoreStep[], tables: readonly string[]): boolean =>
      steps.some(({ step, table }) => (step === 'put' || step === 'delete') && tables.includes(table))
    for (const steps of commits) {
      if (!changes(steps, ['states', 'references', 'secrets', 'index', 'keyrings'])) continue
      expect(steps.filter(({ step }) => step === 'append')).toHaveLength(1)
    }
  })

  test('AUDIT-16 what cannot be logged does not happen', async () => {
    const store = hookedStore(memoryStore())
    const { vault } = await testVault({ store })
    await enroll(vault)
    let blocked = 0
    store.fault = {
      before: (call) => {
        if (!call.steps.some(({ step }) => step === 'append')) return
        blocked++
        throw new AuditError('ERR_AUDIT_ANCHOR', 'the queue is blocked')
      },
    }
    const before = toHex((await onlyRow(store, 'states')).bytes)
    for (const call of [
      () => vault.verify({ subject: 'anna', ...sample(1, 1) }),
      () => vault.verify({ subject: 'nobody', ...sample(1, 1) }),
      () => enroll(vault, 'bert', 2),
      () => vault.suspend('anna'),
      () => vault.revoke('anna', 'other'),
      () => vault.erase('anna'),
    ]) {
      expect(await codeOf(call())).toBe('ERR_AUDIT_ANCHOR')
    }
    expect(blocked).toBe(6)
    expect(toHex((await onlyRow(store, 'states')).bytes)).toBe(before)
  })
})

describe('AUDIT-17 writers', () => {
  test('AUDIT-17 a refused commit leaves its number to the next; one of unknown outcome ends its writer', async () => {
    const inner = memoryStore()
    const store = hookedStore(inner)
    const { vault } = await testVault({ store })
    await enroll(vault)
    let code = 'ERR_STORE_CONFLICT'
    let times = 3
    store.fault = {
      before: (call) => {
        if (!call.steps.some(({ step }) => step === 'append') || times-- <= 0) return
        throw Object.assign(new AuditError('ERR_AUDIT_ANCHOR', 'planted'), { code })
      },
    }
    expect(await ask(vault, 'anna', 1)).toBe('match')
    ;[code, times] = ['ERR_STORE_INDETERMINATE', 1]
    expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe('ERR_STORE_INDETERMINATE')
    expect(await ask(vault, 'anna', 1)).toBe('match')
    store.fault = {}
    await vault.close()
    const chains = new Map<string, number[]>()
    for (const { writer, sequence } of await entriesOf(inner)) {
      chains.set(toHex(writer), [...(chains.get(toHex(writer)) ?? []), sequence])
    }
    expect([...chains.values()]).toEqual([[0, 1, 2], [0]])
  })

  test('AUDIT-17 commits under way at once have a writer each', async () => {
    const { vault, store } = await testVault()
    await Promise.all(Array.from({ length: 12 }, (_, person) => enroll(vault, `p${person}`, person)))
    await vault.close()
    const entries = (await entriesOf(store)).filter(({ action }) => action === 'enroll')
    expect(new Set(entries.map(({ writer }) => toHex(writer))).size).toBe(12)
  })
})

describe('AUDIT-18 the queue', () => {
  const quiet = { logSigner: undefined as never, [logElsewhere]: true } as const

  test('AUDIT-18 rows that no holder of the keys wrote are passed over', async () => {
    const made = await testVault(quiet)
    await enroll(made.vault)
    const [row] = (await rowsOf(made.store, 'queue')).slice(-1)
    const forged = Uint8Array.from(row?.bytes ?? [])
    forged[20] = (forged[20] as number) ^ 1
    for (const bytes of [forged, new Uint8Array(3), new Uint8Array(200)]) {
      await made.store.commit([{ step: 'append', table: 'queue', bytes }])
    }
    // A row that was integrated before, once more.
    await made.store.commit([{ step: 'append', table: 'queue', bytes: row?.bytes ?? new Uint8Array(1) }])
    const other = await made.open({ logSigner: SIGNER })
    expect(await ask(other, 'anna', 1)).toBe('match')
    await other.close()
    expect((await entriesOf(made.store)).map(({ action }) => action)).toEqual(['key-add', 'enroll', 'verify'])
  })

  test('AUDIT-18 a tail that was cut shows at the next entry of its writer, here and elsewhere', async () => {
    for (const elsewhere of [false, true]) {
      const made = await testVault(quiet)
      await enroll(made.vault)
      expect(await ask(made.vault, 'anna', 2)).toBe('nonmatch')
      const [tail] = (await rowsOf(made.store, 'queue')).slice(-1)
      const { key, version } = tail as { key: Uint8Array; version: string }
      await made.store.commit([{ step: 'delete', table: 'queue', key, expected: version }])
      if (elsewhere) {
        await ask(made.vault, 'nobody', 2)
        expect(await codeOf(made.open({ logSigner: SIGNER }))).toBe('ERR_AUDIT_DELETION')
      } else {
        const other = await made.open({ logSigner: SIGNER })
        // The attempts row that the entry told of is there: it is refused without it.
        expect(await codeOf(ask(other, 'anna', 1))).toBe('ERR_AUDIT_ROLLBACK')
        await other.close()
      }
    }
  })
})

describe('AUDIT-19 integration', () => {
  test('AUDIT-19 within a second, once, in the order of each writer, by four vaults at once', async () => {
    const made = await testVault()
    const vaults = [made.vault, await made.open(), await made.open(), await made.open()]
    await Promise.all(vaults.flatMap((vault, i) => [enroll(vault, `a${i}`, i), enroll(vault, `b${i}`, i)]))
    for (let round = 0; round < 20; round++) {
      await Promise.all(vaults.map((vault, i) => ask(vault, `a${(i + round) % 4}`, (i + round) % 4)))
    }
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(await rowsOf(made.store, 'queue')).toEqual([])
    const entries = await entriesOf(made.store)
    expect(entries).toHaveLength(1 + 8 + 80)
    const next = new Map<string, number>()
    for (const { writer, sequence } of entries) {
      expect(sequence).toBe(next.get(toHex(writer)) ?? 0)
      next.set(toHex(writer), sequence + 1)
    }
    expect((await made.vault.health()).queued).toBe(0)
  })

  test('AUDIT-19 opening integrates what others left', async () => {
    const made = await testVault({ logSigner: undefined as never, [logElsewhere]: true })
    await enroll(made.vault)
    expect(await rowsOf(made.store, 'queue')).toHaveLength(2)
    await made.open({ logSigner: SIGNER })
    expect(await rowsOf(made.store, 'queue')).toEqual([])
  })
})

describe('AUDIT-20 checkpoints', () => {
  test('AUDIT-20 a head is durable before it is signed, and each checkpoint continues the one before', async () => {
    const inner = memoryStore()
    const anchor = memoryAnchor()
    const signed: number[] = []
    const signer = {
      origin: SIGNER.origin,
      publicKey: SIGNER.publicKey,
      sign: async (note: Uint8Array) => {
        const size = Number(new TextDecoder().decode(note).split('\n')[1])
        const head = (await rowsOf(inner, 'log')).find(({ key }) => key.at(-1) === 0 && key.length === 8)
        expect(head).toBeDefined()
        expect((await entriesOf(inner)).length).toBeGreaterThanOrEqual(size)
        signed.push(size)
        return SIGNER.sign(note)
      },
    }
    const made = await testVault({ store: inner, logSigner: signer, anchor })
    const checkpoints: Checkpoint[] = []
    for (let round = 0; round < 4; round++) {
      await enroll(made.vault, `p${round}`, round)
      await made.vault.suspend(`p${round}`)
      checkpoints.push(anchor.kept as Checkpoint)
    }
    expect(signed).toEqual([...signed].sort((a, b) => a - b))
    expect(checkpoints.map(({ size }) => size)).toEqual([3, 5, 7, 9])
    const { storedHashes } = await import('../../src/audit/stored-hashes.ts')
    const { openTree } = await import('../../src/audit/tree.ts')
    const tree = await openTree(storedHashes(inner, 'clinic' as Realm), 9)
    for (const [i, older] of checkpoints.slice(0, -1).entries()) {
      const newer = checkpoints[i + 1] as Checkpoint
      verifyConsistency(older, newer, await tree.consistency(older.size, newer.size))
    }
  })
})
