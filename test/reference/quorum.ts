/** The quorum, slowly and from the text (SPEC §13; RFC 9497 §2.2, §3.3.1). @module */
import { concat, lp, u32be, utf8 } from './bytes.ts'
import { encode, type Value } from './cbor.ts'
import { hkdf, mac } from './hashes.ts'
import {
  add,
  encodePoint,
  GENERATOR,
  hashToGroup,
  hashToScalar,
  littleEndian,
  multiply,
  numberBytes,
  ORDER,
  type Point,
  sha512,
  ZERO,
} from './ristretto.ts'

export const CONTEXT: Uint8Array = utf8('guise/v1/quorum-ristretto255-SHA512')

const reduce = (a: bigint): bigint => ((a % ORDER) + ORDER) % ORDER
const u16be = (n: number): Uint8Array => Uint8Array.of(Math.floor(n / 256), n % 256)
const framed = (bytes: Uint8Array): Uint8Array => concat(u16be(bytes.length), bytes)

function invert(a: bigint): bigint {
  let result = 1n
  for (let base = reduce(a), left = ORDER - 2n; left > 0n; left /= 2n, base = reduce(base * base))
    if (left % 2n === 1n) result = reduce(result * base)
  return result
}

/** `f(x)`, by its definition. */
export function valueAt(coefficients: readonly bigint[], x: number): bigint {
  return reduce(coefficients.reduce((sum, a, j) => sum + a * BigInt(x) ** BigInt(j), 0n))
}

export function commitmentsOf(coefficients: readonly bigint[]): Uint8Array[] {
  return coefficients.map((a) => encodePoint(multiply(GENERATOR, a)))
}

/** §13.1 */
export function quorumKey(
  realm: string,
  epoch: number,
  refresh: number,
  size: readonly [t: number, n: number],
  commitments: readonly Uint8Array[],
): Uint8Array {
  return encode([1, 23, realm, epoch, refresh, ...size, commitments])
}

export function shareFile(key: Uint8Array, index: number, share: bigint): Uint8Array {
  const header = encode([1, 25, key, index])
  return concat(u32be(header.length), header, numberBytes(share, 32))
}

/** §13.3 */
export function inputOf(
  realm: string,
  record: Uint8Array,
  generation: Uint8Array,
  epoch: number,
): Uint8Array {
  return encode([1, 24, realm, record, generation, epoch])
}

export function lagrangeAtZero(indices: readonly number[], own: number): bigint {
  let factor = 1n
  for (const j of indices) if (j !== own) factor = reduce(factor * BigInt(j) * invert(BigInt(j - own)))
  return factor
}

export function combine(parts: readonly (readonly [index: number, part: Point])[]): Point {
  const indices = parts.map(([index]) => index)
  return parts.reduce<Point>(
    (sum, [index, part]) => add(sum, multiply(part, lagrangeAtZero(indices, index))),
    ZERO,
  )
}

/** RFC 9497 §3.3.1. */
export function finalize(m: Uint8Array, y: Point): Uint8Array {
  return sha512(concat(framed(m), framed(encodePoint(y)), utf8('Finalize')))
}

/** RFC 9497 §2.2.1 with `ComputeComposites` of §2.2.2, for one element. */
export function generateProof(
  k: bigint,
  statement: readonly [b: Point, c: Point, d: Point],
  r: bigint,
  context: Uint8Array = CONTEXT,
): Uint8Array {
  const [b, c, d] = statement
  const seed = sha512(concat(framed(encodePoint(b)), framed(concat(utf8('Seed-'), context))))
  const transcript = concat(
    framed(seed),
    u16be(0),
    framed(encodePoint(c)),
    framed(encodePoint(d)),
    utf8('Composite'),
  )
  const factor = hashToScalar(transcript, context)
  const m = multiply(c, factor)
  const elements = [b, m, multiply(d, factor), multiply(GENERATOR, r), multiply(m, r)]
  const said = concat(...elements.map((element) => framed(encodePoint(element))), utf8('Challenge'))
  const challenge = hashToScalar(said, context)
  return concat(numberBytes(challenge, 32), numberBytes(reduce(r - challenge * k), 32))
}

/** An evaluation in full. */
export function evaluate(
  m: Uint8Array,
  share: bigint,
  nonce: bigint,
): { h: Uint8Array; y: Point; proof: Uint8Array } {
  const h = hashToGroup(m, CONTEXT)
  const y = multiply(h, share)
  return { h: encodePoint(h), y, proof: generateProof(share, [multiply(GENERATOR, share), h, y], nonce) }
}

/** §13.5 */
export function stateKey(holderKey: Uint8Array, realm: string, index: number): Uint8Array {
  return hkdf(holderKey, concat(lp('guise/v1/quorum-state'), encode([realm, index])), 32)
}

export function recordRow(key: Uint8Array, body: readonly Value[]): Uint8Array {
  const bytes = encode([1, 32, ...body])
  return concat(bytes, mac(key, concat(lp('guise/v1/quorum-record'), bytes)))
}

/** The head over these record rows. */
export function headRow(key: Uint8Array, body: readonly Value[], rows: readonly Uint8Array[]): Uint8Array {
  const sum = rows.reduce((total, row) => total + littleEndian(row.slice(-32).reverse()), 0n) % 2n ** 256n
  const bytes = encode([1, 33, ...body])
  const tag = mac(key, concat(lp('guise/v1/quorum-head'), bytes, numberBytes(sum, 32).reverse()))
  return concat(bytes, tag)
}
