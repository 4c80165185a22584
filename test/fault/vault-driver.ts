/** The vault on one store, for the kill loop and the power cut. @module */

import type { Driver } from './driver.ts'
import { vaultDriver } from './vault-work.ts'

export const driver: Driver = vaultDriver()
