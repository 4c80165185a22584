/** The control: the vault on a store whose commits are not all or nothing. @module */

import type { Driver } from './driver.ts'
import { commitInHalves } from './vault-liars.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver({ between: commitInHalves, early: true })
