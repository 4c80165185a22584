/** The group commit against an environment that does what it is told (STORE-1, STORE-4, STORE-5, STORE-8). @module */

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { StoreError } from '../../src/store/errors.ts'
import type { Environment, EnvironmentTable, TransactionFailure } from '../../src/store/lmdb-environment.ts'
import { CommitGroups, decideChecks } from '../../src/store/lmdb-group.ts'
import { keyText, type OwnedStep } from '../../src/store/steps.ts'
import type { StoredRow, Table } from '../../src/store/store.ts'

/** Rows in a map; a transaction waits for `lock`, then runs, then ends as `flush` says. */
class Fake implements Environment {
  readonly rows = new Map<string, number>()
  sequence = 0
  transactions = 0
  free = Number.POSITIVE_INFINITY
  lock: Promise<void> = Promise.resolve()
  flush: () => Promise<TransactionFailure | undefined> = async () => undefined

  table(name: Table): EnvironmentTable {
    const rows = this.rows
    const nameOf = (key: Uint8Array): string => `${name}/${keyText(key)}`
    return {
      read: (): StoredRow | undefined => undefined,
      matches: (key, expected) => {
        const version = rows.get(nameOf(key))
        return expected === null ? version === undefined : String(version) === expected
      },
      put: (key, _bytes, version) => void rows.set(nameOf(key), version),
      remove: (key) => void rows.delete(nameOf(key)),
      page: () => [],
    }
  }
  readSequence(): number {
    return this.sequence
  }
  writeSequence(sequence: number): void {
    this.sequence = sequence
  }
  async transaction(work: () => void): Promise<TransactionFailure | undefined> {
    this.transactions += 1
    await this.lock
    work()
    return this.flush()
  }
  /** How many transactions to come begin from an older state. */
  stale = 0
  acknowledged = 0
  followsNewest(): boolean {
    return this.stale-- <= 0
  }
  acknowledge(): void {
    this.acknowledged += 1
  }
  newest(): number {
    return 0
  }
  isBehind(): boolean {
    return false
  }
  isNewest(): boolean {
    return true
  }
  refresh(): void {
    this.transactions += 0
  }
  freeBytes(): number {
    return this.free
  }
  async close(): Promise<void> {
    await Promise.resolve()
  }
}

function put(number: number, expected: string | null = null): readonly OwnedStep[] {
  return [{ step: 'put', table: 'states', key: Uint8Array.of(number), bytes: new Uint8Array(10), expected }]
}

function remove(number: number, expected: string): readonly OwnedStep[] {
  return [{ step: 'delete', table: 'states', key: Uint8Array.of(number), bytes: new Uint8Array(0), expected }]
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'none',
    (error: unknown) => (error instanceof StoreError ? error.code : error),
  )
}

test('commits that wait together share one transaction, each decided after the one before', async () => {
  const fake = new Fake()
  const groups = new CommitGroups(fake, 1000)
  const outcomes = await Promise.all([
    groups.commit(put(1), undefined),
    codeOf(groups.commit(put(1), undefined)),
    groups.commit(put(2), undefined),
  ])
  expect(outcomes).toEqual([['1'], 'ERR_STORE_CONFLICT', ['2']])
  expect(fake.transactions).toBe(1)
})

test('nothing is told before the flush, a conflict neither', async () => {
  const fake = new Fake()
  let release = (): void => undefined
  const flushed = new Promise<undefined>((resolve) => {
    release = () => resolve(undefined)
  })
  fake.flush = () => flushed
  const groups = new CommitGroups(fake, 1000)
  const told: unknown[] = []
  const calls = [groups.commit(put(1), undefined), groups.commit(put(1), undefined)].map((call) =>
    codeOf(call).then((code) => told.push(code)),
  )
  await sleep(20)
  expect(told).toEqual([])
  release()
  await Promise.all(calls)
  expect(told).toEqual(['none', 'ERR_STORE_CONFLICT'])
})

test('a failed flush leaves the commits of its group indeterminate and fails all later ones', async () => {
  const fake = new Fake()
  fake.flush = async () => {
    await sleep(5)
    return { full: false, cause: new Error('EIO') }
  }
  const groups = new CommitGroups(fake, 1000)
  const first = [codeOf(groups.commit(put(1), undefined)), codeOf(groups.commit(put(1), undefined))]
  await sleep(2)
  const second = codeOf(groups.commit(put(2), undefined))
  expect(await Promise.all(first)).toEqual(['ERR_STORE_INDETERMINATE', 'ERR_STORE_INDETERMINATE'])
  expect(await second).toBe('ERR_STORE_FAILED')
  expect(groups.failed?.code).toBe('ERR_STORE_FAILED')
  expect(fake.transactions).toBe(1)
})

test('a transaction known to lack room is full, and the store still answers nothing afterwards', async () => {
  const fake = new Fake()
  fake.flush = async () => {
    return { full: true, cause: new Error('ENOSPC') }
  }
  const groups = new CommitGroups(fake, 1000)
  expect(await codeOf(groups.commit(put(1), undefined))).toBe('ERR_STORE_FULL')
  expect(groups.failed?.code).toBe('ERR_STORE_FAILED')
})

test('before the disk is full rows are refused and deletions are not, and room makes both possible again', async () => {
  const fake = new Fake()
  const groups = new CommitGroups(fake, 1000)
  // Plenty is believed for a while: afterwards the disk is asked again.
  for (let i = 10; i < 50; i++) await groups.commit(put(i), undefined)
  fake.rows.clear()
  fake.rows.set(`states/${keyText(Uint8Array.of(1))}`, 1)
  fake.free = 100_000
  for (let i = 10; i < 50; i++) await codeOf(groups.commit(put(i), undefined))
  fake.rows.clear()
  fake.rows.set(`states/${keyText(Uint8Array.of(1))}`, 1)
  expect(await codeOf(groups.commit(put(2), undefined))).toBe('ERR_STORE_FULL')
  expect(fake.rows.size).toBe(1)
  expect(await codeOf(groups.commit(remove(1, '1'), undefined))).toBe('none')
  expect(groups.failed).toBeUndefined()
  fake.free = Number.POSITIVE_INFINITY
  expect(await codeOf(groups.commit(put(2), undefined))).toBe('none')
})

test('a write lock that does not come makes the waiting commits busy, with nothing written', async () => {
  const fake = new Fake()
  let unlock = (): void => undefined
  fake.lock = new Promise((resolve) => {
    unlock = resolve
  })
  const groups = new CommitGroups(fake, 30)
  expect(await codeOf(groups.commit(put(1), undefined))).toBe('ERR_STORE_BUSY')
  unlock()
  expect(await codeOf(groups.commit(put(2), undefined))).toBe('none')
  expect([...fake.rows.keys()]).toEqual([`states/${keyText(Uint8Array.of(2))}`])
  await groups.idle()
})

test('an abort while waiting withdraws the commit; one after the decision changes nothing', async () => {
  const fake = new Fake()
  let unlock = (): void => undefined
  fake.lock = new Promise((resolve) => {
    unlock = resolve
  })
  fake.flush = () => sleep(20, undefined)
  const groups = new CommitGroups(fake, 1000)
  const early = new AbortController()
  const late = new AbortController()
  const reason = new Error('enough')
  const calls = [codeOf(groups.commit(put(1), early.signal)), codeOf(groups.commit(put(2), late.signal))]
  await sleep(2)
  early.abort(reason)
  unlock()
  await sleep(5)
  late.abort(reason)
  expect(await Promise.all(calls)).toEqual([reason, 'none'])
  expect([...fake.rows.keys()]).toEqual([`states/${keyText(Uint8Array.of(2))}`])
})

test('a flood is taken in bounded groups and none is forgotten', async () => {
  const fake = new Fake()
  const groups = new CommitGroups(fake, 1000)
  const step = (i: number): OwnedStep => ({
    step: 'append',
    table: 'queue',
    key: new Uint8Array(0),
    bytes: new Uint8Array(1),
    expected: null,
    ...(i < 0 ? { table: 'log' } : {}),
  })
  const calls = Array.from({ length: 30 }, () =>
    groups.commit(
      Array.from({ length: 1000 }, (_, i) => step(i)),
      undefined,
    ),
  )
  const versions = (await Promise.all(calls)).flat()
  expect(new Set(versions).size).toBe(30_000)
  expect(fake.transactions).toBe(4)
})

test('STORE-8 whoever comes later waits for the lock no longer than whoever came first', async () => {
  const environment = new Fake()
  let release: () => void = () => undefined
  environment.lock = new Promise((resolve) => {
    release = resolve
  })
  const groups = new CommitGroups(environment, 60)
  const busy = expect.objectContaining({ code: 'ERR_STORE_BUSY' })
  await expect(groups.commit(put(1), undefined)).rejects.toEqual(busy)
  // The transaction of the first still waits for the lock.
  await expect(groups.commit(put(2), undefined)).rejects.toEqual(busy)
  await sleep(40)
  const late = groups.commit(put(3), undefined)
  await sleep(40)
  release()
  expect(await late).toEqual(['1'])
  expect(environment.transactions).toBe(1)
})

test('nothing is decided in a transaction that begins from an older state', async () => {
  const fake = new Fake()
  const groups = new CommitGroups(fake, 1000)
  fake.stale = 2
  expect(await groups.commit(put(1), undefined)).toEqual(['1'])
  expect([fake.transactions, fake.acknowledged]).toEqual([3, 1])
  expect(await codeOf(groups.commit(put(1), undefined))).toBe('ERR_STORE_CONFLICT')
  expect(await groups.commit([], undefined)).toEqual([])
  // Only what changed something moves what reads must see.
  expect(fake.acknowledged).toBe(1)
})

test('checks on a snapshot that is not the newest are decided under the lock', () => {
  const fake = new Fake()
  const check = {
    step: 'check',
    table: 'states',
    key: Uint8Array.of(1),
    bytes: new Uint8Array(0),
    expected: null,
  } as const
  expect(decideChecks(fake, [check])).toEqual([''])
  fake.isNewest = () => false
  expect(decideChecks(fake, [check])).toBeUndefined()
})
