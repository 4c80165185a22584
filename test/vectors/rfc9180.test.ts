/** HPKE in the suite that captures are sealed with: the vectors that RFC 9180 A.3.1 prints (IETF Trust, code components: Revised BSD). @module */
import { expect, test } from 'vitest'
import { HPKE_SUITE, hpkeKeyPair, hpkeOpen, hpkePrivateKey, hpkeSeal } from '../../src/crypto/hpke.ts'
import { hex, unhex } from '../reference/bytes.ts'

const A31 = {
  suite: '001000010001',
  info: '4f6465206f6e2061204772656369616e2055726e',
  pkRm: '04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0',
  skRm: 'f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2',
  enc: '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4',
  pt: '4265617574792069732074727574682c20747275746820626561757479',
  aad: '436f756e742d30',
  ct: '5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434',
}

test('RFC 9180 A.3.1, sequence number 0, opens', async () => {
  expect(hex(HPKE_SUITE)).toBe(A31.suite)
  const key = await hpkePrivateKey(unhex(A31.skRm), unhex(A31.pkRm))
  const sealed = { enc: unhex(A31.enc), ciphertext: unhex(A31.ct) }
  const plaintext = await hpkeOpen(key, sealed, unhex(A31.info), unhex(A31.aad))
  expect(plaintext && hex(plaintext)).toBe(A31.pt)
  for (const field of ['enc', 'ct', 'info', 'aad'] as const) {
    const bytes = unhex(A31[field])
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const at = (name: typeof field): Uint8Array => (name === field ? bytes : unhex(A31[name]))
    expect(
      await hpkeOpen(key, { enc: at('enc'), ciphertext: at('ct') }, at('info'), at('aad')),
    ).toBeUndefined()
  }
})

test('what is sealed opens under its key, and a key that is none is told', async () => {
  const { privateKey, publicKey } = await hpkeKeyPair()
  const [info, aad, message] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3, 4)]
  const sealed = await hpkeSeal(publicKey, info, aad, message)
  if (sealed === undefined) throw new Error('sealed')
  const key = await hpkePrivateKey(privateKey, publicKey)
  expect(await hpkeOpen(key, sealed, info, aad)).toEqual(message)
  expect(await hpkeSeal(new Uint8Array(65), info, aad, message)).toBeUndefined()
  await expect(hpkeOpen({} as never, sealed, info, aad)).rejects.toThrow()
})
