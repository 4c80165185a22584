/** The local provider over a file system that fails at one call after the other. @module */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { failureOf, REALM } from './keys-support.ts'

/** Counts calls of the file system and fails the one whose turn it is. */
const disk = vi.hoisted(() => {
  const state = { calls: 0, failAt: 0, names: [] as string[] }
  const step = (name: string): void => {
    state.names.push(name)
    if (++state.calls === state.failAt) throw Object.assign(new Error(`EIO: ${name}`), { code: 'EIO' })
  }
  return { state, step }
})

vi.mock('node:fs/promises', async (importActual) => {
  const actual = await importActual<Record<string, (...args: unknown[]) => Promise<unknown>>>()
  const counted =
    (name: string) =>
    async (...args: unknown[]) => {
      disk.step(name)
      return await actual[name]!(...args)
    }
  const open = async (...args: unknown[]) => {
    disk.step('open')
    const handle = (await actual['open']!(...args)) as Record<
      string,
      (...args: unknown[]) => Promise<unknown>
    >
    for (const name of ['stat', 'readFile', 'writeFile', 'write', 'sync']) {
      const method = handle[name]!.bind(handle)
      handle[name] = async (...given: unknown[]) => {
        disk.step(name)
        return await method(...given)
      }
    }
    return handle
  }
  return {
    ...actual,
    open,
    ...Object.fromEntries(['link', 'unlink', 'mkdir', 'stat'].map((n) => [n, counted(n)])),
  }
})

const KEY = new Uint8Array(32).fill(5)
const SECRET = new Uint8Array(32).fill(0xa5)
const CONTEXT = epochContext(REALM, 1)
const NAME = toHex(sha256(CONTEXT))

let path = ''
beforeAll(cryptoReady)
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'guise-faults-')), 'keys')
})
afterEach(async () => {
  disk.state.failAt = 0
  vi.restoreAllMocks()
  vi.resetModules()
  await rm(join(path, '..'), { recursive: true, force: true })
})

/** Runs a task with the disk failing at its n-th call; false once it has fewer calls than that. */
async function failsAt(n: number, task: () => Promise<unknown>): Promise<boolean> {
  disk.state.calls = 0
  disk.state.names = []
  disk.state.failAt = n
  try {
    await task()
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'EIO' })
    return true
  } finally {
    disk.state.failAt = 0
  }
}

/** The calls happened in this order, with others between; no call is counted for two. */
function expectInOrder(names: readonly string[]): void {
  let at = -1
  for (const name of names) {
    at = disk.state.names.indexOf(name, at + 1)
    expect(at).toBeGreaterThanOrEqual(0)
  }
}

describe('whichever call of the disk fails', () => {
  test('wrapping leaves a directory that works', async () => {
    let n = 1
    for (; await failsAt(n, () => localKeyProvider({ path, key: KEY }).wrap(SECRET, CONTEXT)); n++) {
      const provider = localKeyProvider({ path, key: KEY })
      const wrapped = await provider.wrap(SECRET, CONTEXT)
      expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(SECRET)
      await rm(path, { recursive: true, force: true })
    }
    expect(n).toBeGreaterThan(20)
    expect(await readdir(path)).toEqual(expect.arrayContaining(['root', NAME]))
  })

  test('wrapping again gives the key that was there', async () => {
    const wrapped = await localKeyProvider({ path, key: KEY }).wrap(SECRET, CONTEXT)
    let n = 1
    while (await failsAt(n, () => localKeyProvider({ path, key: KEY }).wrap(SECRET, CONTEXT))) n++
    expect(await localKeyProvider({ path, key: KEY }).unwrap(wrapped, CONTEXT)).toEqual(SECRET)
  })

  test('destroying is finished by a retry, and confirmed only when the key is gone', async () => {
    const provider = localKeyProvider({ path, key: KEY })
    let n = 1
    for (;;) {
      const context = epochContext(REALM, n)
      await provider.wrap(SECRET, context)
      const failed = await failsAt(n, () => localKeyProvider({ path, key: KEY }).destroy(context))
      const name = toHex(sha256(context))
      const names = await readdir(path)
      if (names.includes(`${name}.destroyed`)) expect(names).not.toContain(name)
      if (!failed) break
      const { confirmedAt } = await provider.destroy(context)
      expect(await provider.destroy(context)).toEqual({ confirmedAt })
      expect(await readdir(path)).not.toContain(name)
      n++
    }
    expect(n).toBeGreaterThan(15)
  })

  test('a new file is flushed before it has its name, and its name before it is used', async () => {
    const provider = localKeyProvider({ path, key: KEY })
    await provider.wrap(SECRET, CONTEXT)
    disk.state.names = []
    await provider.wrap(SECRET, epochContext(REALM, 2))
    expectInOrder(['writeFile', 'sync', 'link', 'sync', 'readFile'])
  })

  test('the old key is overwritten and flushed before it is removed', async () => {
    const provider = localKeyProvider({ path, key: KEY })
    await provider.wrap(SECRET, CONTEXT)
    disk.state.names = []
    await provider.destroy(CONTEXT)
    expectInOrder(['write', 'sync', 'unlink', 'sync', 'writeFile'])
  })
})

test('where directories cannot be flushed the files are', async () => {
  vi.spyOn(process, 'platform', 'get').mockReturnValue('win32')
  vi.resetModules()
  const { localKeyProvider: onWindows } = await import('../../src/keys/local.ts')
  const provider = onWindows({ path, key: KEY })
  const wrapped = await provider.wrap(SECRET, CONTEXT)
  expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(SECRET)
  expect((await provider.destroy(CONTEXT)).confirmedAt).toBeGreaterThan(0)
  expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
})
