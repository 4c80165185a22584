/** The control: a rotation that deletes a wrap before it writes the next. @module */

import type { Driver } from './driver.ts'
import { commitInHalves } from './vault-liars.ts'
import { rotateDriver } from './vault-rotate-driver.ts'

export const driver: Driver = rotateDriver({ between: commitInHalves })
