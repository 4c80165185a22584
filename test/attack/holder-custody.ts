/** What a thief gains who has everything of a realm but the shares of its people (SPEC §4.3, profile `holder`). @module */
import { allowHighFalseMatchRate, type Store } from 'guise'
import { score, similarity } from '../../src/compare/score.ts'
import { toIntegers, unitVector } from '../../src/embedding/embedding.ts'
import { referenceKey } from '../../src/record/place.ts'
import { decodeReferenceRow } from '../../src/record/reference-row.ts'
import type { StateRow } from '../../src/record/state-row.ts'
import { openCode } from '../../src/seal/code.ts'
import { encodeProbe } from '../../src/template/template.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { requireState, withSubject } from '../../src/vault/lookup.ts'
import { openContext } from '../../src/vault/open.ts'
import { type Presented, readSecret, withRecordSecret } from '../../src/vault/wrap.ts'
import { basis, faceOf, MODEL, PURPOSE, point, SIGNER, sample, testVault } from '../support/vault.ts'

const BITS = 128

export interface HeldBack {
  readonly templates: number
  /** Opened with stores and all keys; with the share of somebody else besides; with the right share. */
  readonly alone: number
  readonly withAnother: number
  readonly withOwn: number
  /** Area under the ROC of own against others' photos: of what is made of sealed codes, and of codes opened with the right share. */
  readonly area: number
  readonly areaWithShare: number
}

/** Enrols people whose devices keep a share each, steals all but these, and looks for each person with a photo of theirs. */
export async function stealWithoutShares(people: number): Promise<HeldBack> {
  const world = await testVault({ custody: { profile: 'holder' } })
  const shares = Array.from({ length: people }, () => crypto.getRandomValues(new Uint8Array(32)))
  const WIDTH = 32
  for (let from = 0; from < people; from += WIDTH) {
    const some = Array.from({ length: Math.min(WIDTH, people - from) }, (_, i) => from + i)
    await Promise.all(
      some.map((i) =>
        world.vault.enroll({
          ...sample(i),
          subject: `user-${i}`,
          basis: basis(),
          holderShare: async () => (shares[i] as Uint8Array).slice(),
        }),
      ),
    )
  }
  const ctx = await openContext({
    keyring: world.keyring,
    store: world.store,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point()],
    custody: { profile: 'holder' },
    logSigner: SIGNER,
    [allowHighFalseMatchRate]: true,
  })
  const counts = { templates: people, alone: 0, withAnother: 0, withOwn: 0 }
  const guessed = new Ranking()
  const opened = new Ranking()
  for (let i = 0; i < people; i++) {
    const name = await withSubject(
      ctx,
      `user-${i}`,
      undefined,
      async (text) => (await requireState(ctx, text)).row,
    )
    const own = shares[i] as Uint8Array
    const other = shares[(i + 1) % people] as Uint8Array
    for (const share of [undefined, new Uint8Array(32), crypto.getRandomValues(new Uint8Array(32))])
      if (await attempt(ctx, name, share === undefined ? {} : { share }, () => true)) counts.alone++
    if (await attempt(ctx, name, { share: other }, () => true)) counts.withAnother++
    const sealed = await sealedOf(ctx, world.store, name)
    const guess = Float64Array.from({ length: BITS }, (_, bit) =>
      ((sealed.ciphertext[bit >> 3] as number) >> (bit & 7)) & 1 ? 1 : -1,
    )
    const photos = [i, (i + 1) % people].map((person) => faceOf(person, 1))
    const units = photos.map((photo) => unitVector(photo))
    const [mine, theirs] = units.map((unit) =>
      unit.reduce((sum, value, at) => sum + value * (guess[at] as number), 0),
    )
    guessed.add(mine as number, theirs as number)
    const similarities = await attempt(ctx, name, { share: own }, (secret) =>
      openCode(secret, sealed.header, sealed, BITS / 8, (code, key) =>
        photos.map((photo) => {
          const probe = encodeProbe(toIntegers(photo), ctx.settings.suite, BITS, key)
          const { sum, energy } = score(code, probe)
          return similarity(sum, energy, BITS)
        }),
      ),
    )
    if (similarities !== undefined) {
      counts.withOwn++
      opened.add(similarities[0] as number, similarities[1] as number)
    }
  }
  await ctx.ledger.close()
  await world.vault.close()
  return { ...counts, area: guessed.area(), areaWithShare: opened.area() }
}

async function attempt<Result>(
  ctx: VaultContext,
  name: StateRow,
  presented: Presented,
  use: (secret: Uint8Array) => Result,
): Promise<Result | undefined> {
  const secret = await readSecret(ctx, name)
  if (secret === undefined) throw new Error('no wrap')
  await ctx.ring.loadEpoch(secret.row.epoch)
  try {
    return withRecordSecret(ctx, name, secret.row, presented, use)
  } catch {
    return undefined
  }
}

async function sealedOf(ctx: VaultContext, store: Store, name: StateRow) {
  const stored = await store.get('references', referenceKey(ctx.realm, name.record))
  return decodeReferenceRow(stored?.bytes ?? new Uint8Array(0), ctx.settings.profile, name)
}

/** Scores of pairs of the same person and of different ones. */
class Ranking {
  readonly #scores: { readonly value: number; readonly own: boolean }[] = []

  add(own: number, other: number): void {
    this.#scores.push({ value: own, own: true }, { value: other, own: false })
  }

  /** The share of pairs of one score of each kind in which one's own is the greater, equal ones half. */
  area(): number {
    const sorted = [...this.#scores].sort((a, b) => a.value - b.value)
    const n = sorted.length / 2
    let right = 0
    let others = 0
    for (let at = 0; at < sorted.length; ) {
      let end = at
      let own = 0
      for (; end < sorted.length && sorted[end]?.value === sorted[at]?.value; end++)
        own += Number(sorted[end]?.own)
      const here = end - at - own
      right += own * (others + here / 2)
      others += here
      at = end
    }
    return right / (n * n)
  }
}
