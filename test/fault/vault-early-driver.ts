/** The control: the vault on a store that acknowledges before it commits. @module */

import type { Driver } from './driver.ts'
import { acknowledgeEarly } from './vault-liars.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver({ between: acknowledgeEarly, early: true })
