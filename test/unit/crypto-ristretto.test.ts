/** The group's door: what it reads, and what it refuses (SPEC §13.1, RFC 9496 Appendix A). @module */
import { expect, test } from 'vitest'
import { Deal, fitsCommitments, lagrange, type Opening } from '../../src/crypto/frost.ts'
import {
  hashToElement,
  multiplyBase,
  multiplyBlinded,
  prove,
  randomScalar,
  readElement,
  readScalar,
  scalars,
  sumOfProducts,
  verifyProof,
  writeScalar,
} from '../../src/crypto/ristretto.ts'
import { hex, unhex } from '../reference/bytes.ts'
import { numberBytes, ORDER } from '../reference/ristretto.ts'

const CONTEXT = Uint8Array.of(1, 2, 3)

// RFC 9496 Appendix A.1: the first multiples of the generator.
test.each([
  [1n, 'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76'],
  [2n, '6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919'],
  [3n, '94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259'],
])('%d times the generator', (factor, expected) => {
  expect(hex(multiplyBase(factor).toBytes())).toBe(expected)
  expect(hex((readElement(unhex(expected)) as NonNullable<ReturnType<typeof readElement>>).toBytes())).toBe(
    expected,
  )
})

// RFC 9496 Appendix A.2, one of each kind.
test.each([
  ['a field element that is not reduced', '00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'],
  ['a field element that is negative', '0100000000000000000000000000000000000000000000000000000000000000'],
  ['no square', '26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371'],
  ['a product that is negative', '3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e'],
  ['y of zero', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'],
  ['the identity', '00'.repeat(32)],
  ['31 bytes', '11'.repeat(31)],
  ['33 bytes', '11'.repeat(33)],
])('%s is no element', (_, bytes) => {
  expect(readElement(unhex(bytes))).toBeUndefined()
})

test('a scalar is 32 bytes, reduced and not zero', () => {
  for (const value of [1n, 255n, ORDER - 1n]) {
    expect(readScalar(numberBytes(value, 32))).toBe(value)
    expect(hex(writeScalar(value))).toBe(hex(numberBytes(value, 32)))
  }
  for (const bytes of [0n, ORDER, ORDER + 1n, 2n ** 256n - 1n].map((value) => numberBytes(value, 32)))
    expect(readScalar(bytes)).toBeUndefined()
  expect(readScalar(numberBytes(5n, 31))).toBeUndefined()
  const drawn = Array.from({ length: 100 }, randomScalar)
  expect(new Set(drawn).size).toBe(100)
  for (const value of drawn) expect(value > 0n && value < ORDER).toBe(true)
})

test('blinded or not, a multiple is the same', () => {
  const element = hashToElement(Uint8Array.of(9), CONTEXT)
  for (const secret of [1n, 2n, ORDER - 1n, randomScalar()]) {
    const product = multiplyBlinded(element, secret)
    expect(product.equals(sumOfProducts([[secret, element]]))).toBe(true)
  }
  expect(sumOfProducts([]).is0()).toBe(true)
})

test('a proof of another length, or with numbers that are not reduced, is false', () => {
  const secret = randomScalar()
  const element = hashToElement(Uint8Array.of(9), CONTEXT)
  const statement = { key: multiplyBase(secret), element, evaluated: multiplyBlinded(element, secret) }
  const proof = prove(secret, statement, CONTEXT)
  expect(verifyProof(statement, proof, CONTEXT)).toBe(true)
  expect(verifyProof(statement, proof, Uint8Array.of(1))).toBe(false)
  expect(verifyProof(statement, proof.subarray(1), CONTEXT)).toBe(false)
  for (const at of [0, 32]) {
    const value = BigInt(`0x${hex(proof.slice(at, at + 32).reverse())}`)
    const wide = Uint8Array.from(proof)
    wide.set(numberBytes(value + ORDER, 32), at)
    expect(verifyProof(statement, wide, CONTEXT)).toBe(false)
  }
})

test('an opening without commitments, or with a proof of no element or no scalar, is its holder’s fault', () => {
  const mine = new Deal(1, 2, 2)
  const { opening } = new Deal(2, 2, 2)
  const fault = new Error('holder 2')
  const wrong: Opening[] = [
    { ...opening, commitments: [] },
    { ...opening, commitments: [new Uint8Array(32), ...opening.commitments.slice(1)] },
    { ...opening, proof: opening.proof.map((byte, i) => (i < 32 ? 255 : byte)) },
    { ...opening, proof: opening.proof.map((byte, i) => (i < 32 ? byte : 255)) },
    { ...opening, proof: opening.proof.map((byte, i) => (i === 32 ? byte ^ 1 : byte)) },
    { ...opening, index: 3 },
  ]
  for (const one of wrong) expect(() => mine.deal([one], () => fault)).toThrow(fault)
  expect([...mine.deal([opening], () => fault).keys()]).toEqual([2])
  mine.clean()
})

test('a value fits its commitments, and zero fits none', () => {
  const coefficients = [randomScalar(), randomScalar()] as const
  const commitments = coefficients.map(multiplyBase)
  const value = (x: bigint): bigint => scalars.add(coefficients[0], scalars.multiply(x, coefficients[1]))
  expect(fitsCommitments(writeScalar(value(3n)), commitments, 3, 0)).toBe(true)
  expect(fitsCommitments(writeScalar(value(3n)), commitments, 4, 0)).toBe(false)
  expect(fitsCommitments(new Uint8Array(32), commitments, 3, 0)).toBe(false)
  const [one, two] = lagrange([1, 2], 3) as [bigint, bigint]
  expect(scalars.add(scalars.multiply(one, value(1n)), scalars.multiply(two, value(2n)))).toBe(value(3n))
})
