/** What does the seal cost beside the bare cipher? @module */

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { cryptoReady } from '../../dist/crypto/sodium.js'
import { turboshake128 } from '../../dist/crypto/xof.js'
import { openCode, sealCode } from '../../dist/seal/code.js'
import { sodiumNative } from './peers.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeBatches } from './timing.ts'

const CODE_BYTES = 64
const HEADER_BYTES = 128
const NATIVE = 'sodium-native, cipher only'

export const sealScenario: Scenario = {
  name: 'seal',
  question: 'sealing and opening a code of 64 bytes, against a cipher that is given its key',
  notes: [
    'ours: derivation of three keys (HKDF-SHA-512), commitment, XChaCha20-Poly1305, wiping; 128 bytes of associated data on all sides',
    'node:crypto has ChaCha20-Poly1305 with 12-byte nonces only',
  ],
  repeats: true,
  claims: [
    { series: 'open', over: { variant: NATIVE, series: 'open' }, most: 6 },
    { series: 'seal', over: { variant: NATIVE, series: 'seal' }, most: 6 },
  ],
  variants: [
    ...oursTwice(ours),
    { name: NATIVE, role: 'peer', run: native },
    { name: 'node:crypto, cipher only', role: 'peer', run: nodeCrypto },
  ],
}

interface Material {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly header: Uint8Array
  readonly code: Uint8Array
}

async function makeMaterial(plan: Plan): Promise<Material> {
  await cryptoReady()
  const bytes = turboshake128(new TextEncoder().encode(plan.seed), 32 + 24 + HEADER_BYTES + CODE_BYTES)
  return {
    key: bytes.slice(0, 32),
    nonce: bytes.slice(32, 56),
    header: bytes.slice(56, 56 + HEADER_BYTES),
    code: bytes.slice(56 + HEADER_BYTES),
  }
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const { key, header, code } = await makeMaterial(plan)
  // The seal wipes what it is given, as it must.
  const seal = (): ReturnType<typeof sealCode> => sealCode(key, header, () => Uint8Array.from(code))
  const sealed = seal()
  const open = (): number => openCode(key, header, sealed, CODE_BYTES, (opened) => opened[0] as number)
  return timeBatches(
    [
      { name: 'open', call: open },
      { name: 'seal', call: seal },
    ],
    plan,
  )
}

async function native(plan: Plan): Promise<readonly Series[]> {
  const { key, nonce, header, code } = await makeMaterial(plan)
  const sodium = sodiumNative()
  const sealed = new Uint8Array(CODE_BYTES + 16)
  const opened = new Uint8Array(CODE_BYTES)
  const seal = (): number =>
    sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, code, header, null, nonce, key)
  seal()
  const open = (): number =>
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(opened, null, sealed, header, nonce, key)
  return timeBatches(
    [
      { name: 'open', call: open },
      { name: 'seal', call: seal },
    ],
    plan,
  )
}

async function nodeCrypto(plan: Plan): Promise<readonly Series[]> {
  const { key, nonce, header, code } = await makeMaterial(plan)
  const iv = nonce.subarray(0, 12)
  const options = { authTagLength: 16 } as const
  const seal = (): { readonly text: Uint8Array; readonly tag: Uint8Array } => {
    const cipher = createCipheriv('chacha20-poly1305', key, iv, options)
    cipher.setAAD(header, { plaintextLength: CODE_BYTES })
    const text = cipher.update(code)
    cipher.final()
    return { text, tag: cipher.getAuthTag() }
  }
  const sealed = seal()
  const open = (): Uint8Array => {
    const cipher = createDecipheriv('chacha20-poly1305', key, iv, options)
    cipher.setAAD(header, { plaintextLength: CODE_BYTES })
    cipher.setAuthTag(sealed.tag)
    const text = cipher.update(sealed.text)
    cipher.final()
    return text
  }
  return timeBatches(
    [
      { name: 'open', call: open },
      { name: 'seal', call: seal },
    ],
    plan,
  )
}
