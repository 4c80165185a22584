/** Starting libsodium, what refuses to start, and what is left in its memory. @module */
import sodium from 'libsodium-wrappers'
import { describe, expect, test } from 'vitest'
import { Primitives } from '../../src/crypto/primitives.ts'
import { randomBytes } from '../../src/crypto/random.ts'
import { type RawSodium, Scratch } from '../../src/crypto/scratch.ts'
import { createStarter, cryptoReady, primitives, type SodiumSource } from '../../src/crypto/sodium.ts'

const source: SodiumSource = sodium
const UNAVAILABLE = { code: 'ERR_CRYPTO_UNAVAILABLE' }

async function rawSodium(): Promise<RawSodium> {
  await source.ready
  return source.libsodium as RawSodium
}

/** The real module with some members replaced. */
async function changed(
  change: (raw: RawSodium) => Partial<Record<keyof RawSodium, unknown>>,
): Promise<RawSodium> {
  const raw = await rawSodium()
  const members = Object.getOwnPropertyNames(raw).filter((name) => name.startsWith('_'))
  const copy = Object.fromEntries(members.map((name) => [name, Reflect.get(raw, name) as unknown]))
  Object.defineProperty(copy, 'HEAPU8', { get: () => raw.HEAPU8, configurable: true })
  for (const [name, value] of Object.entries(change(raw))) Object.defineProperty(copy, name, { value })
  return copy as unknown as RawSodium
}

describe('start', () => {
  test('nothing works before it', () => {
    const starter = createStarter({ ready: Promise.resolve() }, 1000)
    expect(() => starter.primitives()).toThrow(expect.objectContaining({ code: 'ERR_CRYPTO_NOT_READY' }))
  })

  test('happens once', async () => {
    await cryptoReady()
    const first = primitives()
    expect(cryptoReady()).toBe(cryptoReady())
    await cryptoReady()
    expect(primitives()).toBe(first)
  })

  test('a package that rejects is unavailable, with the cause, and may be tried again', async () => {
    const cause = new Error('WebAssembly is not defined')
    const starter = createStarter({ ready: Promise.reject(cause) }, 1000)
    const first = starter.ready()
    await expect(first).rejects.toMatchObject({ ...UNAVAILABLE, cause })
    expect(starter.ready()).not.toBe(first)
    await expect(starter.ready()).rejects.toMatchObject(UNAVAILABLE)
  })

  test('a package that never settles is unavailable after the time-out', async () => {
    const starter = createStarter({ ready: new Promise(() => undefined) }, 20)
    await expect(starter.ready()).rejects.toMatchObject({ ...UNAVAILABLE, message: /20 ms/ })
  })

  test('a package without a raw module is unavailable', async () => {
    await expect(createStarter({ ready: Promise.resolve() }, 1000).ready()).rejects.toMatchObject(UNAVAILABLE)
  })

  test.each([
    '_malloc',
    '_free',
    '_crypto_kdf_hkdf_sha512_extract',
    '_crypto_kdf_hkdf_sha512_expand',
    '_crypto_aead_xchacha20poly1305_ietf_encrypt',
    '_crypto_aead_xchacha20poly1305_ietf_decrypt',
    '_crypto_xof_turboshake128',
  ] as const)('a package without %s is unavailable', async (name) => {
    const libsodium = await changed(() => ({ [name]: undefined }))
    const start = createStarter({ ready: Promise.resolve(), libsodium }, 1000).ready()
    await expect(start).rejects.toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining(name) })
  })

  test('a package that hides its memory is unavailable', async () => {
    const libsodium = await changed(() => ({ HEAPU8: undefined }))
    const start = createStarter({ ready: Promise.resolve(), libsodium }, 1000).ready()
    await expect(start).rejects.toMatchObject({ ...UNAVAILABLE, message: /memory/ })
  })
})

describe('self-test', () => {
  test.each([
    '_crypto_kdf_hkdf_sha512_extract',
    '_crypto_kdf_hkdf_sha512_expand',
    '_crypto_aead_xchacha20poly1305_ietf_encrypt',
    '_crypto_sign_seed_keypair',
    '_crypto_sign_detached',
    '_crypto_xof_turboshake128',
  ] as const)('finds one wrong bit of %s', async (name) => {
    const raw = await changed((real) => ({
      [name]: (out: number, ...rest: number[]) => {
        const status = Reflect.apply(real[name], real, [out, ...rest]) as number
        real.HEAPU8[out] = (real.HEAPU8[out] as number) ^ 1
        return status
      },
    }))
    // One flipped bit of a ciphertext already fails to open, one of anything else gives another digest.
    expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
  })

  test('finds a decrypt that accepts forgeries', async () => {
    const raw = await changed((real) => ({
      _crypto_aead_xchacha20poly1305_ietf_decrypt: (...args: number[]) => {
        Reflect.apply(real._crypto_aead_xchacha20poly1305_ietf_decrypt, real, args)
        return 0
      },
    }))
    expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
  })

  test.each([0, -1])('finds a check of signatures that always answers %i', async (status) => {
    const raw = await changed(() => ({ _crypto_sign_verify_detached: () => status }))
    expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
  })

  test('finds a decrypt that accepts nothing, and a function that fails', async () => {
    for (const name of [
      '_crypto_aead_xchacha20poly1305_ietf_decrypt',
      '_crypto_kdf_hkdf_sha512_extract',
      '_crypto_xof_turboshake128',
    ]) {
      const raw = await changed(() => ({ [name]: () => -1 }))
      expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
    }
  })

  test('hkdf does not expand what it could not extract', async () => {
    let failing = false
    const raw = await changed((real) => ({
      _crypto_kdf_hkdf_sha512_extract_final: (...args: [number, number]) => {
        const status = real._crypto_kdf_hkdf_sha512_extract_final(...args)
        if (!failing) return status
        failing = false
        return -1
      },
    }))
    const engine = new Primitives(raw)
    failing = true
    expect(() => engine.hkdf(new Uint8Array(32), new Uint8Array(0), 32)).toThrow(
      expect.objectContaining(UNAVAILABLE),
    )
    expect(engine.hkdf(new Uint8Array(32), new Uint8Array(0), 32)).toHaveLength(32)
  })

  test('nothing opens and no tag fits while a derivation fails', async () => {
    const names = [
      '_crypto_kdf_hkdf_sha512_extract',
      '_crypto_kdf_hkdf_sha512_extract_init',
      '_crypto_kdf_hkdf_sha512_extract_update',
      '_crypto_kdf_hkdf_sha512_extract_final',
    ] as const
    let failing = ''
    const raw = await changed((real) =>
      Object.fromEntries(
        names.map((name) => [
          name,
          (...args: number[]) => {
            const status = Reflect.apply(real[name], real, args) as number
            return failing === name ? -1 : status
          },
        ]),
      ),
    )
    const engine = new Primitives(raw)
    const secret = randomBytes(32)
    const label = Uint8Array.of(1, 97)
    const nonce = randomBytes(24)
    const aad = randomBytes(9)
    const okm = engine.hkdf(secret, [label, nonce, aad], 64)
    const ciphertext = engine.encrypt(okm.subarray(0, 32), nonce, aad, secret)
    const sealed = { nonce, commitment: okm.subarray(32), ciphertext }
    const open = (): unknown => engine.openCommitted(secret, false, { label, aad }, sealed, 0)
    const tag = engine.extract(secret, aad, 32)
    expect(open()).toEqual(secret)
    expect(engine.verifyMac(secret, aad, tag)).toBe(true)
    for (const name of names.slice(1)) {
      failing = name
      expect(open()).toBeUndefined()
      expect(() => engine.prepare(secret)).toThrow(expect.objectContaining(UNAVAILABLE))
    }
    failing = names[0]
    expect(engine.verifyMac(secret, aad, tag)).toBe(false)
  })

  test('finds a state of another size', async () => {
    const raw = await changed(() => ({ _crypto_kdf_hkdf_sha512_statebytes: () => 424 }))
    expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
  })

  test('finds an expansion under a prepared key that differs', async () => {
    const raw = await changed((real) => ({
      _crypto_kdf_hkdf_sha512_extract_final: (state: number, out: number) => {
        const status = real._crypto_kdf_hkdf_sha512_extract_final(state, out)
        real.HEAPU8[out] = (real.HEAPU8[out] as number) ^ 1
        return status
      },
    }))
    expect(() => new Primitives(raw)).toThrow(expect.objectContaining(UNAVAILABLE))
  })
})

/** A module of plain memory for what the real one never does. */
function fakeRaw(members: Partial<Record<keyof RawSodium, unknown>>): RawSodium {
  return {
    HEAPU8: new Uint8Array(131_072),
    _malloc: () => 65_536,
    _free: () => undefined,
    ...members,
  } as RawSodium
}

describe('scratch', () => {
  test('no memory is unavailable', () => {
    expect(() => new Scratch(fakeRaw({ _malloc: () => 0 }))).toThrow(expect.objectContaining(UNAVAILABLE))
  })

  test('a stack that is not found, too long, or too near the start of the memory is unavailable', () => {
    const raw = fakeRaw({})
    const measure = (...places: number[]): Scratch => {
      const scratch = new Scratch(raw)
      scratch.measureStack(
        () => {
          for (const place of places) raw.HEAPU8[place] = (raw.HEAPU8[place] as number) + 1
        },
        4096,
        512,
      )
      return scratch
    }
    for (const places of [[], [10_000, 14_097], [511]]) {
      expect(() => measure(...places)).toThrow(expect.objectContaining(UNAVAILABLE))
    }
    expect(measure(10_000, 14_095).stack).toEqual([9488, 14_096])
    expect(measure(512).stack).toEqual([0, 513])
  })

  test('a second measurement widens the first', () => {
    const raw = fakeRaw({})
    const scratch = new Scratch(raw)
    const write = (place: number) => (): void => {
      raw.HEAPU8[place] = (raw.HEAPU8[place] as number) + 1
    }
    scratch.measureStack(write(20_000), 4096, 512)
    scratch.measureStack(write(20_100), 4096, 512)
    expect(scratch.stack).toEqual([19_488, 20_101])
    scratch.measureStack(write(19_900), 4096, 512)
    expect(scratch.stack).toEqual([19_388, 20_101])
  })

  test('wipes its region and the stack on success, on failure and when the call throws', () => {
    const raw = fakeRaw({})
    const scratch = new Scratch(raw)
    scratch.measureStack(() => raw.HEAPU8.fill(7, 30_000, 30_100), 4096, 512)
    const input = new Uint8Array(100).fill(5)
    const secretCall = (status: () => number) => (): number => {
      expect(raw.HEAPU8.includes(5)).toBe(true)
      raw.HEAPU8.fill(9, 29_600, 30_100)
      return status()
    }
    const outcomes = [
      () =>
        expect(
          scratch.run(
            [input],
            64,
            16,
            secretCall(() => 0),
          ),
        ).toEqual(new Uint8Array(16)),
      () =>
        expect(
          scratch.run(
            [input],
            64,
            16,
            secretCall(() => -1),
          ),
        ).toBeUndefined(),
      () =>
        expect(() =>
          scratch.run(
            [input],
            64,
            16,
            secretCall(() => {
              throw new RangeError('unreachable')
            }),
          ),
        ).toThrow(RangeError),
    ]
    for (const outcome of outcomes) {
      outcome()
      expect(raw.HEAPU8.every((byte) => byte === 0)).toBe(true)
    }
  })

  test('grows, frees the old region, and refuses more than 64 MiB', async () => {
    const freed: number[] = []
    const raw = await changed((real) => ({
      _free: (pointer: number) => {
        freed.push(pointer)
        real._free(pointer)
      },
    }))
    const engine = new Primitives(raw)
    const message = randomBytes(200_000)
    const direct = primitives().turboshake128(message, 300_000)
    expect(engine.turboshake128(message, 300_000)).toEqual(direct)
    expect(freed).toHaveLength(1)
    engine.turboshake128(message, 300_000)
    expect(freed).toHaveLength(1)
    expect(() => engine.turboshake128(message, 67_108_864)).toThrow(
      expect.objectContaining({ code: 'ERR_CRYPTO_INPUT' }),
    )
  })

  test('the memory may move during a call', async () => {
    let raw = fakeRaw({})
    const moving = {
      get HEAPU8() {
        return raw.HEAPU8
      },
      _malloc: () => 65_536,
    } as unknown as RawSodium
    const scratch = new Scratch(moving)
    const result = scratch.run([Uint8Array.of(1)], 0, 1, (_, __, ___, output) => {
      raw = fakeRaw({ HEAPU8: Uint8Array.from(raw.HEAPU8) })
      raw.HEAPU8[output] = 3
      return 0
    })
    expect(result).toEqual(Uint8Array.of(3))
    expect(raw.HEAPU8.every((byte) => byte === 0)).toBe(true)
  })
})
