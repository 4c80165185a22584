/** `guise keys migrate`, and providers on the command line: from a directory into a token, and on to transit. @module */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keysCommand } from '../../src/cli/keys.ts'
import { type SoftToken, softToken } from '../support/softhsm.ts'
import { type TransitServer, transitServer } from '../support/transit-server.ts'

let folder = ''
let soft: SoftToken
let transit: TransitServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guise-cli-'))
  soft = softToken()
  transit = await transitServer('kms/transit')
  transit.namespace = 'team'
  await writeFile(join(folder, 'key'), new Uint8Array(32).fill(7))
  await writeFile(join(folder, 'pin'), `${soft.pin}\n`)
  await writeFile(join(folder, 'token'), 'hvs.example\n')
})
afterAll(async () => {
  soft.remove()
  await transit.close()
  await rm(folder, { recursive: true, force: true })
})

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
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
  return { code: await keysCommand(argv, io), out, err }
}

const place = (): string[] => ['--realm', 'clinic', '--store', join(folder, 'store')]
const local = (): string[] => ['--provider', join(folder, 'keys'), '--key-file', join(folder, 'key')]
const token = (option = 'provider'): string[] => [
  `--${option}`,
  `pkcs11:token=${soft.token}?module-path=${soft.module}`,
  option === 'to' ? '--to-passphrase-file' : '--passphrase-file',
  join(folder, 'pin'),
]
const remote = (option = 'provider'): string[] => [
  `--${option}`,
  `${transit.address}/kms/transit?namespace=team`,
  option === 'to' ? '--to-passphrase-file' : '--passphrase-file',
  join(folder, 'token'),
]

test('a keyring goes from a directory into a token and on, and the old keys end when they are told to', async () => {
  expect((await run('init', ...place(), ...local())).code).toBe(0)
  const moved = await run('migrate', ...place(), ...local(), ...token('to'))
  expect(moved).toMatchObject({ code: 0, err: '' })
  expect(moved.out).toMatch(
    /^realm clinic is under pkcs11:clinic; local keeps its keys until --destroy-old\n/,
  )
  expect(moved.out).toContain('\nlocal still holds keys of this keyring\n')
  expect(await run('migrate', ...place(), ...local(), ...token('to'))).toEqual(moved)
  expect(await run('status', ...place(), ...local())).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^ERR_KEYS_RING/),
  })
  const status = await run('status', ...place(), ...token(), '--json')
  expect(JSON.parse(status.out)).toMatchObject({ provider: 'pkcs11:clinic', formerProviders: ['local'] })
  const ended = await run('migrate', ...place(), ...local(), ...token('to'), '--destroy-old', '--yes')
  expect(ended.out).toMatch(
    /^realm clinic is under pkcs11:clinic; the keys of local are destroyed, confirmed for 20\d\d-/,
  )
  const again = await run('migrate', ...place(), ...local(), ...token('to'), '--destroy-old', '--yes')
  expect(again).toMatchObject({ code: 1, err: expect.stringMatching(/^ERR_KEYS_TRANSITION/) })
  const onward = await run('migrate', ...place(), ...token(), ...remote('to'), '--destroy-old', '--yes')
  expect(onward).toMatchObject({ code: 0, err: '' })
  const rotated = await run('add', ...place(), ...remote(), '--json')
  expect(JSON.parse(rotated.out)).toMatchObject({ epochs: [{ epoch: 1 }, { epoch: 2 }], formerProviders: [] })
})

test.each([
  ['--to is missing', ['migrate']],
  ['--to and --destroy-old belong to migrate', ['status', '--to', 'x']],
  ['--to and --destroy-old belong to migrate', ['status', '--destroy-old']],
  ['confirm with --yes', ['migrate', '--to', 'x', '--destroy-old', '--to-key-file', 'x']],
  ['give exactly one of --to-passphrase-file', ['migrate', '--to', 'x']],
])('%s', async (why, argv) => {
  const ran = await run(...argv, ...place(), ...local())
  expect(ran.code).toBe(2)
  expect(ran.err).toContain(why)
})

test.each([
  ['takes a passphrase', 'pkcs11:token=a?module-path=b', '--key-file'],
  ['takes a passphrase', 'https://vault/transit', '--key-file'],
  ['a token is named as pkcs11:token=LABEL?module-path=FILE', 'pkcs11:a', '--passphrase-file'],
  ['ERR_KEYS_INPUT', 'http://vault.example/transit', '--passphrase-file'],
])('%s: %s', async (why, provider, option) => {
  const file = join(folder, option === '--key-file' ? 'key' : 'pin')
  const ran = await run('init', ...place(), '--provider', provider, option, file)
  expect(ran.code).not.toBe(0)
  expect(ran.err).toContain(why)
})
