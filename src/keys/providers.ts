/** The providers that a process has at hand: a ring may move from one to another (SPEC §4.4, §4.11). @module */

import { badInput } from './errors.ts'
import { checkProvider, GuardedProvider } from './provider.ts'
import type { Ring } from './ring.ts'

/** By id, the one for a new ring first. */
export type Providers = ReadonlyMap<string, GuardedProvider>

/** Checks providers, which have ids of their own, and guards them. `others` may be left out. */
export function checkProviders(first: unknown, others: unknown, timeoutMs: number): Providers {
  if (others !== undefined && !Array.isArray(others)) throw badInput('otherProviders must be an array')
  const found = new Map<string, GuardedProvider>()
  for (const value of [first, ...((others ?? []) as readonly unknown[])]) {
    const provider = checkProvider(value)
    if (found.has(provider.id)) throw badInput('two key providers have the same id')
    found.set(provider.id, new GuardedProvider(provider, timeoutMs))
  }
  return found
}

/** Throws `ERR_KEYS_INPUT` for one that is not at hand. */
export function providerOf(providers: Providers, id: string | undefined): GuardedProvider {
  const provider = providers.get(id ?? '')
  if (provider === undefined) throw badInput('the keyring was opened without this key provider')
  return provider
}

/** False when a provider that holds keys of the ring is known to have no way to destroy them. */
export function canDestroy(providers: Providers, ring: Ring): boolean {
  return [ring, ...(ring.former ?? [])].every(({ provider }) => providers.get(provider)?.canDestroy !== false)
}
