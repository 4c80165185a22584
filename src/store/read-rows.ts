/** Several rows at once, whatever the store can do (SPEC §10.1). @module */

import type { CallOptions } from '../base/errors.ts'
import { placeKey } from './steps.ts'
import { type LinkedPlace, MAX_READ_ROWS, type RowPlace, type Store, type StoredRow } from './store.ts'

/** The rows of some places, in their order; of one instant only where the store can and they are not too many. */
export function readRows(
  store: Pick<Store, 'get' | 'getMany'>,
  places: readonly (RowPlace | LinkedPlace)[],
  options?: CallOptions,
): Promise<readonly (StoredRow | undefined)[]> {
  return store.getMany !== undefined && places.length <= MAX_READ_ROWS
    ? store.getMany(places, options)
    : readEach(store, places, options)
}

async function readEach(
  store: Pick<Store, 'get'>,
  places: readonly (RowPlace | LinkedPlace)[],
  options?: CallOptions,
): Promise<readonly (StoredRow | undefined)[]> {
  const rows: (StoredRow | undefined)[] = await Promise.all(
    places.map(async (place) =>
      isLinked(place) ? undefined : await store.get(place.table, place.key, options),
    ),
  )
  for (const [i, place] of places.entries()) {
    if (isLinked(place)) rows[i] = await store.get(place.table, placeKey({ parts: place.key }, rows), options)
  }
  return rows
}

function isLinked(place: RowPlace | LinkedPlace): place is LinkedPlace {
  return Array.isArray(place.key)
}
