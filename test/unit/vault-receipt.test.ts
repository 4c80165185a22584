/** A receipt checked by somebody who has the realm's public key and nothing else. @module */
import { verifyErasureReceipt } from 'guise'
import { expect, test } from 'vitest'
import { basis, sample, testVault } from '../support/vault.ts'

test('VAULT-12 a receipt verifies under the realm key alone, and one with an altered bit does not', async () => {
  const { vault, keyring } = await testVault({ erasureBoundMs: 1000 })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const receipt = await vault.erase('anna')
  const key = await keyring.receiptPublicKey()
  expect(verifyErasureReceipt(receipt, key)).toEqual({
    realm: 'clinic',
    record: receipt.record,
    unreachableAt: receipt.unreachableAt,
    irrecoverableBy: receipt.unreachableAt + 1000,
    epochs: [1, 1],
  })
  const altered = (bytes: Uint8Array, bit: number): Uint8Array =>
    bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
  const { statement, signature } = receipt
  for (let bit = 0; bit < 8 * statement.length; bit += 7) {
    expect(() => verifyErasureReceipt({ statement: altered(statement, bit), signature }, key)).toThrow(
      /row|receipt/,
    )
  }
  for (let bit = 0; bit < 8 * signature.length; bit += 7) {
    expect(() => verifyErasureReceipt({ statement, signature: altered(signature, bit) }, key)).toThrow(
      'receipt',
    )
  }
  const other = await testVault()
  expect(() => verifyErasureReceipt(receipt, key.slice(1))).toThrow('publicKey')
  const foreign = await other.keyring.receiptPublicKey()
  expect(() => verifyErasureReceipt(receipt, foreign)).toThrow('receipt')
})
