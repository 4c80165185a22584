/** A vault for commands that fill or search a realm: opened, lent, closed. @module */
/// <reference types="node" />

import { readFileSync } from 'node:fs'
import type { Model } from '../embedding/model.ts'
import type { GalleryOptions } from '../gallery/declaration.ts'
import { openKeyring } from '../keys/keyring.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { openVault } from '../vault/open.ts'
import { allowHighFalseMatchRate, allowOvercomplete, logElsewhere } from '../vault/symbols.ts'
import type { Vault } from '../vault/vault.ts'
import { UsageError } from './io.ts'
import { needStore } from './needed-store.ts'
import { openProvider, type SecretSource } from './secret.ts'

/** Where a realm lies, and what its vault is. */
export interface VaultPlace {
  readonly realm: string
  readonly store: string
  readonly provider: string
  readonly secret: SecretSource
  readonly purpose: string
  readonly model: Model
  readonly point: OperatingPoint
  /** File with the declaration of the realm's gallery. */
  readonly gallery: string | undefined
  /** Compares nothing: what a point allows is decided where the vault is opened to compare. */
  readonly fillsOnly: boolean
}

/** What `--gallery` takes. */
export const galleryUsage =
  "--gallery FILE     JSON with the realm's gallery: purpose, basis, limit, points, bits, queriesPerHour"

/** Opens the vault for `task`. */
export async function withVault<Result>(
  place: VaultPlace,
  task: (vault: Vault) => Promise<Result>,
): Promise<Result> {
  needStore(place.store)
  const gallery = place.gallery === undefined ? undefined : readGallery(place.gallery)
  const provider = openProvider(place.provider, place.secret)
  try {
    const store = await lmdbStore({ path: place.store })
    try {
      const keyring = await openKeyring({ realm: place.realm, provider, store })
      try {
        const vault = await openVault({
          keyring,
          store,
          model: place.model,
          purpose: place.purpose,
          operatingPoints: [place.point],
          bits: place.point.bits,
          custody: { profile: 'operator' },
          // Whoever serves the realm has the signer of its log.
          [logElsewhere]: true,
          ...(gallery === undefined ? {} : { gallery }),
          ...(place.fillsOnly ? { [allowHighFalseMatchRate]: true, [allowOvercomplete]: true } : {}),
        })
        try {
          return await task(vault)
        } finally {
          await vault.close()
        }
      } finally {
        keyring.close()
      }
    } finally {
      await store.close()
    }
  } finally {
    provider.close()
  }
}

/** The vault checks what it says. */
function readGallery(path: string): GalleryOptions {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as GalleryOptions
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError('--gallery must name a JSON file')
    throw error
  }
}
