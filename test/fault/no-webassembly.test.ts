/** A runtime without WebAssembly: importing is harmless, starting fails with a code. @module */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const built = new URL('../../dist/crypto/', import.meta.url)

/** What a fresh process without WebAssembly prints; a non-zero exit is a failure. */
function withoutWebAssembly(script: string): string {
  const options = { encoding: 'utf8', cwd: fileURLToPath(built), timeout: 15_000 } as const
  const run = spawnSync(process.execPath, ['--jitless', '--input-type=module', '-e', script], options)
  expect({ status: run.status, signal: run.signal }).toEqual({ status: 0, signal: null })
  return run.stdout.trim()
}

test('importing does not crash the process, and what needs no libsodium works', () => {
  const script = `
    if (typeof WebAssembly !== 'undefined') throw new Error('WebAssembly is still there')
    await import('${built.href}sodium.js')
    const { sha256 } = await import('${built.href}hash.js')
    const { hkdfPortable } = await import('${built.href}kdf-portable.js')
    await new Promise((resolve) => setTimeout(resolve, 50))
    console.log(sha256(new Uint8Array(0)).length + hkdfPortable(new Uint8Array(32), new Uint8Array(0), 64).length)`
  expect(withoutWebAssembly(script)).toBe('96')
})

test('starting rejects with ERR_CRYPTO_UNAVAILABLE, using is ERR_CRYPTO_NOT_READY', () => {
  const script = `
    const { cryptoReady } = await import('${built.href}sodium.js')
    const { hkdf } = await import('${built.href}kdf.js')
    const codes = []
    await cryptoReady().catch((error) => codes.push(error.code))
    await cryptoReady().catch((error) => codes.push(error.code))
    try { hkdf(new Uint8Array(32), new Uint8Array(0), 32) } catch (error) { codes.push(error.code) }
    console.log(codes.join(' '))`
  expect(withoutWebAssembly(script)).toBe(
    'ERR_CRYPTO_UNAVAILABLE ERR_CRYPTO_UNAVAILABLE ERR_CRYPTO_NOT_READY',
  )
})
