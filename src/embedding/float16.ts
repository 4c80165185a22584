/** Half-precision floats (IEEE 754 binary16), for which engines have no reader yet. @module */

/** The value of 16 bits: sign, 5 bits of exponent, 10 of fraction. Exact: every half is a double. */
export function float16(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * fraction * 2 ** -24
  // 2^(exponent − 25) as a quotient of exact powers; shifts make no negative ones.
  return (sign * (1024 + fraction) * (1 << exponent)) / 2 ** 25
}
