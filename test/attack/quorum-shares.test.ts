/** B19: all rows and keys of the vault, and fewer shares than a quorum asks for (SPEC §13, §15.7). @module */
import { dealQuorum, type QuorumShare } from 'guise/quorum'
import { beforeAll, expect, test } from 'vitest'
import type { Realm } from '../../src/base/brand.ts'
import { lagrange } from '../../src/crypto/frost.ts'
import { hkdfPrepare } from '../../src/crypto/kdf.ts'
import { finalize, sumOfProducts } from '../../src/crypto/ristretto.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { preparedCustody } from '../../src/keys/custody.ts'
import {
  drawRecordSecret,
  type OuterKey,
  openWrap,
  type WrapBinding,
  wrapSecret,
} from '../../src/keys/wraps.ts'
import {
  combinePartials,
  evaluateShare,
  quorumInput,
  type VerifiedPartial,
  verifyPartial,
} from '../../src/quorum/evaluate.ts'
import { generation, REALM, RECORD, subsets } from '../support/quorum.ts'

const PLAN = { realm: REALM, epoch: 1, threshold: 3, holders: 5 }
const PLACE = { realm: REALM as Realm, record: RECORD, generation: generation(1) }
const INPUT = quorumInput({ ...PLACE, epoch: 1 })
const ALL = Array.from({ length: PLAN.holders }, (_, i) => i + 1)
const binding: WrapBinding = {
  ...PLACE,
  handle: new Uint8Array(16).fill(2),
  purpose: 'door',
  profile: 1,
  keyVersion: 1,
  devices: [],
}
const custodyKey = new Uint8Array(32).fill(7)
const outerKey = (): OuterKey => ({
  prepared: hkdfPrepare(new Uint8Array(32).fill(9)),
  header: new Uint8Array(20).fill(1),
})

beforeAll(cryptoReady)

/** What each share makes of the input. */
function partsOf(shares: readonly QuorumShare[]): readonly VerifiedPartial[] {
  return shares.map((share) => {
    const part = verifyPartial(share.key, INPUT, evaluateShare(share, INPUT))
    if (part === undefined) throw new Error('a part does not verify')
    return part
  })
}

/** The output that these parts make, taken for those of the holders that are claimed. */
function interpolate(parts: readonly VerifiedPartial[], claimed: readonly number[]): Uint8Array {
  const factors = lagrange(claimed, 0)
  const terms = parts.map(({ element }, i) => [factors[i] as bigint, element] as const)
  return finalize(INPUT.bytes, sumOfProducts(terms))
}

test('EVALUATE-50 B19 rows and keys of the vault do not open a template with t − 1 shares, and do with t', () => {
  const { shares, key } = dealQuorum(PLAN)
  const own = partsOf(shares)
  const foreignParts = partsOf(dealQuorum(PLAN).shares)
  const of = (from: readonly VerifiedPartial[], indices: readonly number[]): VerifiedPartial[] =>
    indices.map((index) => from[index - 1] as VerifiedPartial)
  const outer = outerKey()
  const custodyOf = (quorum: Uint8Array): Uint8Array => preparedCustody(1, { custodyKey, quorum })
  const right = interpolate(of(own, [1, 2, 3]), [1, 2, 3])
  const sealed = wrapSecret(drawRecordSecret(), { custody: custodyOf(right), binding, outer })
  const opens = (quorum: Uint8Array): boolean =>
    openWrap(sealed, { custody: custodyOf(quorum), binding, outer }) !== undefined
  for (const enough of subsets(PLAN.holders, PLAN.threshold)) {
    expect(opens(interpolate(of(own, enough), enough))).toBe(true)
  }
  const opened: unknown[] = []
  for (const few of subsets(PLAN.holders, PLAN.threshold - 1)) {
    const tries = [interpolate(of(own, few), few)]
    for (const missing of ALL.filter((index) => !few.includes(index))) {
      // One share doubled, one of another quorum, in the place of the one that is missing.
      tries.push(interpolate([...of(own, few), ...of(own, few.slice(0, 1))], [...few, missing]))
      tries.push(interpolate([...of(own, few), ...of(foreignParts, [missing])], [...few, missing]))
    }
    opened.push(...tries.filter(opens))
    expect(() => combinePartials(key, INPUT, of(own, few))).toThrow(
      expect.objectContaining({ code: 'ERR_QUORUM_INPUT' }),
    )
  }
  expect(opened).toEqual([])
  // Nor without the vault’s part: t shares alone are not enough.
  const foreign = preparedCustody(1, { custodyKey: new Uint8Array(32).fill(8), quorum: right })
  expect(openWrap(sealed, { custody: foreign, binding, outer })).toBeUndefined()
  expect(openWrap(sealed, { custody: preparedCustody(0, { custodyKey }), binding, outer })).toBeUndefined()
})
