/** The local provider: files that only their owner opens, destruction that is real, several processes. @module */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { type CborValue, decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import { Secret } from '../../src/base/secret.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { createKeyring, openKeyring } from '../../src/keys/keyring.ts'
import { type LocalKeyOptions, localKeyProvider } from '../../src/keys/local.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { failureOf, REALM } from './keys-support.ts'

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const KEY = filled(32, 5)
const SECRET = filled(32, 0xa5)
const CONTEXT = epochContext(REALM, 1)
const NAME = toHex(sha256(CONTEXT))
const CHEAP = { memoryKiB: 64, passes: 1 }

const folders: string[] = []
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'guise-local-'))
  folders.push(path)
  return join(path, 'keys')
}

beforeAll(cryptoReady)
afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

describe('options', () => {
  test.each([
    undefined,
    {},
    { path: '' },
    { path: '/tmp/x' },
    { path: '/tmp/x', key: KEY, passphrase: 'both' },
    { path: '/tmp/x', key: filled(31, 1) },
    { path: '/tmp/x', key: 'text' },
    { path: '/tmp/x', passphrase: '' },
    { path: '/tmp/x', passphrase: 'x'.repeat(1025) },
    { path: '/tmp/x', passphrase: '\uD800' },
    { path: '/tmp/x', passphrase: 7 },
    { path: '/tmp/x', passphrase: 'x', argon: 3 },
    { path: '/tmp/x', passphrase: 'x', argon: { memoryKiB: 7, passes: 1 } },
    { path: '/tmp/x', passphrase: 'x', argon: { memoryKiB: 64, passes: 0 } },
    { path: '/tmp/x', passphrase: 'x', argon: { memoryKiB: 1_048_577, passes: 1 } },
    { path: '/tmp/x', passphrase: 'x', argon: { memoryKiB: 64, passes: 65 } },
  ])('%o are refused', (options) => {
    expect(() => localKeyProvider(options as LocalKeyOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_KEYS_INPUT' }),
    )
  })

  test('the secret is copied and stays the caller’s', async () => {
    const path = await folder()
    const key = Uint8Array.from(KEY)
    const provider = localKeyProvider({ path, key })
    expect(key).toEqual(KEY)
    key.fill(0)
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    expect(await localKeyProvider({ path, key: KEY }).unwrap(wrapped, CONTEXT)).toEqual(SECRET)
    const passphrase = filled(9, 65)
    localKeyProvider({ path, passphrase, argon: CHEAP }).close()
    expect(passphrase).toEqual(filled(9, 65))
  })
})

describe('wrap and unwrap', () => {
  test('what is wrapped under a context opens under that context only', async () => {
    using provider = localKeyProvider({ path: await folder(), key: KEY })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    expect(wrapped).toHaveLength(104)
    expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(SECRET)
    const other = epochContext(REALM, 2)
    await provider.wrap(SECRET, other)
    expect(await failureOf(provider.unwrap(wrapped, other))).toMatchObject({ code: 'ERR_KEYS_RING' })
    for (let bit = 0; bit < wrapped.length * 8; bit += 5) {
      const flipped = Uint8Array.from(wrapped)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(await failureOf(provider.unwrap(flipped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_RING' })
    }
    expect(await failureOf(provider.unwrap(filled(3, 1), CONTEXT))).toMatchObject({ code: 'ERR_KEYS_RING' })
    expect(await failureOf(provider.wrap(filled(31, 1), CONTEXT))).toMatchObject({ code: 'ERR_KEYS_INPUT' })
    expect(`${provider}`).toBe('[LocalKeyProvider]')
  })

  test('only its owner may open the directory and its files', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    expect((await readdir(path)).toSorted()).toEqual([NAME, 'root'].toSorted())
    for (const name of await readdir(path)) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600)
    await chmod(join(path, NAME), 0o640)
    expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_LOCAL' })
    await chmod(join(path, NAME), 0o600)
    await chmod(path, 0o750)
    expect(await failureOf(provider.wrap(SECRET, epochContext(REALM, 2)))).toMatchObject({
      code: 'ERR_KEYS_LOCAL',
    })
  })

  test('a directory that is not there is made by wrapping only', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    expect(await failureOf(provider.unwrap(filled(104, 1), CONTEXT))).toMatchObject({
      code: 'ERR_KEYS_ABSENT',
    })
    expect(await failureOf(provider.destroy(CONTEXT))).toMatchObject({ code: 'ERR_KEYS_ABSENT' })
    const [reading, writing] = await Promise.allSettled([
      provider.unwrap(filled(104, 1), CONTEXT),
      provider.wrap(SECRET, CONTEXT),
    ])
    expect(reading.status).toBe('rejected')
    expect(writing.status).toBe('fulfilled')
  })

  test('many callers at once agree on one key', async () => {
    const path = await folder()
    const providers = Array.from({ length: 4 }, () =>
      localKeyProvider({ path, passphrase: 'horse', argon: CHEAP }),
    )
    const wrapped = await Promise.all(
      Array.from({ length: 24 }, (_, i) => providers[i % 4]!.wrap(SECRET, CONTEXT)),
    )
    for (const one of wrapped) expect(await providers[0]!.unwrap(one, CONTEXT)).toEqual(SECRET)
    expect((await readdir(path)).toSorted()).toEqual([NAME, 'root'].toSorted())
  })

  test('a damaged key file is an error of its own', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    const file = join(path, NAME)
    const bytes = await readFile(file)
    for (const damaged of [filled(104, 3), bytes.subarray(0, 50), filled(0, 0), filled(5000, 0)]) {
      await writeFile(file, damaged, { mode: 0o600 })
      expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_LOCAL' })
    }
  })

  test('errors of the file system are retryable for a keyring', async () => {
    const path = await folder()
    await mkdir(path, { mode: 0o700 })
    await symlink('root', join(path, 'root'))
    const where = { realm: REALM, provider: localKeyProvider({ path, key: KEY }), store: memoryStore() }
    expect(await failureOf(createKeyring(where))).toMatchObject({
      code: 'ERR_KEYS_PROVIDER',
      retryable: true,
    })
    await rm(join(path, 'root'))
    await mkdir(join(path, NAME), { mode: 0o700 })
    expect(await failureOf(createKeyring(where))).toMatchObject({
      code: 'ERR_KEYS_PROVIDER',
      retryable: true,
    })
    await rm(join(path, NAME), { recursive: true })
    const keyring = await createKeyring(where)
    expect(keyring.primary).toBe(1)
    await rm(join(path, 'root'))
    await writeFile(join(path, 'x'), '')
    const inFile = localKeyProvider({ path: join(path, 'x', 'y'), key: KEY })
    expect(await failureOf(createKeyring({ ...where, realm: 'b', provider: inFile }))).toMatchObject({
      code: 'ERR_KEYS_PROVIDER',
    })
  })
})

describe('destroy', () => {
  test('overwrites and removes the file, and says when', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    const before = Date.now()
    const { confirmedAt } = await provider.destroy(CONTEXT)
    expect(confirmedAt).toBeGreaterThanOrEqual(before)
    expect(confirmedAt).toBeLessThanOrEqual(Date.now())
    expect((await readdir(path)).toSorted()).toEqual([`${NAME}.destroyed`, 'root'].toSorted())
    expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
    expect(await failureOf(provider.wrap(SECRET, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_DESTROYED' })
  })

  test('gives the same answer again, in every process', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    await provider.wrap(SECRET, CONTEXT)
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => localKeyProvider({ path, key: KEY }).destroy(CONTEXT)),
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    answers.push(await provider.destroy(CONTEXT))
    expect(new Set(answers.map(({ confirmedAt }) => confirmedAt)).size).toBe(1)
  })

  test('finishes what a crash cut off at any step', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    await provider.wrap(SECRET, CONTEXT)
    // Overwritten, not yet removed.
    await writeFile(join(path, NAME), filled(104, 9), { mode: 0o600 })
    expect((await provider.destroy(CONTEXT)).confirmedAt).toBeGreaterThan(0)
    // Removed, not yet noted.
    const second = epochContext(REALM, 2)
    await provider.wrap(SECRET, second)
    await rm(join(path, toHex(sha256(second))))
    expect((await provider.destroy(second)).confirmedAt).toBeGreaterThan(0)
    expect(await readdir(path)).toHaveLength(3)
  })

  test('a damaged note is no confirmation', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    await provider.wrap(SECRET, CONTEXT)
    await provider.destroy(CONTEXT)
    await writeFile(join(path, `${NAME}.destroyed`), 'yesterday')
    expect(await failureOf(provider.destroy(CONTEXT))).toMatchObject({ code: 'ERR_KEYS_LOCAL' })
  })
})

describe('root file', () => {
  const damaged = { code: 'ERR_KEYS_LOCAL', retryable: false }

  async function rootOf(options: { passphrase: string } | { key: Uint8Array }): Promise<{
    path: string
    file: string
    items: readonly CborValue[]
    wrapped: Uint8Array
  }> {
    const path = await folder()
    const given = 'key' in options ? options : { ...options, argon: CHEAP }
    const wrapped = await localKeyProvider({ path, ...given }).wrap(SECRET, CONTEXT)
    const file = join(path, 'root')
    const items = decodeCbor(await readFile(file), 256, (why) => new Error(why)) as readonly CborValue[]
    return { path, file, items, wrapped }
  }

  test('says what a passphrase costs', async () => {
    const { items } = await rootOf({ passphrase: 'horse' })
    expect(items).toEqual([1, 'guise/v1/local', expect.any(Uint8Array), 64, 1, expect.any(Uint8Array)])
    expect(items[2]).toHaveLength(16)
  })

  test('tells a wrong passphrase or key, and either taken for the other', async () => {
    const byPassphrase = await rootOf({ passphrase: 'horse' })
    const byKey = await rootOf({ key: KEY })
    const refused = { code: 'ERR_KEYS_PASSPHRASE', retryable: false }
    for (const [where, given] of [
      [byPassphrase, { passphrase: 'hors' }],
      [byPassphrase, { key: KEY }],
      [byKey, { key: filled(32, 6) }],
      [byKey, { passphrase: 'horse' }],
    ] as const) {
      const provider = localKeyProvider({ path: where.path, ...given })
      expect(await failureOf(provider.unwrap(where.wrapped, CONTEXT))).toMatchObject(refused)
      expect(await failureOf(provider.wrap(SECRET, CONTEXT))).toMatchObject(refused)
    }
  })

  test('that is damaged is refused before anything is paid for', async () => {
    const { path, file, items, wrapped } = await rootOf({ passphrase: 'horse' })
    const bad: CborValue[] = [
      'root',
      items.with(0, 2),
      items.with(1, 'guise/v2/local'),
      items.with(2, filled(15, 1)),
      items.with(2, filled(17, 1)),
      items.with(3, 7),
      items.with(3, 1_048_577),
      items.with(4, 0),
      items.with(4, 65),
      items.with(5, filled(31, 1)),
      items.slice(1),
    ]
    for (const value of bad) {
      await writeFile(file, encodeCbor(value))
      const provider = localKeyProvider({ path, passphrase: 'horse' })
      expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject(damaged)
    }
    await writeFile(file, encodeCbor(items.with(5, filled(32, 1))))
    const provider = localKeyProvider({ path, passphrase: 'horse' })
    expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject({ code: 'ERR_KEYS_PASSPHRASE' })
  })

  test('of two directories made at once one counts, also for the other’s passphrase', async () => {
    const path = await folder()
    const ours = localKeyProvider({ path, passphrase: 'ours', argon: CHEAP })
    const theirs = localKeyProvider({ path, passphrase: 'theirs', argon: CHEAP })
    const results = await Promise.allSettled([ours.wrap(SECRET, CONTEXT), theirs.wrap(SECRET, CONTEXT)])
    const lost = results.find((result) => result.status === 'rejected')
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(lost?.reason).toMatchObject({ code: 'ERR_KEYS_PASSPHRASE' })
  })
})

describe('closing', () => {
  const refused = { code: 'ERR_KEYS_DISPOSED' }

  test('ends every later call', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, key: KEY })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    provider.close()
    provider.close()
    expect(await failureOf(provider.wrap(SECRET, CONTEXT))).toMatchObject(refused)
    expect(await failureOf(provider.unwrap(wrapped, CONTEXT))).toMatchObject(refused)
    expect(await failureOf(provider.destroy(CONTEXT))).toMatchObject(refused)
    const unused = localKeyProvider({ path, key: KEY })
    unused.close()
    expect(await failureOf(unused.unwrap(wrapped, CONTEXT))).toMatchObject(refused)
  })

  test('what was given is wiped as soon as the directory is open', async () => {
    const provider = localKeyProvider({ path: await folder(), key: KEY })
    const dispose = vi.spyOn(Secret.prototype, 'dispose')
    await provider.wrap(SECRET, CONTEXT)
    expect((dispose.mock.contexts as Secret[]).map(({ length }) => length)).toEqual([32])
    provider.close()
    expect((dispose.mock.contexts as Secret[]).map(({ length }) => length)).toContain(416)
    dispose.mockRestore()
  })

  test('ends a derivation that is under way', async () => {
    const path = await folder()
    const provider = localKeyProvider({ path, passphrase: 'horse', argon: { memoryKiB: 4096, passes: 2 } })
    const waiting = failureOf(provider.wrap(SECRET, CONTEXT))
    await vi.waitFor(() => expect(provider.id).toBe('local'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    provider.close()
    expect(await waiting).toMatchObject(refused)
  })

  test('an aborted call leaves the provider usable', async () => {
    const provider = localKeyProvider({ path: await folder(), passphrase: 'horse', argon: CHEAP })
    const aborted = AbortSignal.abort(new Error('not now'))
    expect(await failureOf(provider.wrap(SECRET, CONTEXT, { signal: aborted }))).toMatchObject({
      message: 'not now',
    })
    const controller = new AbortController()
    const cut = failureOf(provider.wrap(SECRET, CONTEXT, { signal: controller.signal }))
    await Promise.resolve()
    controller.abort(new Error('enough'))
    expect(await cut).toMatchObject({ message: 'enough' })
    const wrapped = await provider.wrap(SECRET, CONTEXT)
    const late = new AbortController()
    const reading = failureOf(provider.unwrap(wrapped, CONTEXT, { signal: late.signal }))
    await Promise.resolve()
    late.abort(new Error('enough'))
    expect(await reading).toMatchObject({ message: 'enough' })
    expect(await provider.unwrap(wrapped, CONTEXT)).toEqual(SECRET)
  })
})

test('a keyring over the directory destroys for good', async () => {
  const path = await folder()
  const store = memoryStore()
  const provider = localKeyProvider({ path, key: KEY })
  const keyring = await createKeyring({ realm: REALM, provider, store })
  await keyring.add()
  await keyring.promote(2)
  await keyring.disable(1)
  await keyring.destroy(1)
  keyring.close()
  const again = await openKeyring({ realm: REALM, provider: localKeyProvider({ path, key: KEY }), store })
  expect(again.epochs[0]).toMatchObject({ status: 'destroyed', changedAt: expect.any(Number) })
  expect(await failureOf(provider.unwrap(filled(104, 1), CONTEXT))).toMatchObject({
    code: 'ERR_KEYS_DESTROYED',
  })
})
