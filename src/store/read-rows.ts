/** Several rows at once, none of which says where another lies (SPEC §10.1). @module */

import type { CallOptions } from '../base/errors.ts'
import type { RowPlace, Store, StoredRow } from './store.ts'

/** The rows of some places, in their order. Each may be of another instant. */
export async function readRows(
  store: Pick<Store, 'get'>,
  places: readonly RowPlace[],
  options?: CallOptions,
): Promise<readonly (StoredRow | undefined)[]> {
  return await Promise.all(places.map(({ table, key }) => store.get(table, key, options)))
}
