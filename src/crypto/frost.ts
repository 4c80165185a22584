/** Shares of a ristretto255 key: dealt or made together (FROST, RFC 9591 Appendix C), interpolated, moved (SPEC §13.1). @module */

import { ristretto255_FROST } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8 } from '../base/bytes.ts'
import { randomBytes } from './random.ts'
import {
  ELEMENT_BYTES,
  type Element,
  multiplyBase,
  randomScalar,
  readElement,
  readScalar,
  reduceWide,
  scalars,
  sumOfProducts,
  writeScalar,
} from './ristretto.ts'

const { DKG, Identifier } = ristretto255_FROST
const KNOWLEDGE_TAG: Uint8Array = utf8('FROST-RISTRETTO255-SHA512-v1dkg') as Uint8Array
type DealSecret = ReturnType<typeof DKG.round1>['secret']

/** What a dealer makes: commitments to the polynomial, and its value at 1 … n. */
export interface Dealt {
  readonly commitments: readonly Element[]
  /** The share of holder i stands at i − 1. The library made them on the moving heap; the caller wipes them. */
  readonly shares: readonly Uint8Array[]
}

/** Shares of a new key, any `threshold` of which determine it. Whoever calls knows the key for a moment. */
export function dealShares(threshold: number, holders: number): Dealt {
  const dealt = ristretto255_FROST.trustedDealer(
    { min: threshold, max: holders },
    undefined,
    undefined,
    randomOf,
  )
  const shares = indices(holders).map((index) => {
    const { signingShare } = dealt.secretShares[nameOf(index)] as { readonly signingShare: Uint8Array }
    return signingShare
  })
  return { commitments: dealt.public.commitments.map(element), shares }
}

/** What a holder publishes when shares are made without a dealer. */
export interface Opening {
  readonly index: number
  readonly commitments: readonly Uint8Array[]
  /** Of the knowledge of the polynomial's value at zero, 64 bytes. */
  readonly proof: Uint8Array
}

/** One holder's part in making shares without a dealer. */
export class Deal {
  readonly opening: Opening
  readonly #secret: DealSecret

  constructor(index: number, threshold: number, holders: number) {
    const { public: said, secret } = DKG.round1(
      nameOf(index),
      { min: threshold, max: holders },
      undefined,
      randomOf,
    )
    this.#secret = secret
    this.opening = { index, commitments: said.commitment, proof: said.proofOfKnowledge }
  }

  /**
   * The values for the other holders, by index; the caller wipes them. `blame` makes the error for an opening that does not
   * hold.
   */
  deal(others: readonly Opening[], blame: (index: number) => Error): ReadonlyMap<number, Uint8Array> {
    for (const other of others) if (!isProven(other)) throw blame(other.index)
    const packages = DKG.round2(this.#secret, others.map(messageOf))
    return new Map(
      others.map(({ index }) => {
        const { signingShare } = packages[nameOf(index)] as { readonly signingShare: Uint8Array }
        return [index, signingShare]
      }),
    )
  }

  /** The share and the commitments of all together. The values must have been checked against the openings. */
  finish(others: readonly Opening[], values: ReadonlyMap<number, Uint8Array>): Dealt {
    const packages = [...values].map(([index, signingShare]) => ({ identifier: nameOf(index), signingShare }))
    const made = DKG.round3(this.#secret, others.map(messageOf), packages)
    return { commitments: made.public.commitments.map(element), shares: [made.secret.signingShare] }
  }

  /** Forgets the polynomial, as far as JavaScript's integers allow. */
  clean(): void {
    DKG.clean(this.#secret)
  }
}

/** Coefficients of Lagrange: with them the values at `indices` make the value at `at`. */
export function lagrange(places: readonly number[], at: number): readonly bigint[] {
  return places.map((own) => {
    let above = 1n
    let below = 1n
    for (const other of places) {
      if (other === own) continue
      above = scalars.multiply(above, difference(at, other))
      below = scalars.multiply(below, difference(own, other))
    }
    return scalars.multiply(above, scalars.invert(below))
  })
}

/** A polynomial with uniform coefficients but for the constant one, which is zero and left out. */
export function zeroPolynomial(threshold: number): {
  coefficients: bigint[]
  commitments: readonly Element[]
} {
  const coefficients = indices(threshold - 1).map(randomScalar)
  return { coefficients, commitments: coefficients.map(multiplyBase) }
}

/** `Σ x^m·c_m` for m = 1, 2 …: the value of what `zeroPolynomial` gives. */
export function zeroValue(coefficients: readonly bigint[], index: number): bigint {
  const x = BigInt(index)
  let value = 0n
  for (const coefficient of coefficients.toReversed()) {
    value = scalars.multiply(scalars.add(value, coefficient), x)
  }
  return value
}

/** The multiple of G that belongs to a polynomial's value at `index`; commitments from the power `from` on. */
export function committedValue(commitments: readonly Element[], index: number, from: 0 | 1 = 0): Element {
  let power = from === 0 ? 1n : BigInt(index)
  return sumOfProducts(
    commitments.map((commitment) => {
      const term = [power, commitment] as const
      power = scalars.multiply(power, BigInt(index))
      return term
    }),
  )
}

/** 1, 2 … `count`. */
export function indices(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Schnorr's proof that whoever published an opening knows the number behind its first commitment. */
function isProven({ index, commitments: [first], proof }: Opening): boolean {
  const key = first && readElement(first)
  const nonce = readElement(proof.subarray(0, ELEMENT_BYTES))
  const response = readScalar(proof.subarray(ELEMENT_BYTES))
  if (first === undefined || key === undefined || nonce === undefined || response === undefined) return false
  const name = writeScalar(BigInt(index))
  const challenge = reduceWide(sha512(concatBytes(KNOWLEDGE_TAG, name, first, nonce.toBytes())))
  return multiplyBase(response).equals(nonce.add(sumOfProducts([[challenge, key]])))
}

function messageOf({ index, commitments, proof }: Opening): Parameters<typeof DKG.round2>[1][number] {
  return { identifier: nameOf(index), commitment: [...commitments], proofOfKnowledge: proof }
}

function nameOf(index: number): string {
  return Identifier.fromNumber(index)
}

function difference(a: number, b: number): bigint {
  return a >= b ? BigInt(a - b) : scalars.subtract(0n, BigInt(b - a))
}

/** Of bytes that the library wrote. */
function element(bytes: Uint8Array): Element {
  return readElement(bytes) as Element
}

function randomOf(length = 32): Uint8Array {
  return randomBytes(length)
}

/** True when `value` is what the commitments of a polynomial say of its value at `index`. */
export function fitsCommitments(
  value: Uint8Array,
  commitments: readonly Element[],
  index: number,
  from: 0 | 1,
): boolean {
  const scalar = readScalar(value)
  return scalar !== undefined && multiplyBase(scalar).equals(committedValue(commitments, index, from))
}
