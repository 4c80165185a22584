/** What a quorum computes: shares of an output, their proofs, and the output of any t of them (SPEC §13.3). @module */

import type { Realm } from '../base/brand.ts'
import { utf8 } from '../base/bytes.ts'
import { encodeCbor } from '../base/cbor.ts'
import { soon } from '../base/soon.ts'
import { lagrange } from '../crypto/frost.ts'
import {
  type Element,
  finalize,
  giveTable,
  hashToElement,
  Multiples,
  multiplyBlinded,
  proofSteps,
  readElement,
  sumOfProducts,
  verifyProof,
  writeElement,
} from '../crypto/ristretto.ts'
import { rejectInput } from './errors.ts'
import { FORMAT, type QuorumKey } from './key.ts'
import type { QuorumShare } from './share.ts'

const KIND = 24
export const CONTEXT: Uint8Array = utf8('guise/v1/quorum-ristretto255-SHA512') as Uint8Array

/** What is opened. */
export interface QuorumPlace {
  readonly realm: Realm
  /** 16 bytes. */
  readonly record: Uint8Array
  /** 20 bytes. */
  readonly generation: Uint8Array
  readonly epoch: number
}

/** `m`, and the element that it hashes to. */
export interface QuorumInput {
  readonly bytes: Uint8Array
  readonly element: Element
  /** For whoever verifies parts. */
  readonly multiples: Multiples
}

/** One holder's part of an output. */
export interface Partial {
  readonly index: number
  /** 32 bytes. */
  readonly evaluated: Uint8Array
  /** 64 bytes. */
  readonly proof: Uint8Array
}

/** A part whose proof was verified. */
export interface VerifiedPartial {
  readonly index: number
  readonly element: Element
}

export function quorumInput({ realm, record, generation, epoch }: QuorumPlace): QuorumInput {
  const bytes = encodeCbor([FORMAT, KIND, realm, record, generation, epoch])
  const element = hashToElement(bytes, CONTEXT)
  return { bytes, element, multiples: new Multiples(element) }
}

/** A holder's part. Every multiplication by the share is blinded (QUORUM-6). */
export function evaluateShare(share: QuorumShare, input: QuorumInput): Partial {
  const steps = evaluationSteps(share, input)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** As `evaluateShare`; flushes and sockets that are ready go first, again and again. */
export async function evaluateSoon(share: QuorumShare, input: QuorumInput): Promise<Partial> {
  const steps = evaluationSteps(share, input)
  for (;;) {
    await soon()
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

function* evaluationSteps(share: QuorumShare, { element }: QuorumInput): Generator<void, Partial> {
  const { key, index } = share
  giveTable(element, 'once')
  yield
  const evaluated = share.use((scalar) => multiplyBlinded(element, scalar))
  const statement = { key: key.shareKey(index), element, evaluated }
  const proof = yield* share.use((scalar) => proofSteps(scalar, statement, CONTEXT))
  return { index, evaluated: writeElement(evaluated), proof }
}

/** The part, or `undefined` when its proof does not hold under the share key of its index (QUORUM-7). */
export function verifyPartial(
  key: QuorumKey,
  input: QuorumInput,
  partial: Partial,
): VerifiedPartial | undefined {
  const { index, evaluated, proof } = partial
  const element = readElement(evaluated)
  if (element === undefined) return undefined
  const statement = { key: key.shareKey(index), element: input.element, evaluated: element }
  return verifyProof(statement, proof, CONTEXT, input.multiples) ? { index, element } : undefined
}

/** The output of exactly t verified parts of different holders: 64 bytes, off-heap, wiped by the caller. */
export function combinePartials(
  key: QuorumKey,
  input: QuorumInput,
  partials: readonly VerifiedPartial[],
): Uint8Array<ArrayBuffer> {
  const places = partials.map(({ index }) => index)
  if (places.length !== key.threshold || new Set(places).size !== places.length) {
    throw rejectInput('as many parts as the threshold, each of another holder, make an output')
  }
  const factors = lagrange(places, 0)
  const terms = partials.map(({ element }, i) => [factors[i] as bigint, element] as const)
  return finalize(input.bytes, sumOfProducts(terms))
}
