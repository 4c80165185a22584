/** Requirement POLICY-10 of SPEC.md. @module */
/// <reference types="node" />

import { memoryStore, type Store, StoreError, type Vault } from 'guise'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { hookedStore, overwrite, rowsOf } from '../support/rows.ts'
import { basis, codeOf, manualClock, sample, testVault } from '../support/vault.ts'

const wrong = async (vault: Vault, i: number): Promise<string> =>
  (await vault.verify({ subject: 'anna', ...sample(2 + i, 1) })).outcome

describe('POLICY-10 the limit of the realm', () => {
  const enrolled = async (
    limit: number,
    store: Store = memoryStore(),
  ): Promise<Awaited<ReturnType<typeof testVault>> & { readonly clock: ReturnType<typeof manualClock> }> => {
    const clock = manualClock(1_800_000_000_000)
    const attempts = { realmPerHour: limit, consecutive: 100, total: 1000, generation: 1000 }
    const made = await testVault({ clock, attempts, store })
    const grantedAt = new Date(clock.nowMs())
    const expiresAt = new Date(clock.nowMs() + 86_400_000)
    await made.vault.enroll({ subject: 'anna', basis: basis({ grantedAt, expiresAt }), ...sample(1) })
    return { ...made, clock }
  }
  const ask = async (vault: Vault, many: number): Promise<number> => {
    let answered = 0
    for (let i = 0; i < many; i++) if ((await wrong(vault, i)) === 'nonmatch') answered++
    return answered
  }

  test('POLICY-10 one writer counts exactly, for an hour of the steady clock', async () => {
    const { vault, clock } = await enrolled(20)
    expect(await ask(vault, 30)).toBe(20)
    expect(await vault.verify({ subject: 'anna', ...sample(1, 1) })).toEqual({
      outcome: 'refused',
      reason: 'throttled',
    })
    for (const jump of [7_200_000, -9_000_000, 3_000_000]) {
      clock.jump(jump)
      expect(await ask(vault, 1)).toBe(0)
    }
    clock.advance(3_600_000)
    expect(await ask(vault, 30)).toBe(20)
  })

  test('POLICY-10 several writers err by no more than one flush each', async () => {
    const { vault, open, clock, store } = await enrolled(100)
    const vaults = [vault, await open(), await open()]
    let answered = 0
    for (let round = 0; round < 40; round++) {
      for (const one of vaults) answered += await ask(one, 5)
      clock.advance(1000)
    }
    expect(answered).toBeGreaterThanOrEqual(100)
    expect(answered).toBeLessThanOrEqual(100 + 3 * 64)
    const rows = (await rowsOf(store, 'attempts')).filter((row) => isRealmRow(row.key))
    expect(rows).toHaveLength(3)
    // A new process reads them before its first comparison.
    expect(await ask(await open(), 5)).toBe(0)
  })

  test('POLICY-10 a flush that fails refuses the next comparison, and the count goes on', async () => {
    const store = hookedStore(memoryStore())
    const { vault, clock } = await enrolled(1000, store)
    const isFlush = (steps: readonly { readonly step: string; readonly key?: Uint8Array }[]): boolean =>
      steps.some((step) => step.key !== undefined && toHex(step.key).includes('ff'.repeat(16)))
    for (const code of ['ERR_STORE_FULL', 'ERR_STORE_INDETERMINATE', 'ERR_STORE_CONFLICT'] as const) {
      for (const when of ['before', 'after'] as const) {
        await ask(vault, 1)
        clock.advance(1000)
        store.fault = {
          [when]: (call: { readonly steps: readonly never[] }) => {
            if (isFlush(call.steps)) throw new StoreError(code, 'made by a test')
          },
        }
        expect(await codeOf(vault.verify({ subject: 'anna', ...sample(1, 1) }))).toBe(code)
        store.fault = {}
        expect((await vault.verify({ subject: 'anna', ...sample(1, 1) })).outcome).toBe('match')
      }
    }
    await vault.close()
    const [row] = (await rowsOf(store, 'attempts')).filter((one) => isRealmRow(one.key))
    // Kind, realm, writer, window: the count follows, six failures so far.
    expect(row?.bytes.at(-34)).toBe(6)
  })

  test('POLICY-10 rows that lie elsewhere or were altered are not counted', async () => {
    const { vault, open, store } = await enrolled(4)
    await ask(vault, 3)
    await vault.close()
    const [row] = (await rowsOf(store, 'attempts')).filter((one) => isRealmRow(one.key))
    if (row === undefined) throw new Error('no counter')
    const elsewhere = row.key.map((byte, i) => (i === row.key.length - 1 ? byte ^ 1 : byte))
    const fresh = async (): Promise<string> =>
      (await (await open()).verify({ subject: 'anna', ...sample(1, 1) })).outcome
    expect(await fresh()).toBe('match')
    await overwrite(store, 'attempts', elsewhere, row.bytes)
    expect(await fresh()).toBe('match')
    await overwrite(
      store,
      'attempts',
      elsewhere,
      row.bytes.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
    )
    expect(await fresh()).toBe('match')
    const last = await open()
    await ask(last, 1)
    await last.close()
    expect(await fresh()).toBe('refused')
  })

  test('POLICY-10 comparisons under way cannot pass the limit by more than one flush', async () => {
    const clock = manualClock()
    const attempts = { realmPerHour: 10, consecutive: 100, total: 1000, generation: 1000 }
    const { vault } = await testVault({ clock, attempts })
    const people = Array.from({ length: 150 }, (_, i) => `p${i}`)
    for (const subject of people) await vault.enroll({ subject, basis: basis(), ...sample(1) })
    const asked = people.map((subject) => vault.verify({ subject, ...sample(2) }))
    const answers = (await Promise.all(asked)).filter(({ outcome }) => outcome === 'nonmatch')
    expect(answers.length).toBeGreaterThanOrEqual(10)
    expect(answers.length).toBeLessThanOrEqual(10 + 64)
  })

  test('POLICY-10 with a great limit a writer lags by no more than a 256th of it, and writes no oftener than it must', async () => {
    const store = hookedStore(memoryStore())
    const attempts = { realmPerHour: 512 * 256, consecutive: 100, total: 1000, generation: 1000 }
    const { vault } = await testVault({ attempts, store })
    const people = Array.from({ length: 1100 }, (_, i) => `p${i % 22}`)
    for (const subject of new Set(people)) await vault.enroll({ subject, basis: basis(), ...sample(1) })
    let flushes = 0
    store.fault = {
      before: ({ steps }) => {
        if (steps.some((step) => step.step === 'put' && isRealmRow(step.key))) flushes += 1
      },
    }
    for (let i = 0; i < people.length; i += 100)
      await Promise.all(people.slice(i, i + 100).map((subject) => vault.verify({ subject, ...sample(2) })))
    const [row] = (await rowsOf(store, 'attempts')).filter(({ key }) => isRealmRow(key))
    expect(countIn(row?.bytes)).toBeGreaterThanOrEqual(1100 - 512)
    expect(flushes).toBeGreaterThanOrEqual(2)
    expect(flushes).toBeLessThanOrEqual(6)
    await vault.close()
    const [last] = (await rowsOf(store, 'attempts')).filter(({ key }) => isRealmRow(key))
    expect(countIn(last?.bytes)).toBe(1100)
  })
})

/** Its key has, where others have a handle, sixteen bytes of 255. */
function isRealmRow(key: Uint8Array): boolean {
  return toHex(key).includes('ff'.repeat(16))
}

/** Kind, realm, writer and window come before the count, the version and the tag behind it. */
function countIn(bytes: Uint8Array | undefined): number {
  const row = Buffer.from(bytes ?? [])
  const end = row.length - 33
  return row[end - 3] === 0x19 ? row.readUInt16BE(end - 2) : (row[end - 1] as number)
}
