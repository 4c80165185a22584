/** Where LMDB begins, against files that tell another tale (STORE-23). @module */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lmdbStore } from 'guise/lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { NewestTransaction } from '../../src/store/lmdb-newest.ts'
import { openEnvironment } from '../../src/store/lmdb-open.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guise-newest-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

const lockFile = (): Buffer => readFileSync(join(folder, 'lock.mdb'))

async function commits(count: number): Promise<void> {
  const store = await lmdbStore({ path: folder })
  for (let i = 0; i < count; i++) {
    await store.commit([{ step: 'append', table: 'queue', bytes: Uint8Array.of(i) }])
  }
  await store.close()
}

test('the newest transaction is read from whichever page has it', async () => {
  await commits(1)
  const newest = new NewestTransaction(folder)
  const first = newest.read()
  for (let i = 1; i <= 3; i++) {
    await commits(1)
    expect(newest.read()).toBe(first + i)
  }
  newest.close()
})

test('a transaction that follows an older one is told so, and the number is put right', async () => {
  await commits(3)
  const newest = new NewestTransaction(folder)
  const number = newest.read()
  expect(newest.isFollowedBy(number + 1)).toBe(true)
  const bytes = lockFile()
  bytes.writeBigUInt64LE(BigInt(number - 1), 8)
  writeFileSync(join(folder, 'lock.mdb'), bytes)
  expect(newest.isFollowedBy(number)).toBe(false)
  expect(lockFile().readBigUInt64LE(8)).toBe(BigInt(number))
  newest.close()
})

test.each<[string, (bytes: Buffer, newest: number) => void, number]>([
  ['no lock file of LMDB', (bytes) => bytes.writeUInt32LE(0, 0), 0],
  ['a number beyond the newest', (bytes, newest) => bytes.writeBigUInt64LE(BigInt(newest + 1), 8), 0],
  ['a transaction beyond the next', () => undefined, 2],
])('%s is left alone, and the store fails', async (_, change, ahead) => {
  await commits(3)
  const newest = new NewestTransaction(folder)
  const number = newest.read()
  const bytes = lockFile()
  change(bytes, number)
  writeFileSync(join(folder, 'lock.mdb'), bytes)
  expect(() => newest.isFollowedBy(number + ahead)).toThrow(
    expect.objectContaining({ code: 'ERR_STORE_FAILED' }),
  )
  expect(lockFile()).toEqual(bytes)
  newest.close()
})

test('of a copy nobody knows whether it shows the newest state before somebody wrote to it', async () => {
  await commits(9)
  const copy = join(folder, 'copy')
  const store = await lmdbStore({ path: folder })
  await store.backup(copy)
  await store.close()
  const environment = openEnvironment(copy, 2 ** 20)
  try {
    expect(environment.isBehind()).toBe(false)
    expect(environment.isNewest(environment.newest())).toBe(false)
    expect(await environment.transaction(() => environment.writeSequence(10))).toBeUndefined()
    const number = environment.newest()
    environment.refresh()
    expect(environment.isNewest(number)).toBe(true)
    expect(environment.isNewest(number - 1)).toBe(true)
    expect(environment.isNewest(number + 1)).toBe(false)
  } finally {
    await environment.close()
  }
})

test('a store without its file is not open', () => {
  expect(() => new NewestTransaction(folder)).toThrow('ENOENT')
})
