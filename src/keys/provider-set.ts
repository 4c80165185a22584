/** The providers that a process has at hand: a ring may move from one to another (SPEC §4.4, §4.11). @module */

import { badInput } from './errors.ts'
import { checkProvider, GuardedProvider } from './provider.ts'
import type { Ring } from './ring.ts'

export class ProviderSet {
  /** Id of the one for a new ring. */
  readonly first: string
  readonly #guarded: ReadonlyMap<string, GuardedProvider>

  /** @param others may be left out */
  constructor(first: unknown, others: unknown, timeoutMs: number) {
    if (others !== undefined && !Array.isArray(others)) throw badInput('otherProviders must be an array')
    const providers = [checkProvider(first), ...((others ?? []) as readonly unknown[]).map(checkProvider)]
    this.#guarded = new Map(
      providers.map((provider) => [provider.id, new GuardedProvider(provider, timeoutMs)]),
    )
    if (this.#guarded.size !== providers.length) throw badInput('two key providers have the same id')
    this.first = this.ids[0] ?? ''
  }

  get ids(): readonly string[] {
    return [...this.#guarded.keys()]
  }

  /** Throws `ERR_KEYS_INPUT` for one that is not at hand. */
  of(id: string): GuardedProvider {
    const provider = this.#guarded.get(id)
    if (provider === undefined) throw badInput('the keyring was opened without this key provider')
    return provider
  }

  /** False when a provider that holds keys of the ring is known to have no way to destroy them. */
  canDestroy(ring: Ring): boolean {
    const former = ring.former ?? []
    return [ring, ...former].every(({ provider }) => this.#guarded.get(provider)?.canDestroy !== false)
  }
}
