/** A new secret under a provider, and an old one under another: what is wrapped opens, or it is not used (SPEC §4.1). @module */

import { equalBytes, wipe } from '../base/bytes.ts'
import type { CallOptions } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import { KeysError } from './errors.ts'
import { type GuardedProvider, SECRET_BYTES } from './provider.ts'

/** Draws 32 bytes and has them wrapped. */
export async function wrapFresh<Made>(
  provider: GuardedProvider,
  context: Uint8Array,
  options: CallOptions,
  make: (secret: Uint8Array) => Made,
): Promise<{ readonly wrapped: Uint8Array; readonly made: Made }> {
  const secret = randomBytes(SECRET_BYTES)
  try {
    const wrapped = await wrapProved(provider, secret, context, options)
    return { wrapped, made: make(secret) }
  } finally {
    wipe(secret)
  }
}

/**
 * Has a secret wrapped. It is unwrapped again before anything depends on it: a provider that gives back something
 * else would make everything wrapped by it unreadable.
 */
export async function wrapProved(
  provider: GuardedProvider,
  secret: Uint8Array,
  context: Uint8Array,
  options: CallOptions,
): Promise<Uint8Array> {
  let back: Uint8Array | undefined
  try {
    const wrapped = await provider.wrap(secret, context, options)
    back = await provider.unwrap(wrapped, context, options)
    if (equalBytes(secret, back)) return wrapped
    throw new KeysError('ERR_KEYS_PROVIDER', 'the key provider unwraps something else than it wrapped')
  } finally {
    wipe(back)
  }
}

/** An epoch key is needed only once a wrap asks for it: the cache will have it unwrapped then. */
export function forget(): undefined {
  return undefined
}
