/** What runs on the device: a statement about a capture, signed and sealed (SPEC §20.2, §20.3). @module */

import { equalBytes, secretBytes, wipe } from '../base/bytes.ts'
import { checkBoolean, checkInteger, checkOneOf, checkText } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import { sha256 } from '../crypto/hash.ts'
import { readVector, type VectorInput } from '../embedding/input.ts'
import { checkModel, type Model } from '../embedding/model.ts'
import { copyBytes, readFields, readList } from '../policy/fields.ts'
import { AUTHENTICATOR_BYTES, assertionChallenge, MAX_CLIENT_DATA_BYTES } from './assertion.ts'
import { type Question, readQuestion } from './challenge.ts'
import { checkDeviceKey, type DeviceKey, thumbprint } from './device-key.ts'
import { CaptureError, rejectInput } from './errors.ts'
import { HASH_BYTES } from './rows.ts'
import { MAX_CHAIN_BYTES, seal, writePlain } from './sealed.ts'
import { type DeviceSigner, fixedSignature, rejectSigner } from './signers.ts'
import {
  type CaptureConditions,
  FLOAT_BYTES,
  type LivenessClaim,
  MAX_SHORT_BYTES,
  probeHash,
  type Statement,
  type Statements,
  signedBytes,
  VERDICTS,
  writeHeader,
  writePayload,
  writeToken,
} from './statement.ts'

/** A capture to be sealed. The vector is copied and wiped; its owner wipes the original. */
export interface SealCaptureOptions {
  /** What the desk asked, as it came. */
  readonly challenge: Uint8Array
  /** Ids of transport keys that this device trusts, where it was built or told to: a challenge with another is refused. */
  readonly recipients?: readonly Uint8Array[]
  readonly vector: VectorInput
  readonly model: Model
  readonly conditions: CaptureConditions
  readonly liveness?: LivenessClaim
  /** Whether the person asked for this capture by an act of their own, such as a button. */
  readonly intent: boolean
  /** The platform's attestation chain, as its verifier wants it: 1 to 16,384 bytes. */
  readonly attestation?: Uint8Array
  /** When the camera saw it, milliseconds since 1970. Default now. */
  readonly capturedAtMs?: number
  readonly signer: DeviceSigner
}

const FIELDS = [
  'challenge',
  'recipients',
  'vector',
  'model',
  'conditions',
  'liveness',
  'intent',
  'attestation',
  'capturedAtMs',
  'signer',
] as const
const MOST_CHALLENGE_BYTES = 512
const MOST_RECIPIENTS = 64
/** The end of the year 9999. */
const MOST_MS = 253_402_300_799_999
const MOST_SIGNATURE_BYTES = 72

/**
 * Seals what a device captured, for the desk that asked: no other can open it, and the desk accepts it once.
 *
 * @throws {CaptureError} `ERR_CAPTURE_CHALLENGE` for a challenge that is malformed or names an untrusted key, `ERR_CAPTURE_SIGNER`,
 * `ERR_CAPTURE_INPUT`; `EmbeddingError` for the vector
 */
export async function sealCapture(options: SealCaptureOptions): Promise<Uint8Array> {
  const given = readFields(options, 'options', FIELDS, rejectInput)
  const question = checkQuestion(given.challenge, given.recipients)
  const chain =
    given.attestation === undefined
      ? undefined
      : copyBytes(given.attestation, 'attestation', [1, MAX_CHAIN_BYTES], rejectInput)
  const { id, dimensions } = checkModel(given.model)
  const { conditions, liveness, intent, capturedSeconds } = checkFacts(given)
  const signer = given.signer as DeviceSigner
  const key = checkDeviceKey((given.signer as DeviceSigner | undefined)?.key)
  const vector = floatsOf(given.vector, dimensions)
  try {
    const statement: Statement = {
      realm: question.realm,
      capturedSeconds,
      nonce: question.nonce,
      recipient: question.recipient.id,
      purpose: question.purpose,
      model: id,
      probe: probeHash(id, vector),
      conditions,
      liveness,
      intent,
      attestation: chain && sha256(chain),
    }
    const statements = {
      header: writeHeader(key.algorithm, thumbprint(key)),
      payload: writePayload(statement),
    }
    const proof = await prove(statements, key, signer)
    return await seal(writePlain(proof, vector, chain), question.recipient, question.realm)
  } finally {
    wipe(vector)
  }
}

async function prove(
  statements: Statements,
  key: DeviceKey,
  signer: DeviceSigner,
): Promise<Uint8Array | readonly Uint8Array[]> {
  const signed = signedBytes(statements)
  if ('sign' in signer) return writeToken(statements, fixedSignature(await signer.sign(signed), key))
  const answer: unknown = await signer.assert(assertionChallenge(signed))
  const fields = ['authenticatorData', 'clientDataJSON', 'signature'] as const
  const given = readFields(answer, 'an assertion', fields, rejectSigner)
  return [
    statements.header,
    statements.payload,
    copyBytes(given.authenticatorData, 'authenticatorData', AUTHENTICATOR_BYTES, rejectSigner),
    copyBytes(given.clientDataJSON, 'clientDataJSON', [1, MAX_CLIENT_DATA_BYTES], rejectSigner),
    fixedSignature(copyBytes(given.signature, 'signature', [1, MOST_SIGNATURE_BYTES], rejectSigner), key),
  ]
}

function checkQuestion(challenge: unknown, recipients: unknown): Question {
  const bytes = copyBytes(challenge, 'challenge', [1, MOST_CHALLENGE_BYTES], rejectInput)
  const question = readQuestion(bytes, rejectChallenge)
  if (recipients === undefined) return question
  const trusted = readList(recipients, 'recipients', MOST_RECIPIENTS, rejectInput).map((id) =>
    copyBytes(id, 'a recipient', HASH_BYTES, rejectInput),
  )
  if (!trusted.some((id) => equalBytes(id, question.recipient.id)))
    throw rejectChallenge('the challenge names a transport key that this device does not trust')
  return question
}

function rejectChallenge(why: string): CaptureError {
  return new CaptureError('ERR_CAPTURE_CHALLENGE', why)
}

function checkFacts(
  given: Readonly<Record<(typeof FIELDS)[number], unknown>>,
): Pick<Statement, 'conditions' | 'liveness' | 'intent' | 'capturedSeconds'> {
  const names = ['masked', 'glasses', 'quality'] as const
  const seen = readFields(given.conditions, 'conditions', names, rejectInput)
  const ms =
    given.capturedAtMs === undefined
      ? systemClock.nowMs()
      : checkInteger(given.capturedAtMs, 'capturedAtMs', [0, MOST_MS], rejectInput)
  return {
    conditions: {
      masked: checkBoolean(seen.masked, 'masked', rejectInput),
      glasses: checkBoolean(seen.glasses, 'glasses', rejectInput),
      quality: checkInteger(seen.quality, 'quality', [0, 100], rejectInput),
    },
    liveness: given.liveness === undefined ? undefined : checkLiveness(given.liveness),
    intent: checkBoolean(given.intent, 'intent', rejectInput),
    capturedSeconds: Math.floor(ms / 1000),
  }
}

function checkLiveness(value: unknown): LivenessClaim {
  const names = ['method', 'standard', 'level', 'verdict', 'issuer'] as const
  const claim = readFields(value, 'liveness', names, rejectInput)
  const short = (name: Exclude<(typeof names)[number], 'verdict'>): string =>
    checkText(claim[name], name, { maxBytes: MAX_SHORT_BYTES }, rejectInput)
  return {
    method: short('method'),
    standard: short('standard'),
    level: short('level'),
    verdict: checkOneOf(claim.verdict, 'verdict', VERDICTS, rejectInput),
    issuer: short('issuer'),
  }
}

/** The vector as little-endian float32, off-heap. */
function floatsOf(input: unknown, dimensions: number): Uint8Array {
  const values = readVector(input, dimensions)
  const bytes = secretBytes(FLOAT_BYTES * dimensions)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < dimensions; i++) view.setFloat32(FLOAT_BYTES * i, values[i] as number, true)
  wipe(values)
  return bytes
}
