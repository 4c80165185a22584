/** Keyrings in several processes over one store, and hundreds of realms in one. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { createKeyring, openKeyring } from '../../src/keys/keyring.ts'
import { localKeyProvider } from '../../src/keys/local.ts'
import { epochContext } from '../../src/keys/provider.ts'
import { lmdbStore } from '../../src/store/lmdb.ts'
import { REALM } from './keys-support.ts'

const children: ChildProcess[] = []
const folders: string[] = []
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

const KEY = new Uint8Array(32).fill(3)

/** Opens a keyring and answers each line with what it sees at its next verb. */
const CODE = `
  import { createInterface } from 'node:readline'
  const [modules, folder] = process.argv.slice(1)
  const { openKeyring, ringAccess } = await import(modules + 'keys/keyring.js')
  const { localKeyProvider } = await import(modules + 'keys/local.js')
  const { lmdbStore } = await import(modules + 'store/lmdb.js')
  const store = await lmdbStore({ path: folder + '/store' })
  const provider = localKeyProvider({ path: folder + '/keys', key: new Uint8Array(32).fill(3) })
  const keyring = await openKeyring({ realm: 'clinic', provider, store })
  const access = ringAccess(keyring)
  process.stdout.write('ready\\n')
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'add') {
      process.stdout.write(String(await keyring.add()) + '\\n')
      continue
    }
    await access.refresh()
    const prepared = await access.useEpoch(access.primary, (bytes) => Buffer.from(bytes.subarray(0, 4)).toString('hex'))
    process.stdout.write(access.primary + ' ' + prepared + '\\n')
  }
`

async function start(folder: string): Promise<(line: string) => Promise<string>> {
  const modules = String(new URL('../../dist/', import.meta.url))
  const child = spawn(process.execPath, ['--input-type=module', '-e', CODE, modules, folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the process ended')
    return value
  }
  expect(await next()).toBe('ready')
  return async (line) => {
    child.stdin.write(`${line}\n`)
    return await next()
  }
}

test('KEYS-12 four processes see a promotion at their next verb', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'guise-rings-'))
  folders.push(folder)
  const store = await lmdbStore({ path: join(folder, 'store') })
  const provider = localKeyProvider({ path: join(folder, 'keys'), key: KEY })
  const keyring = await createKeyring({ realm: 'clinic', provider, store })
  await keyring.add()
  const processes = await Promise.all(Array.from({ length: 4 }, () => start(folder)))
  const before = await Promise.all(processes.map((ask) => ask('look')))
  expect(new Set(before).size).toBe(1)
  expect(before[0]).toMatch(/^1 /)
  await keyring.promote(2)
  const after = await Promise.all(processes.map((ask) => ask('look')))
  expect(new Set(after).size).toBe(1)
  expect(after[0]).toMatch(/^2 /)
  const added = await Promise.all(processes.map((ask) => ask('add')))
  expect(new Set(added)).toEqual(new Set(['3', '4', '5', '6']))
  await keyring.refresh()
  expect(keyring.epochs).toHaveLength(6)
  await store.close()
}, 60_000)

test('five hundred realms on one store open in 20 ms and 1 MiB each', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'guise-realms-'))
  folders.push(folder)
  const store = await lmdbStore({ path: join(folder, 'store') })
  const provider = localKeyProvider({ path: join(folder, 'keys'), key: KEY })
  const realms = Array.from({ length: 500 }, (_, i) => `realm-${i}`)
  for (let from = 0; from < realms.length; from += 50) {
    await Promise.all(
      realms.slice(from, from + 50).map(async (realm) => {
        ;(await createKeyring({ realm, provider, store })).close()
      }),
    )
  }
  const bytes = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const bytesBefore = bytes()
  const started = performance.now()
  const open = []
  for (const realm of realms) open.push(await openKeyring({ realm, provider, store }))
  const ms = (performance.now() - started) / realms.length
  const growth = (bytes() - bytesBefore) / realms.length
  expect(open.map((keyring) => keyring.primary)).toEqual(realms.map(() => 1))
  expect(ms).toBeLessThan(20)
  expect(growth).toBeLessThan(1_048_576)
  for (const keyring of open) keyring.close()
  await store.close()
}, 120_000)

test('several processes make one directory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'guise-made-'))
  folders.push(folder)
  const path = join(folder, 'keys')
  const context = epochContext(REALM, 1)
  const modules = new URL('../../dist/', import.meta.url)
  const code = `
    import { localKeyProvider } from '${modules}keys/local.js'
    const provider = localKeyProvider({ path: ${JSON.stringify(path)}, passphrase: 'horse', argon: { memoryKiB: 64, passes: 1 } })
    const context = Uint8Array.from(${JSON.stringify([...context])})
    const wrapped = await provider.wrap(new Uint8Array(32).fill(165), context)
    process.stdout.write(Buffer.from(wrapped).toString('hex'))`
  const outputs = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let text = ''
      child.stdout.on('data', (chunk: Uint8Array) => {
        text += String(chunk)
      })
      await new Promise((resolve) => child.on('close', resolve))
      return text
    }),
  )
  const provider = localKeyProvider({ path, passphrase: 'horse' })
  for (const text of outputs)
    expect(await provider.unwrap(Buffer.from(text, 'hex'), context)).toEqual(new Uint8Array(32).fill(165))
  expect((await readdir(path)).toSorted()).toEqual(['root', toHex(sha256(context))].toSorted())
})
