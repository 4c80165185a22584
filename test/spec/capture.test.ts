/** SPEC chapter 20: what is accepted, once, and what is refused. @module */
import { expect, test } from 'vitest'
import { ANN, captureWorld, outcome, sealedCapture } from '../support/capture.ts'

test.each(['ES256', 'EdDSA'] as const)('CAPTURE-2 a capture under %s is accepted once', async (algorithm) => {
  for (const webAuthnDevice of [false, true]) {
    const world = await captureWorld({ algorithm, webAuthnDevice })
    const sealed = await sealedCapture(world)
    using capture = await world.desk.openCapture(sealed, ANN)
    expect(capture.subject).toBe('ann')
    expect(await outcome(world.desk, sealed)).toBe('challenge')
  }
})
