/** Several rows at once, none of which says where another lies (SPEC §10.1). @module */

import type { CallOptions } from '../base/errors.ts'
import { MAX_READ_ROWS, type RowPlace, type Store, type StoredRow } from './store.ts'

/** The rows of some places, in their order; of one instant only where the store can and they are not too many. */
export async function readRows(
  store: Pick<Store, 'get' | 'getMany'>,
  places: readonly RowPlace[],
  options?: CallOptions,
): Promise<readonly (StoredRow | undefined)[]> {
  if (store.getMany !== undefined && places.length <= MAX_READ_ROWS)
    return await store.getMany(places, options)
  return await Promise.all(places.map(({ table, key }) => store.get(table, key, options)))
}
