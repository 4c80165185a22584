/** libsodium: started once, checked before its first use. @module */

import sodium from 'libsodium-wrappers'
import { CryptoError } from './errors.ts'
import { Primitives } from './primitives.ts'
import type { RawSodium } from './scratch.ts'

/** The wrapper package as it is; its own types declare functions that it does not have. */
export interface SodiumSource {
  readonly ready: Promise<unknown>
  readonly libsodium?: unknown
}

const START_TIMEOUT_MS = 10_000

const FUNCTIONS = [
  '_malloc',
  '_free',
  '_crypto_kdf_hkdf_sha512_extract',
  '_crypto_kdf_hkdf_sha512_expand',
  '_crypto_kdf_hkdf_sha512_extract_init',
  '_crypto_kdf_hkdf_sha512_extract_update',
  '_crypto_kdf_hkdf_sha512_extract_final',
  '_crypto_kdf_hkdf_sha512_statebytes',
  '_crypto_aead_xchacha20poly1305_ietf_encrypt',
  '_crypto_aead_xchacha20poly1305_ietf_decrypt',
  '_crypto_sign_seed_keypair',
  '_crypto_sign_detached',
  '_crypto_sign_verify_detached',
  '_crypto_xof_turboshake128',
] as const satisfies readonly (keyof RawSodium)[]

const starter: SodiumStarter = createStarter(sodium, START_TIMEOUT_MS)

/**
 * Starts libsodium; every later call resolves at once. Keys, seals, transforms and signing need it; hashes and
 * the verification of signatures do not. Rejects with `ERR_CRYPTO_UNAVAILABLE` where WebAssembly is missing or forbidden (a
 * Content-Security-Policy without 'wasm-unsafe-eval', Cloudflare Workers), or when libsodium is not the one
 * that this library was written for. A later call tries again.
 */
export function cryptoReady(): Promise<void> {
  return starter.ready()
}

/** The started engine. Throws `ERR_CRYPTO_NOT_READY` before `cryptoReady()` has resolved. */
export function primitives(): Primitives {
  return starter.primitives()
}

/** The started engine, if there is one. */
export function startedPrimitives(): Primitives | undefined {
  return starter.started()
}

/** Starts one source at most once, and again after a failure. */
export interface SodiumStarter {
  ready(): Promise<void>
  primitives(): Primitives
  started(): Primitives | undefined
}

/** `timeoutMs` bounds the wait: `ready` never settles in runtimes that forbid WebAssembly. */
export function createStarter(source: SodiumSource, timeoutMs: number): SodiumStarter {
  let started: Primitives | undefined
  let starting: Promise<void> | undefined
  // The package starts, and may reject, on import; whoever never calls `ready` must not crash for that.
  source.ready.catch(() => undefined)
  return {
    ready(): Promise<void> {
      starting ??= start(source, timeoutMs).then(
        (result) => {
          started = result
        },
        (error: unknown) => {
          starting = undefined
          throw error
        },
      )
      return starting
    },
    started: () => started,
    primitives(): Primitives {
      if (started !== undefined) return started
      throw new CryptoError('ERR_CRYPTO_NOT_READY', 'await cryptoReady() first')
    },
  }
}

async function start(source: SodiumSource, timeoutMs: number): Promise<Primitives> {
  await settled(source.ready, timeoutMs)
  const raw = source.libsodium as RawSodium | undefined
  const missing = FUNCTIONS.filter((name) => typeof raw?.[name] !== 'function')
  if (missing.length > 0) throw unavailable(`libsodium lacks ${missing.join(', ')}`)
  if (!(raw?.HEAPU8 instanceof Uint8Array)) throw unavailable('libsodium hides its memory')
  return new Primitives(raw)
}

async function settled(ready: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(`libsodium did not start within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([ready, timeout])
  } catch (error) {
    throw error instanceof CryptoError ? error : unavailable('libsodium does not start here', error)
  } finally {
    clearTimeout(timer)
  }
}

function unavailable(message: string, cause?: unknown): CryptoError {
  return new CryptoError('ERR_CRYPTO_UNAVAILABLE', message, { cause })
}
