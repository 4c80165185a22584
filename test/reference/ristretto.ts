/** ristretto255 with plain integers, from the text of RFC 9496 and RFC 9380; slow, and not for secrets. @module */
import { createHash } from 'node:crypto'
import { concat, u8, utf8 } from './bytes.ts'

const P = 2n ** 255n - 19n
export const ORDER: bigint = 2n ** 252n + 27742317777372353535851937790883648493n
const mod = (a: bigint): bigint => ((a % P) + P) % P
const power = (a: bigint, e: bigint): bigint => {
  let result = 1n
  for (let base = mod(a), left = e; left > 0n; left >>= 1n, base = mod(base * base))
    if (left & 1n) result = mod(result * base)
  return result
}
const inverse = (a: bigint): bigint => power(a, P - 2n)
const D = mod(-121665n * inverse(121666n))
const SQRT_M1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752n
const SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235n
const INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578n

/** Extended coordinates. */
export type Point = readonly [x: bigint, y: bigint, z: bigint, t: bigint]

const isNegative = (a: bigint): boolean => mod(a) % 2n === 1n
const abs = (a: bigint): bigint => (isNegative(a) ? mod(-a) : mod(a))

/** RFC 9496 §4.2. */
function sqrtRatio(u: bigint, v: bigint): readonly [wasSquare: boolean, root: bigint] {
  const r = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n))
  const check = mod(v * r * r)
  const flipped = check === mod(-u)
  const flippedI = check === mod(-u * SQRT_M1)
  return [check === mod(u) || flipped, abs(flipped || flippedI ? r * SQRT_M1 : r)]
}

/** RFC 9496 §4.3.1; `undefined` where it fails. */
export function decodePoint(bytes: Uint8Array): Point | undefined {
  const s = littleEndian(bytes)
  if (bytes.length !== 32 || s >= P || isNegative(s)) return undefined
  const u1 = mod(1n - s * s)
  const u2 = mod(1n + s * s)
  const v = mod(-(D * u1 * u1) - u2 * u2)
  const [wasSquare, root] = sqrtRatio(1n, mod(v * u2 * u2))
  const x = abs(2n * s * root * u2)
  const y = mod(u1 * root * mod(root * u2) * v)
  const t = mod(x * y)
  return !wasSquare || isNegative(t) || y === 0n ? undefined : [x, y, 1n, t]
}

/** RFC 9496 §4.3.2. */
export function encodePoint([x0, y0, z0, t0]: Point): Uint8Array {
  const u1 = mod((z0 + y0) * (z0 - y0))
  const u2 = mod(x0 * y0)
  const [, root] = sqrtRatio(1n, mod(u1 * u2 * u2))
  const den1 = mod(root * u1)
  const den2 = mod(root * u2)
  const inverseZ = mod(den1 * den2 * t0)
  const rotate = isNegative(t0 * inverseZ)
  const x = rotate ? mod(y0 * SQRT_M1) : x0
  const y = rotate ? mod(x0 * SQRT_M1) : y0
  const denominator = rotate ? mod(den1 * INVSQRT_A_MINUS_D) : den2
  return numberBytes(abs(denominator * (z0 - (isNegative(x * inverseZ) ? -y : y))), 32)
}

/** RFC 9496 §4.3.4, `MAP`. */
function map(bytes: Uint8Array): Point {
  const t = mod(littleEndian(bytes) & (2n ** 255n - 1n))
  const r = mod(SQRT_M1 * t * t)
  const u = mod((r + 1n) * (1n - D * D))
  const v = mod((-1n - r * D) * (r + D))
  const [wasSquare, root] = sqrtRatio(u, v)
  const s = wasSquare ? root : mod(-abs(root * t))
  const c = wasSquare ? -1n : r
  const n = mod(c * (r - 1n) * (D - 1n) ** 2n - v)
  const [w0, w1, w2, w3] = [2n * s * v, n * SQRT_AD_MINUS_ONE, 1n - s * s, 1n + s * s]
  return [mod(w0 * w3), mod(w2 * w1), mod(w1 * w3), mod(w0 * w2)]
}

export function add([x1, y1, z1, t1]: Point, [x2, y2, z2, t2]: Point): Point {
  const a = mod((y1 - x1) * (y2 - x2))
  const b = mod((y1 + x1) * (y2 + x2))
  const c = mod(2n * D * t1 * t2)
  const d = mod(2n * z1 * z2)
  const [e, f, g, h] = [b - a, d - c, d + c, b + a]
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

export const ZERO: Point = [0n, 1n, 1n, 0n]

export function multiply(point: Point, scalar: bigint): Point {
  let sum = ZERO
  for (let bit = 255n; bit >= 0n; bit--) {
    sum = add(sum, sum)
    if ((scalar >> bit) & 1n) sum = add(sum, point)
  }
  return sum
}

/** y = 4/5, x not negative. */
export const GENERATOR: Point = (() => {
  const y = mod(4n * inverse(5n))
  const [, x] = sqrtRatio(mod(y * y - 1n), mod(D * y * y + 1n))
  return [x, y, 1n, mod(x * y)] as const
})()

/** RFC 9380 §5.3.1 with SHA-512. */
function expandMessage(message: Uint8Array, tag: Uint8Array, length: number): Uint8Array {
  const dst = concat(tag, u8(tag.length))
  const b0 = sha512(concat(new Uint8Array(128), message, Uint8Array.of(length >> 8, length & 255, 0), dst))
  const b1 = sha512(concat(b0, u8(1), dst))
  if (length > 64) throw new RangeError('one block is enough here')
  return b1.slice(0, length)
}

export function hashToGroup(message: Uint8Array, context: Uint8Array): Point {
  const uniform = expandMessage(message, concat(utf8('HashToGroup-'), context), 64)
  return add(map(uniform.slice(0, 32)), map(uniform.slice(32)))
}

export function hashToScalar(message: Uint8Array, context: Uint8Array): bigint {
  return littleEndian(expandMessage(message, concat(utf8('HashToScalar-'), context), 64)) % ORDER
}

export function sha512(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha512').update(bytes).digest())
}

export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n)
}

/** Least significant byte first. */
export function numberBytes(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * i)) & 255n))
}
