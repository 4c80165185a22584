/** How many live persons a realm has, from its log: nothing is written for it, so it cannot drift (SPEC §12.5). @module */

import type { CallOptions } from '../base/errors.ts'
import { type Keyring, ringAccess } from '../keys/keyring.ts'
import { VaultKeys } from './keys.ts'
import { Lives } from './lives.ts'

/**
 * Counts the records that are neither revoked nor erased, exactly as of one instant of this call, whoever is at work meanwhile. Reads the
 * whole log: for once a day, not for each call. Throws `AuditError` when the log does not hold.
 *
 * @example
 * ```ts
 * if ((await countPeople(keyring)) >= 100_000) console.warn('a filing is due within 30 working days')
 * ```
 */
export async function countPeople(
  keyring: Keyring,
  options: Pick<CallOptions, 'signal'> = {},
): Promise<number> {
  const access = ringAccess(keyring)
  const keys = new VaultKeys(access, options.signal)
  await keys.refresh()
  await keys.load()
  const lives = new Lives(access.store, access.realm, keys)
  await lives.follow(options)
  return lives.people
}
