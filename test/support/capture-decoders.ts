/** Decoders of captures, of what devices are asked, and of tokens (SPEC §20). @module */
import type { Realm } from '../../src/base/brand.ts'
import { encodeCbor } from '../../src/base/cbor.ts'
import { readQuestion, writeQuestion } from '../../src/capture/challenge.ts'
import { thumbprint } from '../../src/capture/device-key.ts'
import { refusal } from '../../src/capture/errors.ts'
import { readPlain, readSealed, type Sealed, writePlain } from '../../src/capture/sealed.ts'
import {
  readHeader,
  readPayload,
  readToken,
  type Statement,
  writeHeader,
  writePayload,
  writeToken,
} from '../../src/capture/statement.ts'
import { HPKE_SUITE } from '../../src/crypto/hpke.ts'
import type { Decoder } from './decoders.ts'

const realm = 'clinic' as Realm
const hash = new Uint8Array(32).fill(6)
const point = new Uint8Array(65).fill(4)
const signature = new Uint8Array(64).fill(7)
const reject = (): Error => refusal('statement')

const STATEMENT: Statement = {
  realm,
  capturedSeconds: 1_800_000_000,
  nonce: hash,
  recipient: hash,
  purpose: 'login',
  model: 'test@1',
  probe: hash,
  conditions: { masked: false, glasses: true, quality: 70 },
  liveness: { method: 'flash', standard: 'ISO/IEC 30107-3', level: '2', verdict: 'live', issuer: 'app' },
  intent: true,
  attestation: hash,
}

/** Each with something to alter. */
export function captureDecoders(): Readonly<Record<string, Decoder>> {
  const payload = writePayload(STATEMENT)
  const header = writeHeader('ES256', hash)
  const token = writeToken({ header, payload }, signature)
  const question = { realm, purpose: 'login', nonce: hash }
  const recipient = { id: thumbprint({ algorithm: 'ES256', publicKey: point }), publicKey: point }
  const sealed = ({ recipient: id, enc, ciphertext }: Sealed): Uint8Array =>
    encodeCbor([1, 60, HPKE_SUITE, id, enc, ciphertext])
  const assertion = [header, payload, new Uint8Array(37), new Uint8Array(120), signature]
  return {
    'capture payload': {
      seed: payload,
      decode: (bytes) => readPayload(bytes, reject),
      encode: (value: Statement) => writePayload(value),
    },
    'capture header': {
      seed: header,
      decode: (bytes) => readHeader(bytes, reject),
      encode: ({ algorithm, device }: ReturnType<typeof readHeader>) => writeHeader(algorithm, device),
    },
    'capture token': {
      seed: token,
      decode: (bytes) => readToken(bytes, reject),
      encode: (value: ReturnType<typeof readToken>) => writeToken(value, value.signature),
    },
    'capture token inside': { seed: writePlain(token, new Uint8Array(256), hash), decode: readPlain },
    'capture assertion inside': { seed: writePlain(assertion, new Uint8Array(256), hash), decode: readPlain },
    'capture sealed': {
      seed: sealed({ recipient: hash, enc: point, ciphertext: new Uint8Array(600) }),
      decode: readSealed,
      encode: sealed,
    },
    'capture question': {
      seed: writeQuestion({ ...question, recipient }),
      decode: (bytes) => readQuestion(bytes, reject),
      encode: (value: ReturnType<typeof readQuestion>) => writeQuestion(value),
    },
  }
}
