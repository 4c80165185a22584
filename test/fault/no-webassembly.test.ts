/** A runtime without WebAssembly: importing is harmless, starting fails with a code. Without its vectors: everything works. @module */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const dist = new URL('../../dist/', import.meta.url)
const built = new URL('crypto/', dist)

/** What a fresh process without WebAssembly prints; a non-zero exit is a failure. */
function withoutWebAssembly(script: string): string {
  return printed(['--jitless'], script)
}

function printed(flags: readonly string[], script: string): string {
  const options = { encoding: 'utf8', cwd: fileURLToPath(built), timeout: 15_000 } as const
  const run = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], options)
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

/** Prints which kernel runs, and a digest of codes and probes of every size. */
const ENCODE = `
  const { cryptoReady } = await import('${dist.href}crypto/sodium.js')
  const { sha256 } = await import('${dist.href}crypto/hash.js')
  const { portableKernel } = await import('${dist.href}transform/kernel.js')
  const { kernel } = await import('${dist.href}transform/rotate.js')
  const { encodeProbe, encodeReference } = await import('${dist.href}template/template.js')
  await cryptoReady()
  const digests = []
  for (const d of [64, 200, 512, 1024, 2000, 4096]) {
    const z = Int32Array.from({ length: d }, (_, i) => (((i + 1) * 48271) % 65537) - 32768)
    const key = new Uint8Array(32).fill(d & 255)
    for (const suite of ['B4', 'B6']) {
      digests.push(...encodeReference(z, suite, 64, key), ...new Uint8Array(encodeProbe(z, suite, 64, key).q))
    }
  }
  const name = kernel() === portableKernel ? 'portable' : 'vectors'
  console.log(name + ' ' + Buffer.from(sha256(Uint8Array.from(digests))).toString('hex'))`

test('a runtime whose WebAssembly has no vectors makes the same templates with the portable kernel', () => {
  const [kernel, digest] = printed([], ENCODE).split(' ')
  expect(kernel).toBe('vectors')
  // Only the processors of x64 are without: elsewhere the module is refused as it would be.
  const refuse = 'WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError() } }\n'
  const isX64 = process.arch === 'x64'
  const without = printed(isX64 ? ['--no-enable-sse4-1'] : [], isX64 ? ENCODE : refuse + ENCODE)
  expect(without).toBe(`portable ${digest}`)
})

test('a runtime that compiles WebAssembly asynchronously only does so too', () => {
  const refuse = 'WebAssembly.Module = class { constructor() { throw new RangeError() } }\n'
  expect(printed([], refuse + ENCODE)).toMatch(/^portable /)
})
