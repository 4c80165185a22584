/** A refused call leaves no embedding behind that it was given (SPEC §11, Vault). @module */
import { allowUnattestedCapture, type Embedding, type EnrollRequest, type VerifyRequest } from 'guise'
import { expect, test } from 'vitest'
import { basis, codeOf, faceOf, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }

async function isDisposed(embedding: Embedding): Promise<boolean> {
  const { vault } = await testVault()
  const outcome = codeOf(vault.enroll({ ...ANNA, embedding, [allowUnattestedCapture]: true }))
  return (await outcome) === 'ERR_EMBEDDING_DISPOSED'
}

test('with bad options', async () => {
  const { vault } = await testVault()
  const given = [faceOf(1), faceOf(1), faceOf(1), faceOf(1)] as const
  const of = (index: 0 | 1 | 2 | 3): { embedding: Embedding; [allowUnattestedCapture]: true } => ({
    embedding: given[index],
    [allowUnattestedCapture]: true,
  })
  const bad = { operationId: '' }
  expect(await codeOf(vault.verify({ subject: 'anna', ...of(0) }, bad))).toBe('ERR_VAULT_INPUT')
  expect(await codeOf(vault.enroll({ ...ANNA, ...of(1), more: [of(2)] }, bad))).toBe('ERR_VAULT_INPUT')
  expect(await codeOf(vault.reissue({ ...ANNA, ...of(3) }, bad))).toBe('ERR_VAULT_INPUT')
  for (const embedding of given) expect(await isDisposed(embedding)).toBe(true)
})

test('with a getter that throws', async () => {
  const { vault } = await testVault()
  const [first, second] = [faceOf(1), faceOf(1)]
  const request = {
    get subject(): string {
      throw new Error('no')
    },
    embedding: first,
  } as unknown as VerifyRequest
  expect(await codeOf(vault.verify(request))).toBe('ERR_VAULT_INPUT')
  const other = {
    embedding: second,
    get probeClass(): string {
      throw new Error('no')
    },
  }
  const more = [other] as unknown as NonNullable<EnrollRequest['more']>
  expect(await codeOf(vault.enroll({ ...ANNA, ...sample(1), more }))).toBe('ERR_VAULT_INPUT')
  expect(await isDisposed(first)).toBe(true)
  expect(await isDisposed(second)).toBe(true)
})

test('with more samples than are taken', async () => {
  const { vault } = await testVault()
  const more = Array.from({ length: 32 }, () => sample(1))
  expect(await codeOf(vault.enroll({ ...ANNA, ...sample(1), more }))).toBe('ERR_VAULT_INPUT')
  for (const { embedding } of more) expect(await isDisposed(embedding)).toBe(true)
})

test('and a fresh one is none of those', async () => {
  expect(await isDisposed(faceOf(1))).toBe(false)
})
