/** The quorum against its vectors and those of RFC 9497 (SPEC §13). @module */
import { readQuorumKey, readQuorumShare } from 'guise/quorum'
import { expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import {
  finalize,
  hashToElement,
  multiplyBase,
  multiplyBlinded,
  proveWith,
  readElement,
  readScalar,
  scalars,
  verifyProof,
} from '../../src/crypto/ristretto.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import {
  CONTEXT,
  combinePartials,
  evaluateShare,
  quorumInput,
  verifyPartial,
} from '../../src/quorum/evaluate.ts'
import {
  decodeQuestion,
  decodeReply,
  encodeAnswer,
  encodeRefusal,
  encodeRequest,
  encodeRevocation,
} from '../../src/quorum/messages.ts'
import { openHead, openRecord, sealHead, sealRecord, TagSum } from '../../src/quorum/rows.ts'
import file from './quorum.json' with { type: 'json' }
import { expectRefused, hex, unhex } from './read.ts'
import rfc from './rfc9497/ristretto255.json' with { type: 'json' }

const record = Uint8Array.from({ length: 16 }, (_, i) => 16 + i)
const generation = Uint8Array.from({ length: 20 }, (_, i) => (i < 4 ? Number(i === 3) : 64 + i))

interface QuorumVector {
  readonly name: string
  readonly key: string
  readonly input: string
  readonly element: string
  readonly parts: readonly { index: number; file: string; nonce: string; evaluated: string; proof: string }[]
  readonly output: string
}
const all = file.positive as readonly unknown[]
const ofKind = <Vector>(kind: string): Vector[] =>
  all.filter((one) => (one as { kind: string }).kind === kind) as Vector[]

test.each(ofKind<QuorumVector>('quorum'))('$name', (vector) => {
  const key = readQuorumKey(unhex(vector.key))
  expect(hex(key.bytes)).toBe(vector.key)
  const input = quorumInput({ realm: key.realm, record, generation, epoch: key.epoch })
  expect([hex(input.bytes), hex(input.element.toBytes())]).toEqual([vector.input, vector.element])
  const verified = vector.parts.map((part) => {
    const share = readQuorumShare(unhex(part.file))
    expect(hex(share.encode())).toBe(part.file)
    const { evaluated } = evaluateShare(share, input)
    expect(hex(evaluated)).toBe(part.evaluated)
    const statement = {
      key: key.shareKey(part.index),
      element: input.element,
      evaluated: readElement(evaluated) as NonNullable<ReturnType<typeof readElement>>,
    }
    const nonce = readScalar(unhex(part.nonce)) as bigint
    const proof = share.use((scalar) => proveWith(nonce, scalar, statement, CONTEXT))
    expect(hex(proof)).toBe(part.proof)
    const one = verifyPartial(key, input, { index: part.index, evaluated, proof })
    return one as NonNullable<typeof one>
  })
  const { threshold } = key
  for (const some of [verified.slice(0, threshold), verified.slice(-threshold).toReversed()])
    expect(hex(combinePartials(key, input, some))).toBe(vector.output)
})

interface RowsVector {
  readonly realm: string
  readonly index: number
  readonly stateKey: string
  readonly rows: readonly string[]
  readonly head: string
}

test.each(ofKind<RowsVector>('rows'))('rows of a holder', async ({ realm, index, stateKey, rows, head }) => {
  await cryptoReady()
  const name = { realm: realm as Realm, index }
  const key = unhex(stateKey)
  const sum = new TagSum()
  for (const bytes of rows) {
    const { tag, ...row } = openRecord(name, unhex(bytes), key)
    sum.add(tag)
    expect(hex(sealRecord(name, row, key).bytes)).toBe(bytes)
  }
  const { tag: _, ...opened } = openHead(name, unhex(head), sum.bytes(), key)
  expect(hex(sealHead(name, opened, sum.bytes(), key).bytes)).toBe(head)
  for (const other of [
    { ...name, index: 3 },
    { ...name, realm: 'other' as Realm },
  ])
    expectRefused(() => openHead(other, unhex(head), sum.bytes(), key), 'ERR_QUORUM_FORMAT', 'another holder')
  expectRefused(() => openHead(name, unhex(head), new TagSum().bytes(), key), 'ERR_QUORUM_FORMAT', 'no rows')
})

test.each(ofKind<{ name: string; message: string }>('message'))('message: $name', ({ name, message }) => {
  const bytes = unhex(message)
  const asked = name === 'request' || name === 'revocation' ? decodeQuestion(bytes) : decodeReply(bytes)
  expect(asked.kind).toBe(name)
  const again = (): Uint8Array => {
    if (asked.kind === 'request') return encodeRequest(asked)
    if (asked.kind === 'revocation') return encodeRevocation(asked)
    if (asked.kind === 'answer') return encodeAnswer(asked)
    if (asked.kind === 'refusal') return encodeRefusal(asked)
    return new Uint8Array(0)
  }
  expect(hex(again())).toBe(message)
})

test.each(file.negative)('$name', ({ kind, bytes, code, name }) => {
  const given = unhex(bytes)
  if (kind === 'key') expectRefused(() => readQuorumKey(given), code, name)
  else if (kind === 'share') expectRefused(() => readQuorumShare(given), code, name)
  else for (const decode of [decodeQuestion, decodeReply]) expectRefused(() => decode(given), code, name)
})

interface RfcVector {
  readonly Batch: number
  readonly Blind: string
  readonly BlindedElement: string
  readonly EvaluationElement: string
  readonly Input: string
  readonly Output: string
  readonly Proof?: { readonly proof: string; readonly r: string }
}

/** The RFC writes lists as hexadecimal with commas. */
const split = (text: string): Uint8Array[] => text.split(',').map(unhex)

test.each(rfc)('RFC 9497 mode $mode: elements, evaluations, proofs and outputs', (suite) => {
  const context = unhex(suite.groupDST).slice('HashToGroup-'.length)
  const secret = readScalar(unhex(suite.skSm)) as bigint
  const key = multiplyBase(secret)
  if (suite.pkSm !== undefined) expect(hex(key.toBytes())).toBe(suite.pkSm)
  let proofs = 0
  for (const vector of suite.vectors as RfcVector[]) {
    const blinds = split(vector.Blind)
    const evaluations = split(vector.EvaluationElement)
    const blindeds = split(vector.BlindedElement)
    const outputs = split(vector.Output)
    for (const [i, input] of split(vector.Input).entries()) {
      const element = hashToElement(input, context)
      const blind = readScalar(blinds[i] as Uint8Array) as bigint
      const blinded = multiplyBlinded(element, blind)
      expect(hex(blinded.toBytes())).toBe(hex(blindeds[i] as Uint8Array))
      const evaluated = multiplyBlinded(blinded, secret)
      expect(hex(evaluated.toBytes())).toBe(hex(evaluations[i] as Uint8Array))
      const unblinded = multiplyBlinded(evaluated, scalars.invert(blind))
      expect(hex(finalize(input, unblinded))).toBe(hex(outputs[i] as Uint8Array))
      expect(hex(finalize(input, multiplyBlinded(element, secret)))).toBe(hex(outputs[i] as Uint8Array))
      if (vector.Proof === undefined || vector.Batch !== 1) continue
      const statement = { key, element: blinded, evaluated }
      const proof = proveWith(readScalar(unhex(vector.Proof.r)) as bigint, secret, statement, context)
      expect(hex(proof)).toBe(vector.Proof.proof)
      expect(verifyProof(statement, proof, context)).toBe(true)
      expect(verifyProof({ ...statement, evaluated: element }, proof, context)).toBe(false)
      proofs += 1
    }
  }
  expect(proofs).toBe(suite.mode === 0 ? 0 : 2)
})
