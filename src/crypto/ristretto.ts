/** The group ristretto255: scalars, elements, blinded multiplication, proofs of equal logarithms (SPEC §13, RFC 9496, RFC 9497). @module */

import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, fixedLabel, secretBytes, utf8, wipe } from '../base/bytes.ts'
import { randomBytes } from './random.ts'

/** An element of the group. Made by this module only. */
export type Element = InstanceType<typeof ristretto255.Point>

export const SCALAR_BYTES = 32
export const ELEMENT_BYTES = 32
export const PROOF_BYTES = 64
const WIDE_BYTES = 64

const { Point } = ristretto255
const { Fn } = Point

/** Numbers modulo the order of the group. JavaScript's integers can neither be wiped nor computed with in constant time. */
export const scalars: {
  readonly add: (a: bigint, b: bigint) => bigint
  readonly subtract: (a: bigint, b: bigint) => bigint
  readonly multiply: (a: bigint, b: bigint) => bigint
  /** Of a number that is not zero. */
  readonly invert: (a: bigint) => bigint
} = Object.freeze({
  add: (a: bigint, b: bigint) => Fn.add(a, b),
  subtract: (a: bigint, b: bigint) => Fn.sub(a, b),
  multiply: (a: bigint, b: bigint) => Fn.mul(a, b),
  invert: (a: bigint) => Fn.inv(a),
})

/** The scalar that 32 bytes encode; `undefined` for zero and for what is not below the order. */
export function readScalar(bytes: Uint8Array): bigint | undefined {
  if (bytes.length !== SCALAR_BYTES) return undefined
  const value = numberOf(bytes)
  return value === 0n || value >= Fn.ORDER ? undefined : value
}

/** 32 bytes, least significant first, off-heap; the caller wipes them. */
export function writeScalar(value: bigint): Uint8Array<ArrayBuffer> {
  const out = secretBytes(SCALAR_BYTES)
  const view = new DataView(out.buffer)
  for (let word = 0; word < 4; word++) view.setBigUint64(8 * word, value >> BigInt(64 * word), true)
  return out
}

/** A uniform scalar that is not zero: 64 random bytes modulo ℓ − 1, and one more. */
export function randomScalar(): bigint {
  const wide = randomBytes(WIDE_BYTES)
  const value = 1n + (numberOf(wide) % (Fn.ORDER - 1n))
  wipe(wide)
  return value
}

/** The element that 32 bytes encode; `undefined` for the identity and for what RFC 9496 §4.3.1 does not decode. */
export function readElement(bytes: Uint8Array): Element | undefined {
  if (bytes.length !== ELEMENT_BYTES) return undefined
  try {
    const own = Uint8Array.from(bytes)
    const element = Point.fromBytes(own)
    if (element.is0()) return undefined
    // No other bytes decode to it (RFC 9496 §4.3.1).
    encodings.set(element, own)
    return element
  } catch {
    return undefined
  }
}

const encodings = new WeakMap<Element, Uint8Array>()

/** The 32 bytes of an element that is public, computed once, as that takes a root. They stay this module's: nobody alters or wipes them. */
function encodingOf(element: Element): Uint8Array {
  let bytes = encodings.get(element)
  if (bytes === undefined) {
    bytes = element.toBytes()
    encodings.set(element, bytes)
  }
  return bytes
}

/** The 32 bytes of an element that is public; the caller's. */
export function writeElement(element: Element): Uint8Array {
  return Uint8Array.from(encodingOf(element))
}

/** The element of a message under a context string (RFC 9380 Appendix B, RFC 9497 §4.1). */
export function hashToElement(message: Uint8Array, context: Uint8Array): Element {
  return ristretto255_hasher.hashToCurve(message, { DST: concatBytes(ascii('HashToGroup-'), context) })
}

/** `secret·G`; the generator's multiples are tabled, so this one is blinded by noble. */
export function multiplyBase(secret: bigint): Element {
  return Point.BASE.multiply(secret)
}

/**
 * `secret·element` as two multiplications by summands that are drawn anew: the time of one depends on its scalar, and would tell a
 * little about a secret that is used again and again (QUORUM-6).
 */
export function multiplyBlinded(element: Element, secret: bigint): Element {
  const first = randomScalar()
  // It is zero with a chance of 2^-252; noble throws then.
  const second = Fn.sub(secret, first)
  return element.multiply(first).add(element.multiply(second))
}

/** `Σ factor·element` in variable time: for what is public. The identity when there is nothing to add. */
export function sumOfProducts(terms: Iterable<readonly [factor: bigint, element: Element]>): Element {
  let sum = Point.ZERO
  for (const [factor, element] of terms) {
    // Small negative factors are those of most subsets.
    const isNegative = 2n * factor > Fn.ORDER
    const product = element.multiplyUnsafe(isNegative ? Fn.neg(factor) : factor)
    sum = isNegative ? sum.subtract(product) : sum.add(product)
  }
  return sum
}

const WINDOW = 4n
const HALF_WINDOW = 8
const WINDOWS = 64

/**
 * Multiples of one element that is public, in variable time. Its doublings are computed once, so that every multiple after the first costs a
 * third of `multiplyUnsafe` (A. C. Yao, On the evaluation of powers, 1976).
 */
export class Multiples {
  readonly element: Element
  /** `16^i·element`. */
  #powers: readonly Element[] = []

  constructor(element: Element) {
    this.element = element
  }

  /** Computes the doublings now, while there is time. */
  prepare(): void {
    if (this.#powers.length > 0) return
    const powers = [this.element]
    for (let i = 1; i <= WINDOWS; i++) {
      const last = powers[i - 1] as Element
      powers.push(last.double().double().double().double())
    }
    this.#powers = powers
  }

  /** `factor·element`; `factor` is public and below the order. */
  by(factor: bigint): Element {
    this.prepare()
    const sums = Array.from({ length: HALF_WINDOW + 1 }, () => Point.ZERO)
    let rest = factor
    for (let i = 0; rest > 0n; i++) {
      const low = Number(rest & ((1n << WINDOW) - 1n))
      const isUpper = low > HALF_WINDOW
      rest = (rest >> WINDOW) + (isUpper ? 1n : 0n)
      if (low === 0) continue
      const power = this.#powers[i] as Element
      const at = isUpper ? 2 * HALF_WINDOW - low : low
      const sum = sums[at] as Element
      sums[at] = isUpper ? sum.subtract(power) : sum.add(power)
    }
    let above = Point.ZERO
    let product = Point.ZERO
    for (let digit = HALF_WINDOW; digit > 0; digit--) {
      above = above.add(sums[digit] as Element)
      product = product.add(above)
    }
    return product
  }
}

/** Bits of a window: the longer an element is multiplied, the more its table may cost. */
const WINDOWS_OF = { once: 3, often: 5 } as const

const tabled = new WeakSet<Element>()

/**
 * Gives an element a table that makes its multiples cheap: for one that is multiplied for as long as the process runs (`often`), or five times
 * (`once`). Lookups read the whole of a window, whatever the scalar.
 */
export function giveTable(element: Element, uses: keyof typeof WINDOWS_OF = 'often'): void {
  if (tabled.has(element)) return
  tabled.add(element)
  element.precompute(WINDOWS_OF[uses], uses === 'often')
}

/** What a proof is about: `evaluated` is `element` times the number of which `key` is the multiple of G. */
export interface Statement {
  readonly key: Element
  readonly element: Element
  readonly evaluated: Element
}

/** `GenerateProof` of RFC 9497 §2.2.1 for one element, 64 bytes. The nonce is hedged: random, and bound to secret and statement. */
export function prove(secret: bigint, statement: Statement, context: Uint8Array): Uint8Array {
  return finish(proofSteps(secret, statement, context))
}

/** `prove`, with a rest after each part of a millisecond or two: whoever computes it can let others go first. */
export function proofSteps(
  secret: bigint,
  statement: Statement,
  context: Uint8Array,
): Generator<void, Uint8Array> {
  const random = randomBytes(SCALAR_BYTES)
  const own = writeScalar(secret)
  const said = [statement.key, statement.element, statement.evaluated].map(encodingOf)
  const input = concatBytes(fixedLabel('guise/v1/quorum-nonce'), random, own, ...said)
  const wide = sha512(input)
  try {
    return stepsWith(reduceWide(wide), secret, statement, context)
  } finally {
    wipe(random, own, input, wide)
  }
}

/** `prove` with a nonce that is given: for vectors. The same nonce in two proofs gives the secret away. */
export function proveWith(
  nonce: bigint,
  secret: bigint,
  statement: Statement,
  context: Uint8Array,
): Uint8Array {
  return finish(stepsWith(nonce, secret, statement, context))
}

function* stepsWith(
  nonce: bigint,
  secret: bigint,
  statement: Statement,
  context: Uint8Array,
): Generator<void, Uint8Array> {
  yield
  const factor = compositeFactor(statement, context)
  const [m, z] = [statement.element.multiplyUnsafe(factor), statement.evaluated.multiplyUnsafe(factor)]
  yield
  // nonce·m by the table that the element has.
  const blinded = multiplyBlinded(statement.element, Fn.mul(nonce, factor))
  yield
  const challenge = challengeOf([statement.key, m, z, multiplyBase(nonce), blinded], context)
  const response = Fn.sub(nonce, Fn.mul(challenge, secret))
  return concatBytes(writeScalar(challenge), writeScalar(response))
}

function finish(steps: Generator<void, Uint8Array>): Uint8Array {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/**
 * `VerifyProof` of RFC 9497 §2.2.2 for one element. Whatever has another form is false. `multiples`: of the statement's element, for whoever
 * verifies several proofs about it.
 */
export function verifyProof(
  statement: Statement,
  proof: Uint8Array,
  context: Uint8Array,
  multiples: Multiples = new Multiples(statement.element),
): boolean {
  if (proof.length !== PROOF_BYTES) return false
  const challenge = numberOf(proof.subarray(0, SCALAR_BYTES))
  const response = numberOf(proof.subarray(SCALAR_BYTES))
  if (challenge >= Fn.ORDER || response >= Fn.ORDER) return false
  const { key, evaluated } = statement
  const factor = compositeFactor(statement, context)
  const evaluations = new Multiples(evaluated)
  const [m, z] = [multiples.by(factor), evaluations.by(factor)]
  const second = sumOfProducts([
    [response, Point.BASE],
    [challenge, key],
  ])
  // response·m + challenge·z, by the doublings that are there.
  const third = multiples.by(Fn.mul(response, factor)).add(evaluations.by(Fn.mul(challenge, factor)))
  return challengeOf([key, m, z, second, third], context) === challenge
}

/** `Finalize` of RFC 9497 §3.3.1 for an element that nobody blinded: 64 bytes, off-heap, wiped by the caller. */
export function finalize(input: Uint8Array, element: Element): Uint8Array<ArrayBuffer> {
  const bytes = element.toBytes()
  const message = concatBytes(framed(input), framed(bytes), ascii('Finalize'))
  const digest = sha512(message)
  const out = secretBytes(digest.length)
  out.set(digest)
  wipe(bytes, message, digest)
  return out
}

/** The number modulo the order that 64 bytes, least significant first, are. */
export function reduceWide(wide: Uint8Array): bigint {
  return Fn.create(numberOf(wide))
}

/** The factor of RFC 9497 §2.2.1 `ComputeCompositesFast` for one element: `m` and `z` are its multiples of the element and of the evaluated one, which is public. */
function compositeFactor({ key, element, evaluated }: Statement, context: Uint8Array): bigint {
  const seed = sha512(concatBytes(framed(encodingOf(key)), framed(concatBytes(ascii('Seed-'), context))))
  const first = Uint8Array.of(0, 0)
  const message = concatBytes(framed(seed), first, framed(encodingOf(element)), framed(encodingOf(evaluated)))
  return hashToScalar(concatBytes(message, ascii('Composite')), context)
}

function challengeOf(elements: readonly Element[], context: Uint8Array): bigint {
  const parts = elements.map((element) => framed(encodingOf(element)))
  return hashToScalar(concatBytes(...parts, ascii('Challenge')), context)
}

function hashToScalar(message: Uint8Array, context: Uint8Array): bigint {
  const tag = concatBytes(ascii('HashToScalar-'), context)
  return ristretto255_hasher.hashToScalar(message, { DST: tag })
}

/** `I2OSP(len(x), 2) ‖ x`. */
function framed(bytes: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes)
}

function ascii(text: string): Uint8Array {
  return utf8(text) as Uint8Array
}

/** Least significant byte first. */
function numberOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let value = 0n
  for (let at = bytes.length - 8; at >= 0; at -= 8) value = (value << 64n) | view.getBigUint64(at, true)
  return value
}
