/** `guise keys`: verbs, secrets from files and descriptors, exit codes. @module */
import { closeSync, openSync } from 'node:fs'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keysCommand } from '../../src/cli/keys.ts'
import { openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guise-cli-'))
  await writeFile(join(folder, 'key'), new Uint8Array(32).fill(7))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function run(...argv: string[]): Promise<Ran> {
  let out = ''
  let err = ''
  const io = {
    out: (text: string): void => {
      out += text
    },
    err: (text: string): void => {
      err += text
    },
    interactive: false,
  }
  const code = await keysCommand(argv, io)
  return { code, out, err }
}

function where(name: string): string[] {
  return [
    '--realm',
    'clinic',
    '--store',
    join(folder, `${name}-store`),
    '--provider',
    join(folder, `${name}-keys`),
  ]
}

const key = (): string[] => ['--key-file', join(folder, 'key')]

describe('verbs', () => {
  test('take a keyring through a rotation', async () => {
    const at = [...where('rotation'), ...key()]
    expect(await run('init', ...at)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^realm clinic has a keyring/),
    })
    expect(await run('init', ...at)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^ERR_KEYS_EXISTS: /),
    })
    expect(await run('add', ...at)).toMatchObject({ code: 0, out: expect.stringMatching(/^epoch 2 added/) })
    expect(await run('promote', '2', ...at)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^epoch 2 is primary/),
    })
    expect(await run('destroy', '1', '--yes', ...at)).toMatchObject({
      code: 1,
      err: 'ERR_KEYS_TRANSITION: cannot destroy epoch 1, which is enabled\n',
    })
    expect(await run('disable', '1', ...at)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^epoch 1 is disabled/),
    })
    expect(await run('enable', '1', ...at)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^epoch 1 is enabled/),
    })
    expect((await run('disable', '1', ...at)).code).toBe(0)
    expect(await run('destroy', '1', ...at)).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
    expect(await run('destroy', '1', '--yes', ...at)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^epoch 1 is destroyed/),
    })
    const status = await run('status', ...at)
    expect(status.err).toBe('')
    expect(status.out).toMatch(/^epoch +status +created +changed\n/)
    expect(status.out).toMatch(/\n +1 +destroyed +20\d\d-.*Z +20\d\d-.*Z\n +2 +primary +20/)
    const json = JSON.parse((await run('status', '--json', ...at)).out) as unknown
    expect(json).toEqual({
      provider: 'local',
      formerProviders: [],
      realm: 'clinic',
      primary: 2,
      minAccepted: 1,
      version: 1,
      epochs: [
        { epoch: 1, status: 'destroyed', createdAt: expect.any(Number), changedAt: expect.any(Number) },
        { epoch: 2, status: 'primary', createdAt: expect.any(Number), changedAt: expect.any(Number) },
      ],
    })
    const store = await lmdbStore({ path: join(folder, 'rotation-store') })
    const provider = localKeyProvider({
      path: join(folder, 'rotation-keys'),
      key: new Uint8Array(32).fill(7),
    })
    expect((await openKeyring({ realm: 'clinic', provider, store })).primary).toBe(2)
    await store.close()
  }, 60_000)

  test('look for a store and a keyring, and make none', async () => {
    expect(await run('status', ...where('none'), ...key())).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    })
    await expect(access(join(folder, 'none-store'))).rejects.toThrow('ENOENT')
    expect((await run('init', ...where('one'), ...key())).code).toBe(0)
    expect(await run('status', ...where('one'), ...key(), '--realm', 'other')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^ERR_KEYS_ABSENT: /),
    })
  }, 60_000)
})

describe('a passphrase', () => {
  test('comes from a file or a descriptor and ends at its first line break', async () => {
    const at = where('passphrase')
    const file = join(folder, 'passphrase')
    await writeFile(file, 'correct horse\r\nwhat follows is a note')
    expect((await run('init', ...at, '--passphrase-file', file)).code).toBe(0)
    await writeFile(file, 'correct horse')
    const fd = openSync(file, 'r')
    expect((await run('status', ...at, '--passphrase-fd', String(fd))).code).toBe(0)
    closeSync(fd)
    await writeFile(file, 'wrong horse\n')
    expect(await run('status', ...at, '--passphrase-file', file)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^ERR_KEYS_PASSPHRASE: /),
    })
  }, 60_000)

  test('of no length, or of too great a one, is refused', async () => {
    const file = join(folder, 'bad')
    for (const text of ['', '\n', '\r\nx', 'x'.repeat(1025), `${'x'.repeat(1026)}\n`]) {
      await writeFile(file, text)
      const { code, err } = await run('init', ...where('bad'), '--passphrase-file', file)
      expect([code, err.split('\n')[0]]).toEqual([
        2,
        '--passphrase-file must hold a passphrase of 1 to 1024 bytes',
      ])
    }
  })

  test('a key has 32 bytes and comes from a file or a descriptor', async () => {
    const file = join(folder, 'bad-key')
    for (const length of [0, 31, 33]) {
      await writeFile(file, new Uint8Array(length))
      expect(await run('init', ...where('bad'), '--key-file', file)).toMatchObject({ code: 2 })
    }
    const fd = openSync(join(folder, 'key'), 'r')
    expect((await run('init', ...where('fd'), '--key-fd', String(fd))).code).toBe(0)
    closeSync(fd)
    expect(await run('status', ...where('fd'), '--key-fd', String(fd))).toMatchObject({
      code: 1,
      err: expect.stringContaining('EBADF'),
    })
    expect(await run('status', ...where('fd'), '--key-file', join(folder, 'nowhere'))).toMatchObject({
      code: 1,
    })
  }, 60_000)
})

describe('what the command does not offer', () => {
  const at = ['--realm', 'r', '--store', '/nowhere/s', '--provider', '/nowhere/p', '--key-fd', '3']
  test.each([
    [[], 'a verb is missing'],
    [['rotate', ...at], 'the verb is unknown'],
    [['status', '1', ...at], 'too many arguments'],
    [['promote', '1', '2', ...at], 'too many arguments'],
    [['promote', ...at], 'EPOCH must be a whole number'],
    [['promote', 'one', ...at], 'EPOCH must be a whole number'],
    [['promote', '-1', ...at], "Unknown option '-1'"],
    [['status', ...at.slice(2)], '--realm is missing'],
    [['status', '--realm', '', ...at.slice(2)], '--realm is missing'],
    [['status', '--realm', 'r', ...at.slice(4)], '--store is missing'],
    [['status', '--realm', 'r', '--store', 's', ...at.slice(6)], '--provider is missing'],
    [['status', ...at.slice(0, 6)], 'give exactly one of '],
    [['status', ...at, '--key-file', 'k'], 'give exactly one of '],
    [['status', ...at.slice(0, 6), '--key-fd', 'x'], '--key-fd must be a whole number'],
    [['status', ...at, '--passphrase', 'x'], "Unknown option '--passphrase'"],
  ])('%j ends with 2', async (argv, message) => {
    const { code, out, err } = await run(...argv)
    expect([code, out]).toEqual([2, ''])
    expect(err.startsWith(message)).toBe(true)
    expect(err).toContain('Usage: guise keys')
  })
})
