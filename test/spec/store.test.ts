/** SPEC §10: the store port, proved on the memory store and on the LMDB store. @module */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore, type Store, StoreError, type StoreStep, type Table } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { storeConformance } from 'guise/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isVolatileFileSystem, openFailure, refusedFileSystem } from '../../src/store/lmdb-files.ts'
import { compile } from '../fault/compile.ts'

const base = mkdtempSync(join(tmpdir(), 'guise-spec-store-'))
let compiled = ''
let count = 0

beforeAll(() => {
  compiled = compile()
}, 120_000)

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

const newPath = (): string => join(base, `store-${count++}`)
const key = (...bytes: number[]): Uint8Array => Uint8Array.of(5, ...bytes)
const bytes = (fill: number): Uint8Array => new Uint8Array(100).fill(fill)

function put(number: number, expected: string | null, table: Exclude<Table, 'queue'> = 'states'): StoreStep {
  return { step: 'put', table, key: key(number), bytes: bytes(number), expected }
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof StoreError ? error.code : String(error)
}

/** A conformance check by name, on both stores; it throws when there is no such check. */
async function conforms(...names: string[]): Promise<void> {
  for (const make of [async () => memoryStore(), () => lmdbStore({ path: newPath() })]) {
    const checks = new Map(storeConformance(make, {}).map((check) => [check.name, check]))
    for (const name of names) {
      const check = checks.get(name)
      if (check === undefined) throw new Error(`no check is called "${name}"`)
      await check.run()
    }
  }
}

describe('STORE-1', () => {
  test('STORE-1 a commit applies all its steps or none', async () => {
    await conforms(
      'a refused commit leaves nothing, wherever the refused step stands',
      'a commit over several tables applies every step and returns one text a step',
    )
  })

  test('STORE-1 what is acknowledged is in the file before the store is closed', async () => {
    const path = newPath()
    const store = await lmdbStore({ path })
    for (let i = 0; i < 10; i++) {
      await store.commit([put(i, null), put(i, null, 'secrets')])
      const copy = newPath()
      mkdirSync(copy)
      copyFileSync(join(path, 'data.mdb'), join(copy, 'data.mdb'))
      const seen = await lmdbStore({ path: copy })
      expect((await seen.get('states', key(i)))?.bytes).toEqual(bytes(i))
      expect((await seen.get('secrets', key(i)))?.bytes).toEqual(bytes(i))
      await seen.close()
    }
    await store.close()
  })

  test('STORE-1 a store that forgets says so', async () => {
    expect(memoryStore().durable).toBe(false)
    const path = newPath()
    const store = await lmdbStore({ path })
    expect(store.durable).toBe(!isVolatileFileSystem(statfsSync(path).type, process.platform))
    expect(isVolatileFileSystem(0x01021994, 'linux')).toBe(true)
    await store.close()
  })

  test('STORE-1 files are for their owner only', async () => {
    const path = newPath()
    const store = await lmdbStore({ path })
    await store.commit([put(1, null)])
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, 'data.mdb')).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, 'lock.mdb')).mode & 0o777).toBe(0o600)
    await store.close()
  })
})

describe('STORE-2', () => {
  test('STORE-2 of commits that expect one version exactly one wins', async () => {
    await conforms(
      'of 64 commits that expect one version exactly one wins',
      'no update is lost between concurrent read-and-write loops',
      'expectations speak of the state before the commit',
    )
  })

  test('STORE-2 one process opens a directory once, so that its commits have one order', async () => {
    const path = newPath()
    const store = await lmdbStore({ path })
    expect(await codeOf(lmdbStore({ path: join(path, '..', path.split('/').at(-1) ?? '') }))).toBe(
      'ERR_STORE_BUSY',
    )
    await store.close()
    await (await lmdbStore({ path })).close()
  })
})

test('STORE-3 a version never comes back, after deletion and after a restart', async () => {
  await conforms(
    'a version never comes back for a key, not after deletion either',
    'an old version does not fit a row that was deleted and made again',
  )
  const path = newPath()
  const seen = new Set<string>()
  for (let life = 0; life < 5; life++) {
    const store = await lmdbStore({ path })
    const [version = ''] = await store.commit([put(1, null)])
    expect(seen.has(version)).toBe(false)
    seen.add(version)
    await store.commit([{ step: 'delete', table: 'states', key: key(1), expected: version }])
    await store.close()
  }
})

test('STORE-4 a conflict is typed and retryable, and nothing was written', async () => {
  for (const store of [memoryStore(), await lmdbStore({ path: newPath() })]) {
    await store.commit([put(1, null)])
    const error: unknown = await store.commit([put(2, null), put(1, null)]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ code: 'ERR_STORE_CONFLICT', retryable: true })
    expect(await store.get('states', key(2))).toBeUndefined()
    await store.close()
  }
  expect(new StoreError('ERR_STORE_INDETERMINATE', 'x').retryable).toBe(true)
  expect(new StoreError('ERR_STORE_INPUT', 'x').retryable).toBe(false)
})

/** A store whose files may not grow past a limit: what a full quota looks like. */
function workOnSmallDisk(): Record<string, unknown> {
  const script = 'ulimit -f 4096; exec "$0" "$@"'
  const child = join(compiled, 'test', 'fault', 'failing-disk.js')
  const run = spawnSync('sh', ['-c', script, process.execPath, child, newPath(), '30000'], {
    encoding: 'utf8',
  })
  return JSON.parse(run.stdout) as Record<string, unknown>
}

test('STORE-5 after a failed flush nothing is answered until the store is opened again', () => {
  const outcome = workOnSmallDisk()
  for (const call of ['commit', 'check', 'get', 'scan']) expect(outcome[call]).toBe('ERR_STORE_FAILED')
  expect(outcome['reopened']).toBe('none')
  expect(outcome['unhandled']).toBe(0)
})

test('STORE-6 inputs are bounded first and copied; what is returned is a copy', async () => {
  await conforms(
    'what is committed is copied at the call',
    'what is returned is a copy',
    'the largest key and row and the smallest row are kept as they are',
    'what is out of bounds is refused with ERR_STORE_INPUT before anything happens',
    'two writes to one row in one commit are refused',
  )
  for (const options of [undefined, {}, { path: '' }, { path: 'a\0b' }, { path: 'x', mapSizeBytes: 1.5 }]) {
    expect(await codeOf(lmdbStore(options as { path: string }))).toBe('ERR_STORE_INPUT')
  }
})

test('STORE-7 network and user-space file systems are refused by their type', () => {
  const refused = [0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x00c36400, 0x0bd00bd0]
  for (const type of refused) expect(refusedFileSystem(type, 'linux')).toBeTypeOf('string')
  // A 32-bit statfs gives a negative number for CIFS.
  expect(refusedFileSystem(0xff534d42 | 0, 'linux')).toBe('CIFS')
  const accepted = [
    0xef53 /* ext4 */, 0x58465342 /* xfs */, 0x9123683e /* btrfs */, 0x2fc12fc1 /* zfs */, 0x794c7630,
  ]
  for (const type of accepted) expect(refusedFileSystem(type, 'linux')).toBeUndefined()
  // Elsewhere the numbers mean something else.
  expect(refusedFileSystem(0x6969, 'darwin')).toBeUndefined()
})

describe('STORE-8', () => {
  test('STORE-8 a disk without room gives a typed error with nothing half written', () => {
    const outcome = workOnSmallDisk()
    expect(['ERR_STORE_FULL', 'ERR_STORE_INDETERMINATE']).toContain(outcome['first'])
    expect(outcome['acknowledged']).toBeGreaterThan(10)
    // The refused batch had two rows: neither is there, and every acknowledged one is.
    expect(outcome['half']).toBe(outcome['halfOther'])
    expect(outcome['reopened']).toBe('none')
  })

  test('STORE-8 a directory that cannot be written is refused', async () => {
    expect(await codeOf(lmdbStore({ path: '/sys/guise-store' }))).toBe('ERR_STORE_READONLY')
  })

  test.each([
    ['EROFS', 'ERR_STORE_READONLY'],
    ['EACCES', 'ERR_STORE_READONLY'],
    ['ENOSPC', 'ERR_STORE_FULL'],
    ['EDQUOT', 'ERR_STORE_FULL'],
    [28, 'ERR_STORE_FULL'],
    [30, 'ERR_STORE_READONLY'],
    [-30793, 'ERR_STORE_UNSUPPORTED'],
    ['EIO', 'ERR_STORE_FAILED'],
  ])('STORE-8 %s at opening is %s', (code, expected) => {
    const cause = Object.assign(new Error('x'), { code })
    expect(openFailure(cause).code).toBe(expected)
    expect(openFailure(new Error('y', { cause })).code).toBe(expected)
  })
})

test('STORE-9 a scan is in ascending byte order and complete, beside writes too', async () => {
  await conforms(
    'a scan yields every row with key ≥ from, in ascending byte order',
    'a scan of many rows misses none and doubles none',
    'a scan beside writes yields each row that exists throughout, once, in order',
  )
  const rows: Uint8Array[] = []
  const store: Store = await lmdbStore({ path: newPath() })
  for (const byte of [0x80, 0x00, 0xff, 0x7f]) await store.commit([put(byte, null)])
  for await (const row of store.scan('states', new Uint8Array(0))) rows.push(row.key)
  expect(rows).toEqual([key(0), key(0x7f), key(0x80), key(0xff)])
  await store.close()
})

test('STORE-21 rows that are read together are of one instant', async () => {
  await conforms(
    'getMany answers every place in its order, and what get answers',
    'getMany shows one instant, beside commits',
  )
})

test('STORE-22 a reading follows the rows that it reads', async () => {
  await conforms('getMany follows what a row says of the next one’s place')
})

test.each([
  ['no part', []],
  ['an empty key', [new Uint8Array(0)]],
  ['too many parts', Array.from({ length: 9 }, () => key(1))],
  ['a key that is too long', [new Uint8Array(200), { row: 0, at: 0, length: 57 }]],
  ['a row that is read later', [{ row: 1, at: 0, length: 1 }]],
  ['a row before the first', [{ row: -1, at: 0, length: 1 }]],
  ['no length', [{ row: 0, at: 0, length: 0 }]],
  ['a place far off', [{ row: 0, at: 65_537, length: 1 }]],
  ['a part that is none', ['text']],
])('STORE-22 %s is refused', async (_, parts) => {
  for (const store of [memoryStore(), await lmdbStore({ path: newPath() })]) {
    const places = [
      { table: 'states', key: key(1) },
      { table: 'index', key: parts as never },
    ] as const
    await expect(store.getMany?.(places)).rejects.toMatchObject({ code: 'ERR_STORE_INPUT' })
    const first = [{ table: 'states', key: [{ row: 0, at: 0, length: 1 }] }] as const
    await expect(store.getMany?.(first)).rejects.toMatchObject({ code: 'ERR_STORE_INPUT' })
    await store.close()
  }
})
