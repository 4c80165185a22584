/** What calls leave in libsodium's memory. @module */
import { createHash } from 'node:crypto'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes } from '../../src/base/bytes.ts'
import { Primitives } from '../../src/crypto/primitives.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import type { RawSodium } from '../../src/crypto/scratch.ts'
import { cryptoReady, primitives, type SodiumSource } from '../../src/crypto/sodium.ts'

const source: SodiumSource = sodium

async function rawSodium(): Promise<RawSodium> {
  await source.ready
  return source.libsodium as RawSodium
}

describe("SEAL-6 nothing of a call stays in libsodium's memory", () => {
  beforeAll(cryptoReady)

  /** How many 8-byte pieces of `secret` lie anywhere in the memory, at any offset. */
  function pieces(memory: Uint8Array, secret: Uint8Array): number {
    const wanted = new Set<bigint>()
    const view = new DataView(secret.buffer, secret.byteOffset, secret.length)
    for (let i = 0; i + 8 <= secret.length; i++) wanted.add(view.getBigUint64(i))
    const found = new Set<bigint>()
    const words = new DataView(memory.buffer, memory.byteOffset, memory.length)
    const firstBytes = new Set(secret)
    for (let i = 0; i + 8 <= memory.length; i++) {
      if (!firstBytes.has(memory[i] as number) || memory[i + 1] === 0) continue
      const word = words.getBigUint64(i)
      if (wanted.has(word)) found.add(word)
    }
    return found.size
  }

  /** Seals and opens, with and without extraction and a lead. */
  function openAny(
    engine: Primitives,
    of: { key: Uint8Array; nonce: Uint8Array; aad: Uint8Array; plaintext: Uint8Array },
  ): void {
    const { key, nonce, aad, plaintext } = of
    const label = Uint8Array.of(1, 97)
    const prepared = engine.prepare(key)
    for (const [secret, isPrepared, lead] of [
      [key, false, 32],
      [prepared, true, 0],
    ] as const) {
      const okm = engine.expandPrepared(prepared, [label, nonce, aad], lead + 64)
      const ciphertext = engine.encrypt(okm.subarray(lead, lead + 32), nonce, aad, plaintext)
      const sealed = { nonce, commitment: okm.subarray(lead + 32), ciphertext }
      const opened = engine.openCommitted(secret, isPrepared, { label, aad }, sealed, lead)
      expect(opened?.subarray(lead)).toEqual(plaintext)
    }
  }

  test('SEAL-6 the plain wrapper leaves key and plaintext: the scan can see', async () => {
    const raw = await rawSodium()
    const key = randomBytes(32)
    const plaintext = randomBytes(100)
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, null, null, randomBytes(24), key)
    expect(pieces(raw.HEAPU8, key)).toBeGreaterThan(0)
    expect(pieces(raw.HEAPU8, plaintext)).toBeGreaterThan(0)
  })

  test('SEAL-6 every primitive leaves neither inputs nor results', async () => {
    const raw = await rawSodium()
    const engine = primitives()
    const key = randomBytes(32)
    const nonce = randomBytes(24)
    const plaintext = randomBytes(200)
    const prk = engine.extract(key, plaintext)
    const okm = engine.hkdf(key, nonce, 96)
    const ciphertext = engine.encrypt(key, nonce, plaintext, plaintext)
    const secrets = [
      key,
      plaintext,
      prk,
      okm,
      engine.expand(prk, nonce, 130),
      engine.decrypt(key, nonce, plaintext, ciphertext) as Uint8Array,
      engine.turboshake128(key, 500),
      engine.extract(new Uint8Array(0), key),
    ]
    expect(engine.decrypt(key, nonce, nonce, ciphertext)).toBeUndefined()
    const tag = engine.extract(key, plaintext, 32)
    expect(engine.verifyMac(key, plaintext, tag)).toBe(true)
    const label = Uint8Array.of(1, 97)
    const derived = engine.hkdf(key, [label, nonce, nonce], 96)
    const sealed = {
      nonce,
      commitment: derived.slice(64),
      ciphertext: engine.encrypt(derived.subarray(32, 64), nonce, nonce, plaintext),
    }
    const opened = engine.openCommitted(key, false, { label, aad: nonce }, sealed, 32) as Uint8Array
    expect(opened).toEqual(concatBytes(derived.subarray(0, 32), plaintext))
    // Of a prepared key the chaining values: its counters stand in many places.
    const prepared = engine.prepare(key)
    const expanded = createHash('sha512').update(key).digest()
    secrets.push(engine.sign(key, plaintext), expanded.subarray(1, 31), expanded.subarray(32))
    secrets.push(tag, derived, opened, prepared.slice(0, 64), prepared.slice(208, 272))
    for (const secret of secrets) expect(pieces(raw.HEAPU8, secret)).toBe(0)
  })

  test('SEAL-6 no byte outside the wiped parts changes, for 300 random lengths of every primitive', async () => {
    const raw = await rawSodium()
    const engine = new Primitives(raw)
    const [from, to] = engine.stack
    const lengths = (): [number, number] => {
      const [a = 0, b = 0, c = 0, d = 0] = randomBytes(4)
      return [a + 256 * (b & 15), c + 256 * (d & 15)]
    }
    engine.turboshake128(new Uint8Array(1), 20_000)
    const before = raw.HEAPU8.slice()
    let calls = 0
    for (let i = 0; i < 300; i++) {
      const [first, second] = lengths()
      const key = randomBytes(32)
      const nonce = randomBytes(24)
      engine.extract(randomBytes(first % 400), randomBytes(second))
      engine.expand(randomBytes(64), randomBytes(first), 1 + (second % 1000))
      engine.hkdf(randomBytes(first % 400), randomBytes(second), 1 + (first % 1000))
      const ciphertext = engine.encrypt(key, nonce, randomBytes(first), randomBytes(second))
      engine.decrypt(key, nonce, randomBytes(first), ciphertext)
      engine.turboshake128(randomBytes(first), 1 + second)
      engine.sign(key, randomBytes(second))
      engine.publicKey(key)
      engine.verifyMac(randomBytes(first % 400), randomBytes(second), key)
      openAny(engine, { key, nonce, aad: randomBytes(first), plaintext: randomBytes(second) })
      calls += 11
    }
    const after = raw.HEAPU8
    const differences: number[] = []
    for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) differences.push(i)
    expect(calls).toBe(3300)
    expect(differences).toEqual([])
    expect(after.subarray(from, to).every((byte) => byte === 0)).toBe(true)
    expect(to - from).toBeLessThan(4096 + 512)
  })
})
