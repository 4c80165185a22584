/** SPEC §14.6 to §14.8: the log that a vault writes. @module */
import { logElsewhere, memoryStore, type Store, type StoreStep, type Vault } from 'guise'
import { type AuditEntry, type Checkpoint, decodeEntry, verifyConsistency } from 'guise/audit'
import { describe, expect, test } from 'vitest'
import type { Anchor } from '../../src/audit/anchor.ts'
import { AuditError } from '../../src/audit/errors.ts'
import { decodePage, headKey } from '../../src/audit/log-rows.ts'
import type { Realm } from '../../src/base/brand.ts'
import { toHex } from '../../src/base/bytes.ts'
import { queueRow } from '../reference/audit.ts'
import { SecondVault } from '../reference/second.ts'
import { hookedStore, onlyRow, overwrite, rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, sample, type TestVault, testVault } from '../support/vault.ts'

const enroll = (vault: Vault, subject = 'anna', person = 1): Promise<unknown> =>
  vault.enroll({ subject, basis: basis(), ...sample(person) })
const ask = async (vault: Vault, subject: string, person: number): Promise<string> => {
  const decision = await vault.verify({ subject, ...sample(person, 1) })
  return decision.outcome === 'refused' ? String(decision.reason) : decision.outcome
}

/** All entries in the order of the log. */
async function entriesOf(store: Store): Promise<readonly AuditEntry[]> {
  const rows = await rowsOf(store, 'log')
  return rows
    .filter(({ key }) => key.at(-9) === 2)
    .flatMap(({ bytes }) => decodePage(bytes).map((entry) => decodeEntry(entry)))
}

/** An anchor in memory that can be stopped. */
function memoryAnchor(): Anchor & { kept: Checkpoint | undefined; down: boolean } {
  const anchor = {
    kept: undefined as Checkpoint | undefined,
    down: false,
    read: async () => anchor.kept,
    advance: async (next: Checkpoint) => {
      if (anchor.down) throw new AuditError('ERR_AUDIT_ANCHOR', 'down', { retryable: true })
      if (next.size < (anchor.kept?.size ?? 0)) throw new AuditError('ERR_AUDIT_ROLLBACK', 'older')
      anchor.kept = next
    },
  }
  return anchor
}

/** A copy of a memory store as it is now. */
async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore()
  for (const table of ['references', 'secrets', 'states', 'index', 'attempts', 'keyrings', 'log'] as const) {
    for (const { key, bytes } of await rowsOf(store, table)) {
      await copy.commit([{ step: 'put', table, key, bytes, expected: null }])
    }
  }
  for (const { bytes } of await rowsOf(store, 'queue')) {
    await copy.commit([{ step: 'append', table: 'queue', bytes }])
  }
  return copy
}

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
      const { openKeyring } = await import('guise')
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
      const { openKeyring } = await import('guise')
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
