/** CCTV edge cases of Ed25519: which of the 914 signatures the pinned rule accepts. @module */
import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { verifyEd25519 } from '../../src/crypto/sign.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { verifyEd25519Strict } from '../../src/crypto/verify.ts'
import cases from './cctv/ed25519vectors.json' with { type: 'json' }

const none = new Uint8Array(0)

test.each([
  ['portable', verifyEd25519Strict],
  // Asked first: what it accepts is not looked at again.
  ['with libsodium', verifyEd25519],
])(
  'of 914 edge cases the same 212 are accepted, none with a non-canonical point or a low-order key: %s',
  async (_, verify) => {
    await cryptoReady()
    const accepted = cases.filter(({ sig, msg, key }) =>
      verify(fromHex(sig) ?? none, utf8(msg) ?? none, fromHex(key) ?? none),
    )
    const numbers = accepted.map(({ number }) => number).join(',')
    console.log(`Ed25519 edge cases: ${accepted.length} of ${cases.length} accepted`)
    expect(cases).toHaveLength(914)
    expect(accepted).toHaveLength(212)
    expect(toHex(sha256(utf8(numbers) ?? none))).toBe(
      '0fbe087d976dfc39c5e287f9928bbe4f1c2885d7a5bba223d781c81cc6164ae0',
    )
    const flags = new Set(accepted.flatMap((one) => one.flags ?? []))
    expect([...flags].sort()).toEqual([
      'low_order_R',
      'low_order_component_A',
      'low_order_component_R',
      'low_order_residue',
    ])
  },
)
