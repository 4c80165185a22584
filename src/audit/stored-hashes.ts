/** The hashes of the tree in the store, for proofs (SPEC §14.1, §14.7). @module */

import type { Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import { rejectInput } from './errors.ts'
import { BLOCK_HASHES, blockKey } from './log-rows.ts'
import { HASH_BYTES, type TreeHashes } from './tree.ts'

/** Reads hashes that the sequencer wrote; it alone appends. */
export function storedHashes(store: Pick<Store, 'get'>, realm: Realm, options?: CallOptions): TreeHashes {
  return {
    append: () => {
      throw rejectInput('hashes of a stored log are written with its entries')
    },
    read: async (places) => {
      const blocks = new Map<number, Uint8Array>()
      for (const place of places) {
        const number = Math.floor(place / BLOCK_HASHES)
        if (blocks.has(number)) continue
        const row = await store.get('log', blockKey(realm, place), options)
        blocks.set(number, row?.bytes ?? new Uint8Array(0))
      }
      return places.map((place) => {
        const block = blocks.get(Math.floor(place / BLOCK_HASHES)) as Uint8Array
        const at = (place % BLOCK_HASHES) * HASH_BYTES
        return block.slice(at, at + HASH_BYTES)
      })
    },
  }
}
