import { memoryStore, type Vault, type VaultOptions, verifyErasureReceipt } from 'guise'
import { breachReport, countPeople, exportSubject, markBreach, purge, subjectMarkdown } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { gallery, idPoint } from '../support/gallery.ts'
import {
  addition,
  BITS,
  faultsOf,
  outcome,
  referenceWorld,
  shot,
  strangers,
  templates,
  WIDE,
  wide,
} from '../support/references.ts'
import { remove, rowsOf } from '../support/rows.ts'
import { basis, codeOf, SIGNER, type TestVault } from '../support/vault.ts'

const ENDINGS: Readonly<Record<string, (vault: Vault) => Promise<unknown>>> = {
  revoke: (vault) => vault.revoke('ada', 'breach'),
  withdraw: (vault) => vault.withdraw('ada'),
  erase: (vault) => vault.erase('ada'),
}

async function withTwo(options: Parameters<typeof referenceWorld>[0] = {}): Promise<TestVault> {
  const world = await referenceWorld(options)
  await world.vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
  return world
}

describe.each(Object.entries(ENDINGS))('%s', (name, end) => {
  test.each([false, true])(
    'VAULT-91 leaves no code and no wrap of any reference (two stores: %s)',
    async (split) => {
      const secrets = split ? memoryStore() : undefined
      const world = await withTwo(secrets === undefined ? {} : { secrets })
      const { vault, store } = world
      expect(await templates(store, secrets)).toEqual([3, 3])
      await end(vault)
      expect(await templates(store, secrets)).toEqual([0, 0])
      expect(await vault.health()).toMatchObject({ ok: true, unfinished: 0 })
      for (const probeClass of ['any', 'masked', 'glasses'])
        expect(await outcome(vault, 100, probeClass)).toBe('refused')
      expect(await faultsOf(world, secrets)).toEqual([])
      if (name !== 'erase') await vault.erase('ada')
      expect(await rowsOf(store, 'index')).toEqual([])
    },
  )
})

test('VAULT-91 a reissue ends all, and what somebody put back goes with the erasure', async () => {
  const { vault, store } = await withTwo()
  await vault.reissue({ subject: 'ada', ...shot(1), basis: basis() })
  expect(await templates(store)).toEqual([1, 1])
  expect(await vault.describe('ada')).toMatchObject({ references: [] })
  expect(await outcome(vault, 1, 'masked')).toBe('match')
  const kept = await withTwo()
  const rows = [...(await rowsOf(kept.store, 'references')), ...(await rowsOf(kept.store, 'secrets'))]
  await kept.vault.revoke('ada', 'fraud')
  for (const { key, bytes } of rows) {
    const table = key.length === 7 + 16 ? 'references' : 'secrets'
    await kept.store.commit([{ step: 'put', table, key, bytes, expected: null }])
  }
  expect(await templates(kept.store)).toEqual([3, 3])
  await kept.vault.erase('ada')
  expect(await templates(kept.store)).toEqual([0, 0])
})

test('VAULT-91 a purge erases all of them, a seeded vault that forgets one is found out', async () => {
  const world = await withTwo()
  const { store, keyring, vault } = world
  await vault.withdraw('ada')
  const run = purge({ keyring, store, logSigner: SIGNER, policies: [] })
  for await (const _ of run) await Promise.resolve()
  expect(await templates(store)).toEqual([0, 0])
  const other = await withTwo()
  const [, , last] = await rowsOf(other.store, 'references')
  await other.vault.erase('ada')
  // As a vault would that deletes all but one.
  const { key, bytes } = last as { key: Uint8Array; bytes: Uint8Array }
  await other.store.commit([{ step: 'put', table: 'references', key, bytes, expected: null }])
  expect(await templates(other.store)).toEqual([1, 0])
  expect(await faultsOf(other)).toEqual(['orphan references'])
})

test('VAULT-92 the receipt covers the epochs of every reference', async () => {
  const { vault, keyring } = await withTwo()
  await keyring.add()
  await keyring.promote(2)
  await vault.addReference(addition('ada', 1, 'desk'))
  await vault.removeReference({ subject: 'ada', probeClass: 'desk' })
  const before = await vault.renewReceipt(await vault.erase('ada'))
  const statement = verifyErasureReceipt(before, await keyring.receiptPublicKey())
  expect(statement.epochs).toEqual([1, 2])
})

describe('removing one', () => {
  test.each([false, true])(
    'VAULT-93 leaves no row of it and no match by it (two stores: %s)',
    async (split) => {
      const secrets = split ? memoryStore() : undefined
      const world = await withTwo(secrets === undefined ? {} : { secrets })
      const { vault, store } = world
      expect(await outcome(vault, 100, 'masked')).toBe('match')
      const call = { operationId: 'once' }
      await vault.removeReference({ subject: 'ada', probeClass: 'masked' }, call)
      await vault.removeReference({ subject: 'ada', probeClass: 'masked' }, call)
      expect(await templates(store, secrets)).toEqual([2, 2])
      expect(await outcome(vault, 100, 'masked')).toBe('nonmatch')
      expect(await outcome(vault, 1, 'masked')).toBe('match')
      expect(await vault.describe('ada')).toMatchObject({ references: ['glasses'] })
      await vault.removeReference({ subject: 'ada', probeClass: 'glasses' })
      expect(await vault.describe('ada')).toMatchObject({ references: [] })
      expect(await faultsOf(world, secrets)).toEqual([])
    },
  )

  test('VAULT-93 it is refused where there is none, and of a record that is held, revoked or unknown', async () => {
    const { vault } = await withTwo()
    const remove = (probeClass: string, subject = 'ada'): Promise<string> =>
      codeOf(vault.removeReference({ subject, probeClass }))
    expect(await remove('desk')).toBe('ERR_VAULT_REFERENCE')
    expect(await remove('any')).toBe('ERR_VAULT_INPUT')
    expect(await remove('masked', 'eve')).toBe('ERR_VAULT_UNKNOWN_SUBJECT')
    await vault.hold('ada')
    expect(await remove('masked')).toBe('ERR_VAULT_TRANSITION')
    await vault.release('ada')
    await vault.revoke('ada', 'other')
    expect(await remove('masked')).toBe('ERR_VAULT_TRANSITION')
  })
})

test('VAULT-95 fsck looks at every reference', async () => {
  const world = await withTwo()
  const { store, keyring, vault } = world
  expect(await faultsOf(world)).toEqual([])
  await keyring.add()
  await keyring.promote(2)
  let moved = 0
  for await (const { ok } of vault.rotate()) moved += Number(ok)
  expect(moved).toBe(3)
  expect(await faultsOf(world)).toEqual([])
  for (const table of ['references', 'secrets'] as const) {
    for (const { key, bytes } of await rowsOf(store, table)) {
      await remove(store, table, key)
      expect(await faultsOf(world)).toContain(`missing ${table}`)
      await store.commit([{ step: 'put', table, key, bytes, expected: null }])
      const altered = bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))
      await remove(store, table, key)
      await store.commit([{ step: 'put', table, key, bytes: altered, expected: null }])
      expect(await faultsOf(world)).toContain(`sealed ${table}`)
      await remove(store, table, key)
      await store.commit([{ step: 'put', table, key, bytes, expected: null }])
    }
  }
  const [first, second] = await rowsOf(store, 'references')
  await remove(store, 'references', (first as { key: Uint8Array }).key)
  const swapped = {
    ...(second as { key: Uint8Array; bytes: Uint8Array }),
    key: (first as { key: Uint8Array }).key,
  }
  await store.commit([
    { step: 'put', table: 'references', key: swapped.key, bytes: swapped.bytes, expected: null },
  ])
  expect(await faultsOf(world)).toContain('misplaced references')
})

test('VAULT-96 a breach report names every reference, and marks the subject once', async () => {
  const { vault, store, keyring } = await withTwo()
  await vault.removeReference({ subject: 'ada', probeClass: 'glasses' })
  const report = await breachReport({ keyring, store, stolen: { rows: true, secrets: true, keyring: true } })
  expect(report.templates.template).toBe(3)
  expect(report.subjects.template).toBe(1)
  expect(report.affected.filter(({ present }) => present).length).toBe(2)
  expect(report.affected.length).toBe(3)
  expect(new Set(report.affected.filter(({ present }) => present).map(({ record }) => record)).size).toBe(2)
  await outcome(vault, 100, 'masked')
  await vault.close()
  const memory = await breachReport({ keyring, store, stolen: { memory: true } })
  expect(memory.templates.template).toBe(1)
  const marked = await markBreach({ keyring, store, logSigner: SIGNER, report })
  expect(marked.complete).toBe(true)
  expect(await templates(store)).toEqual([0, 0])
  const after = await breachReport({ keyring, store, stolen: { rows: true, secrets: true, keyring: true } })
  expect(after.affected.every(({ present }) => !present)).toBe(true)
})

test('VAULT-96 an export tells of each reference and of what was compared with it', async () => {
  const { vault, store, keyring } = await withTwo()
  expect(await outcome(vault, 100, 'masked')).toBe('match')
  expect(await outcome(vault, 1)).toBe('match')
  await vault.removeReference({ subject: 'ada', probeClass: 'glasses' })
  const told = await exportSubject({
    keyring,
    store,
    logSigner: SIGNER,
    subject: 'ada',
    actor: 'desk',
  })
  expect(told.record?.references).toMatchObject([{ probeClass: 'masked' }])
  const masked = told.record?.references?.[0]?.reference
  expect(told.templates.map(({ reference }) => reference !== undefined)).toEqual([false, true, true])
  expect(told.templates.map(({ endedBy }) => endedBy)).toEqual([null, null, 'reference-remove'])
  expect(told.comparisons.map(({ reference }) => reference)).toEqual([masked, undefined])
  const text = subjectMarkdown(told)
  expect(text).toContain('further template for pictures of the kind masked')
  expect(text).toContain(`1 of \`${masked}\``)
})

test('VAULT-97 a subject with references is one person', async () => {
  const { vault, keyring } = await withTwo()
  await vault.enroll({ subject: 'bob', ...shot(2), basis: basis() })
  const count = async (): Promise<number> => await countPeople(keyring)
  expect(await count()).toBe(2)
  await vault.removeReference({ subject: 'ada', probeClass: 'masked' })
  expect(await count()).toBe(2)
  await vault.revoke('ada', 'other')
  expect(await count()).toBe(1)
})

describe('a gallery', () => {
  test('VAULT-97 has the primary reference alone, and TEMPLATE-6 counts its code', async () => {
    const declared = (bits: 64 | 512): Partial<VaultOptions> => ({
      gallery: gallery({
        bits,
        points: [idPoint({ bits: BITS, galleryBits: bits }, WIDE)],
      }),
    })
    const { vault } = await referenceWorld(declared(64))
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers() })
    const found = async (person: number): Promise<string> =>
      (await vault.identify({ ...shot(person), limit: 1 })).outcome
    expect([await found(1), await found(100), await found(101)]).toEqual(['candidates', 'none', 'none'])
    const full = { ...WIDE, id: 'full@1', dimensions: 1024 } as const
    const points = [idPoint({ bits: BITS, galleryBits: 512 }, full)]
    const narrow = await referenceWorld({ ...wide(full), gallery: gallery({ bits: 512, points }) })
    const sample = (probeClass: string) => shot(1, probeClass, 0, full)
    const enrol = (...classes: readonly string[]): Promise<string> =>
      codeOf(
        narrow.vault.enroll({
          subject: 'ada',
          ...sample('any'),
          basis: basis(),
          references: classes.map(sample),
        }),
      )
    expect(await enrol('masked', 'glasses')).toBe('ERR_VAULT_REFERENCE')
    expect(await enrol('masked')).toBe('resolved')
  })
})
