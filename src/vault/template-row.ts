/** From integers to the bytes of a new template: code sealed, secret wrapped (SPEC §6, §8, §9). @module */

import { concatBytes, u32be, wipe } from '../base/bytes.ts'
import { randomBytes } from '../crypto/random.ts'
import { drawRecordSecret } from '../keys/wraps.ts'
import { encodeReferenceRow, referenceHeader } from '../record/reference-row.ts'
import { sealCode } from '../seal/code.ts'
import { encodeReference } from '../template/template.ts'
import type { VaultContext } from './context.ts'
import { makeSecretRow, type Presented, type TemplateName } from './wrap.ts'

/** Both rows of a new template. */
export interface NewTemplate {
  readonly reference: Uint8Array
  readonly secret: Uint8Array
  readonly epoch: number
}

/** The name of a generation: its number and 16 random bytes. */
export function drawGeneration(number: number): Uint8Array {
  return concatBytes(u32be(number), randomBytes(16))
}

/**
 * Makes a template under a record secret of its own. Needs loaded keys; does not wait; nothing is written. `also` borrows the
 * record secret for the member code of a gallery.
 */
export function makeTemplate(
  ctx: VaultContext,
  name: TemplateName,
  integers: Int32Array,
  presented: Presented,
  createdMs: number,
  also?: (recordSecret: Uint8Array) => void,
): NewTemplate {
  const { profile, suite } = ctx.settings
  ctx.models.requireAllowed(profile.model, createdMs)
  const header = referenceHeader(profile, name, createdMs)
  const recordSecret = drawRecordSecret()
  try {
    const sealed = sealCode(recordSecret, header, (rotationKey) =>
      encodeReference(integers, suite, profile.bits, rotationKey),
    )
    const { bytes, epoch } = makeSecretRow(ctx, name, recordSecret, presented)
    also?.(recordSecret)
    return { reference: encodeReferenceRow({ header, ...sealed }), secret: bytes, epoch }
  } finally {
    wipe(recordSecret)
  }
}
