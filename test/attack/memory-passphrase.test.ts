/** Opening a key directory by passphrase leaves neither passphrase nor key in memory (I-03). Linux only. @module */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asArray, asBytes, decodeCbor } from '../../src/base/cbor.ts'
import { argon2idKey } from '../../src/crypto/argon.ts'
import { hkdfExtract } from '../../src/crypto/kdf.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { compile } from '../fault/compile.ts'
import { VAULT_FOLDERS } from '../fault/vault-folders.ts'
import { numberedBytes } from '../fault/vault-world.ts'
import { Pieces, scanProcess } from './memory-scan.ts'

const base = mkdtempSync(join(tmpdir(), 'guise-passphrase-'))
const COST = { memoryKiB: 2048, passes: 2 }
let compiled = ''

/** Reads the passphrase from a file into bytes of its own, opens the directory, wraps once, and waits. */
const CHILD = `
  import { openSync, readSync } from 'node:fs'
  const [modules, folder] = process.argv.slice(1)
  const { localKeyProvider } = await import(modules + '/src/keys/local.js')
  const passphrase = new Uint8Array(new ArrayBuffer(32))
  readSync(openSync(folder + '/passphrase', 'r'), passphrase)
  const provider = localKeyProvider({ path: folder + '/keys', passphrase, argon: ${JSON.stringify(COST)} })
  passphrase.fill(0)
  await provider.wrap(new Uint8Array(32), new Uint8Array([1]))
  provider.close()
  await new Promise((resolve) => setImmediate(resolve))
  process.stdout.write('done\\n')
  process.stdin.resume()
`

beforeAll(async () => {
  compiled = compile({ folders: VAULT_FOLDERS })
  await cryptoReady()
}, 120_000)

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

test('after close neither passphrase nor sealing key nor what is extracted from it is left', {
  timeout: 120_000,
}, async () => {
  const passphrase = numberedBytes(7)
  writeFileSync(join(base, 'passphrase'), passphrase)
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, compiled, base], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  try {
    const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
    expect(value).toBe('done')
    const reject = (why: string): Error => new Error(why)
    const root = asArray(decodeCbor(readFileSync(join(base, 'keys', 'root')), 256, reject), 6, reject)
    const key = await argon2idKey(passphrase, asBytes(root[2], 16, reject), COST)
    const pieces = new Pieces()
    pieces.add('passphrase', passphrase, 8)
    pieces.add('sealing key', key, 8)
    pieces.add('extracted sealing key', hkdfExtract(new Uint8Array(0), key), 8)
    const { found, scannedBytes } = scanProcess(child.pid as number, pieces)
    console.info(`${JSON.stringify(Object.fromEntries(found))} in ${scannedBytes} bytes`)
    expect(Object.fromEntries(found)).toEqual({})
  } finally {
    child.kill('SIGKILL')
    await closed
  }
})
