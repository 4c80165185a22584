/** Every file of the testkit, in the order of the chapters. @module */
import type { KitFile } from './file.ts'
import { galleryFiles } from './galleries.ts'
import { keyringFiles } from './keyrings.ts'
import { logFiles } from './logs.ts'
import { macRowFiles } from './mac-rows.ts'
import { noteFiles } from './notes.ts'
import { proofFiles } from './proofs.ts'
import { sealedRowFiles } from './sealed-rows.ts'
import { sealFiles } from './seals.ts'

export function kitFiles(): readonly KitFile[] {
  const files = [
    ...keyringFiles(),
    ...sealFiles(),
    ...sealedRowFiles(),
    ...macRowFiles(),
    ...noteFiles(),
    ...proofFiles(),
    ...logFiles(),
    ...galleryFiles(),
  ]
  const names = new Set(files.map(({ name }) => name))
  if (names.size !== files.length) {
    const twice = files.map(({ name }) => name).filter((name, i, all) => all.indexOf(name) !== i)
    throw new RangeError(`two files of one name: ${twice.join(', ')}`)
  }
  return files
}
