/** What a history of comparisons, searches and changes must show, and libraries that must be caught (I-20); the counts differ by tier. @module */

import { expect, test } from 'vitest'
import { compile, type Mutation } from './compile.ts'
import { type GalleryHistoryOptions, galleryHistory } from './gallery-history-trial.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'

/** What a search found is found for another two seconds, and nobody looks whether it is so still. */
const STALE_SEARCHES: readonly Mutation[] = [
  {
    file: 'src/vault/identify.ts',
    from: ';({ found } = await search(',
    to: ';({ found } = await remembered(',
  },
  {
    file: 'src/vault/identify.ts',
    from: ', ...chosen.map((one) => foundCheck(ctx, one))',
    to: '',
  },
  {
    file: 'src/vault/identify.ts',
    from: '/** What a caller learns',
    to: `const kept = new Map()
async function remembered(ctx, gallery, question) {
  const name = question.integers.join()
  const known = kept.get(name)
  if (known !== undefined && known.untilMs > performance.now()) return known.result
  const result = await search(ctx, gallery, question)
  kept.set(name, { result, untilMs: performance.now() + 2000 })
  return result
}
/** What a caller learns`,
  },
]

export function galleryHistoryTests(
  counts: Pick<GalleryHistoryOptions, 'operations' | 'share' | 'changeMs'>,
  timeout: number,
): void {
  const { operations, share } = counts
  const searches = `${100 * share} % of them searches`

  test(`VAULT-6, GALLERY-14 nobody is matched or named who was revoked, suspended or issued again before: ${operations} operations of four processes, ${searches}`, {
    timeout,
  }, async () => {
    const compiled = compile({ folders: VAULT_FOLDERS })
    const history = await galleryHistory({ compiled, ...counts, seed: 39_001 })
    console.info(`seed 39001: ${JSON.stringify(history)}`)
    expect(history.late).toEqual({ verify: 0, identify: 0 })
    expect(history.strangers).toBe(0)
    const { verifies, identifies, revocations, suspensions, reissues } = history
    expect(verifies + identifies + revocations + suspensions + reissues).toBeGreaterThanOrEqual(operations)
    expect(history.candidates).toBeGreaterThan(identifies / 10)
    expect(Math.min(revocations, suspensions, reissues)).toBeGreaterThan(operations / 1000)
  })

  test('the control that remembers what a search found names the revoked', { timeout }, async () => {
    const compiled = compile({ folders: VAULT_FOLDERS, mutation: STALE_SEARCHES })
    const control = { operations: 1500, share: 0.9, changeMs: 30 }
    const history = await galleryHistory({ compiled, ...control, seed: 39_002 })
    console.info(`seed 39002, control: ${JSON.stringify(history)}`)
    expect(history.late.identify).toBeGreaterThan(0)
    expect(history.late.verify).toBe(0)
  })
}
