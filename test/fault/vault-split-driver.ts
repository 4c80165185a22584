/** The vault with codes and wraps in two stores, for the kill loop (SPEC §10.3). @module */

import type { Driver } from './driver.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver({ split: true })
