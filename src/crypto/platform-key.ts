/** Signing with a key that the platform keeps: a browser's, or a runtime's (W3C Web Cryptography). @module */

/** What a platform key signs with; `undefined` in the place of an answer when it is of another kind. */
export type PlatformAlgorithm = 'EdDSA' | 'ES256'

/** Which of the two a key is for; `undefined` for any other. */
export function platformAlgorithm({ algorithm }: CryptoKey): PlatformAlgorithm | undefined {
  if (algorithm.name === 'Ed25519') return 'EdDSA'
  const { namedCurve } = algorithm as EcKeyAlgorithm
  return algorithm.name === 'ECDSA' && namedCurve === 'P-256' ? 'ES256' : undefined
}

/** The public key: 32 bytes for Ed25519, an uncompressed point of 65 for P-256. */
export async function platformPublicKey(key: CryptoKey): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.exportKey('raw', key))
}

/** 64 bytes: for ES256 r ‖ s. */
export async function platformSign(
  key: CryptoKey,
  algorithm: PlatformAlgorithm,
  message: Uint8Array,
): Promise<Uint8Array> {
  const how = algorithm === 'EdDSA' ? 'Ed25519' : { name: 'ECDSA', hash: 'SHA-256' }
  return new Uint8Array(await globalThis.crypto.subtle.sign(how, key, Uint8Array.from(message)))
}
