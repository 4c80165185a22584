/** Attacks on a quorum, and the same attacks on one from which a check was taken out: they must show it. @module */
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.doUnmock('../../src/quorum/receipt.ts')
  vi.doUnmock('../../src/crypto/ristretto.ts')
  vi.resetModules()
})

/** The attacks over a library that is loaded anew. */
async function attacks(): Promise<typeof import('./quorum.ts')> {
  vi.resetModules()
  return import('./quorum.ts')
}

test('QUORUM-9 a receipt of another log opens nothing', async () => {
  const { forgedReceipt } = await attacks()
  expect(await forgedReceipt()).toBe('ERR_QUORUM_RECEIPT')
})

test('QUORUM-9 the same attack shows a holder that does not check receipts', async () => {
  vi.doMock('../../src/quorum/receipt.ts', async (original) => {
    const { decodeEntry } = await import('../../src/audit/entry.ts')
    return {
      ...(await original<object>()),
      checkReceipt: ({ entry }: { entry: Uint8Array }, _: string, head: object) => ({
        entry: decodeEntry(entry),
        head,
      }),
    }
  })
  const { forgedReceipt } = await attacks()
  expect(await forgedReceipt()).toBe('answer')
})

test('QUORUM-7 a holder that lies is named, and nothing comes of its answer', async () => {
  const { lyingHolder } = await attacks()
  expect(await lyingHolder()).toBe('named')
})

test('QUORUM-7 the same attack shows an asker that does not check proofs', async () => {
  vi.doMock('../../src/crypto/ristretto.ts', async (original) => ({
    ...(await original<object>()),
    verifyProof: () => true,
  }))
  const { lyingHolder } = await attacks()
  expect(await lyingHolder()).toBe('wrong')
})
