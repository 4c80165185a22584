/** Probes that prove where they came from: what a device seals, and the desk that opens it once. Node and browsers, without WebAssembly. @module */

export type { Assertion, WebAuthnOptions } from './capture/assertion.ts'
export { type AttestedCapture, type CaptureFacts, isAttestedCapture } from './capture/attested.ts'
export {
  type CaptureChallenge,
  type CaptureDesk,
  type CaptureDeskOptions,
  type CaptureScope,
  type ChallengeRequest,
  captureDesk,
} from './capture/desk.ts'
export { type DeviceAlgorithm, type DeviceCarrier, type DeviceKey, deviceId } from './capture/device-key.ts'
export {
  type DeviceEnrolment,
  type DeviceRegistry,
  type DeviceRegistryOptions,
  type DeviceTrust,
  deviceRegistry,
  memoryDevices,
  type TrustedDevice,
} from './capture/devices.ts'
export {
  CaptureError,
  type CaptureErrorCode,
  type CaptureReason,
  type CaptureRefusal,
  captureReason,
} from './capture/errors.ts'
export type { AttestationHook } from './capture/opening.ts'
export type { AcceptedLiveness, CapturePolicy } from './capture/policy.ts'
export { type SealCaptureOptions, sealCapture } from './capture/seal-capture.ts'
export {
  type AssertionSigner,
  type DeviceSigner,
  platformSigner,
  type TokenSigner,
} from './capture/signers.ts'
export type { CaptureConditions, LivenessClaim } from './capture/statement.ts'
