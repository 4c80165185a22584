/** Requirements of SPEC §4.6: the local provider and its secret. @module */
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { toHex, utf8 } from '../../src/base/bytes.ts'
import { keysCommand } from '../../src/cli/keys.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { epochContext, realmContext } from '../../src/keys/provider.ts'
import { failureOf, REALM } from '../unit/keys-support.ts'

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)

const folders: string[] = []
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'guise-keys-'))
  folders.push(path)
  return path
}

beforeAll(cryptoReady)
afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

describe('local provider', () => {
  test('KEYS-1 destroying one context makes exactly that secret unrecoverable', async () => {
    const provider = localKeyProvider({ path: await folder(), key: filled(32, 5) })
    const contexts = [epochContext(REALM, 1), epochContext(REALM, 2), realmContext(REALM, 1)] as const
    const secrets = contexts.map((_, i) => filled(32, 100 + i))
    const wrapped = await Promise.all(contexts.map((context, i) => provider.wrap(secrets[i]!, context)))
    await provider.destroy(contexts[1])
    expect(await provider.unwrap(wrapped[0]!, contexts[0])).toEqual(secrets[0])
    expect(await provider.unwrap(wrapped[2]!, contexts[2])).toEqual(secrets[2])
    await expect(provider.unwrap(wrapped[1]!, contexts[1])).rejects.toMatchObject({
      code: 'ERR_KEYS_DESTROYED',
    })
    provider.close()
  })

  test('KEYS-16 no secret is taken from the command line or the environment', async () => {
    const lines: string[] = []
    const io = {
      out: (text: string) => lines.push(text),
      err: (text: string) => lines.push(text),
      interactive: false,
    }
    const where = [
      '--realm',
      REALM,
      '--store',
      join(await folder(), 's'),
      '--provider',
      join(await folder(), 'p'),
    ]
    vi.stubEnv('GUISE_PASSPHRASE', 'from the environment')
    vi.stubEnv('GUISE_KEY', '00'.repeat(32))
    for (const given of [['--passphrase', 'x'], ['--key', '00'.repeat(32)], []]) {
      expect(await keysCommand(['init', ...where, ...given], io)).toBe(2)
    }
    vi.unstubAllEnvs()
    for (const path of [
      '../../src/keys/local.ts',
      '../../src/keys/local-root.ts',
      '../../src/cli/secret.ts',
    ]) {
      const source = readFileSync(new URL(path, import.meta.url), 'utf8')
      expect(source).not.toMatch(/process\s*\.\s*(?:env|argv)/)
    }
  })

  test('KEYS-16 nothing in the directory opens without the passphrase', async () => {
    const path = await folder()
    const secret = filled(32, 0xa5)
    const context = epochContext(REALM, 1)
    const argon = { memoryKiB: 64, passes: 1 }
    const provider = localKeyProvider({ path, passphrase: 'correct horse', argon })
    const wrapped = await provider.wrap(secret, context)
    provider.close()
    for (const name of await readdir(path)) {
      expect(toHex(await readFile(join(path, name)))).not.toContain(toHex(secret))
    }
    const wrong = localKeyProvider({ path, passphrase: 'wrong horse' })
    expect(await failureOf(wrong.unwrap(wrapped, context))).toMatchObject({
      code: 'ERR_KEYS_PASSPHRASE',
      retryable: false,
    })
    const right = localKeyProvider({ path, passphrase: utf8('correct horse') as Uint8Array })
    expect(await right.unwrap(wrapped, context)).toEqual(secret)
  })
})
