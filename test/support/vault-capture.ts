/** Vaults with a desk of their own, and devices that answer it. @module */
import type { VaultOptions } from 'guise'
import {
  type AttestedCapture,
  type CaptureDesk,
  type CapturePolicy,
  type DeviceAlgorithm,
  type DeviceRegistry,
  type SealCaptureOptions,
  sealCapture,
} from 'guise/capture'
import { openCaptureDesk } from 'guise/node'
import type { Clock } from '../../src/base/clock.ts'
import { CONDITIONS, LIVENESS, type TestDevice, tokenDevice } from './capture.ts'
import { face, MODEL, manualClock, PURPOSE, type TestVault, testVault } from './vault.ts'

/** Never meets a tripwire: faces of tests are more alike than those of people. */
export const LIVE: CapturePolicy = {
  purpose: PURPOSE,
  tripwire: 10_000,
  liveness: [{ issuer: LIVENESS.issuer, standard: LIVENESS.standard }],
}
/** Accepts captures without a claim as well. */
export const ANY: CapturePolicy = { purpose: PURPOSE, liveness: 'not-needed', tripwire: 10_000 }

export interface CaptureVault extends TestVault {
  readonly clock: ReturnType<typeof manualClock>
  readonly desk: CaptureDesk
  readonly devices: DeviceRegistry
  readonly device: TestDevice
}

/** A vault on a clock that only moves when told, a desk and a device. Refusals do not wait. */
export async function captureVault(
  options: Partial<VaultOptions> & {
    readonly policies?: readonly CapturePolicy[]
    readonly algorithm?: DeviceAlgorithm
    readonly open?: (options: Partial<VaultOptions> & { readonly clock: Clock }) => Promise<TestVault>
  } = {},
): Promise<CaptureVault> {
  const { policies = [LIVE], algorithm = 'ES256', open = testVault, ...rest } = options
  const clock = manualClock()
  const world = await open({ clock, ...rest })
  const { desk, devices } = await openCaptureDesk(world.vault, {
    model: rest.model ?? MODEL,
    policies,
    refusalMs: 0,
  })
  const device = tokenDevice(algorithm)
  const id = await devices.enroll({ ...device.signer.key, carrier: 'token', family: 'phone-9' })
  return { ...world, clock, desk, devices, device: { ...device, id } }
}

/** Whose face a capture shows, of whom it is, and what else is said of it. */
export interface Shot extends Partial<Omit<SealCaptureOptions, 'challenge'>> {
  readonly person: number
  readonly index?: number
  /** `undefined`: for a search. */
  readonly subject?: string | undefined
  readonly purpose?: string
}

/** What the device sends. */
export async function shoot(world: Omit<CaptureVault, keyof TestVault>, shot: Shot): Promise<Uint8Array> {
  const { desk, device, clock } = world
  const { person, index = 0, subject, purpose = PURPOSE, model = MODEL, ...changes } = shot
  const scope = subject === undefined ? ({ search: true } as const) : { subject }
  const challenge = await desk.challenge({ ...scope, purpose, device: device.id })
  return await sealCapture({
    challenge: challenge.bytes,
    vector: face(person, index, model.dimensions),
    model,
    conditions: CONDITIONS,
    liveness: LIVENESS,
    intent: true,
    capturedAtMs: clock.nowMs(),
    signer: device.signer,
    ...changes,
  })
}

/** An accepted capture. */
export async function captureOf(
  world: Omit<CaptureVault, keyof TestVault>,
  shot: Shot,
): Promise<AttestedCapture> {
  const { subject, purpose = PURPOSE } = shot
  const scope = subject === undefined ? ({ search: true } as const) : { subject }
  return await world.desk.openCapture(await shoot(world, shot), { ...scope, purpose })
}
