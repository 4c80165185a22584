/** Shares of a quorum: made, refreshed, replaced, encoded (SPEC §13.1–13.3). @module */
import { inspect } from 'node:util'
import {
  dealQuorum,
  finishRepair,
  helpRepair,
  joinQuorum,
  type QuorumKey,
  type QuorumShare,
  readQuorumKey,
  readQuorumShare,
  refreshQuorum,
} from 'guise/quorum'
import { expect, test } from 'vitest'
import { checkRealm } from '../../src/base/identifier.ts'
import { lagrange } from '../../src/crypto/frost.ts'
import { finalize, multiplyBlinded, sumOfProducts } from '../../src/crypto/ristretto.ts'
import { rejectInput } from '../../src/quorum/errors.ts'
import {
  combinePartials,
  evaluateShare,
  type QuorumInput,
  quorumInput,
  verifyPartial,
} from '../../src/quorum/evaluate.ts'
import { hex } from '../reference/bytes.ts'
import { generation, REALM, RECORD, subsets } from '../support/quorum.ts'

const INPUT: QuorumInput = quorumInput({
  realm: checkRealm(REALM, rejectInput),
  record: RECORD,
  generation: generation(1),
  epoch: 1,
})
const PLAN = { realm: REALM, epoch: 1, threshold: 3, holders: 5 }

function outputOf(key: QuorumKey, shares: readonly QuorumShare[], input = INPUT): string {
  const parts = shares.map((share) => {
    const verified = verifyPartial(key, input, evaluateShare(share, input))
    if (verified === undefined) throw new Error('a part does not verify')
    return verified
  })
  return hex(combinePartials(key, input, parts))
}

function scalarOf(share: QuorumShare): string {
  return hex(share.encode().subarray(-32))
}

const pick = (shares: readonly QuorumShare[], indices: readonly number[]): QuorumShare[] =>
  indices.map((index) => shares[index - 1] as QuorumShare)

/** All holders refresh, each with the packages that are for it. */
function refreshAll(shares: readonly QuorumShare[]): QuorumShare[] {
  const parts = shares.map(refreshQuorum)
  const openings = parts.map(({ opening }) => opening)
  const sent = parts.map((part) => part.deal(openings))
  return parts.map((part, i) => part.finish(sent.flatMap((packages) => packages.get(i + 1) ?? [])))
}

function ceremony(plan = PLAN): QuorumShare[] {
  const parts = Array.from({ length: plan.holders }, (_, i) => joinQuorum(plan, i + 1))
  const openings = parts.map(({ opening }) => opening)
  const sent = parts.map((part) => part.deal(openings))
  return parts.map((part, i) => part.finish(sent.flatMap((packages) => packages.get(i + 1) ?? [])))
}

const codeOf = (call: () => unknown): { code?: string; index?: number } => {
  try {
    call()
  } catch (error) {
    return error as { code?: string; index?: number }
  }
  return {}
}

test.each([
  [2, 2],
  [2, 3],
  [3, 5],
  [5, 6],
])('QUORUM-2 all subsets of %i of %i give one output, and no smaller one does', (threshold, holders) => {
  const { key, shares } = dealQuorum({ ...PLAN, threshold, holders })
  const outputs = new Set(subsets(holders, threshold).map((subset) => outputOf(key, pick(shares, subset))))
  expect(outputs.size).toBe(1)
  for (const few of subsets(holders, threshold - 1)) {
    expect(codeOf(() => outputOf(key, pick(shares, few))).code).toBe('ERR_QUORUM_INPUT')
    // What the few interpolate among themselves is another point.
    const parts = pick(shares, few).map((share) => verifyPartial(key, INPUT, evaluateShare(share, INPUT)))
    const factors = lagrange(few, 0)
    const point = sumOfProducts(
      parts.map((part, i) => [factors[i] as bigint, (part as NonNullable<typeof part>).element] as const),
    )
    expect(outputs).not.toContain(hex(finalize(INPUT.bytes, point)))
  }
})

test('QUORUM-2 16 of 16 and 2 of 16 work', () => {
  for (const threshold of [2, 16]) {
    const { key, shares } = dealQuorum({ ...PLAN, threshold, holders: 16 })
    const first = outputOf(key, shares.slice(0, threshold))
    expect(outputOf(key, shares.slice(16 - threshold).toReversed())).toBe(first)
  }
})

test('QUORUM-2 realm, record, generation and epoch each make another output', () => {
  const { key, shares } = dealQuorum(PLAN)
  const place = { realm: checkRealm(REALM, rejectInput), record: RECORD, generation: generation(1), epoch: 1 }
  const inputs = [
    place,
    { ...place, realm: checkRealm('clinid', rejectInput) },
    { ...place, record: new Uint8Array(16) },
    { ...place, generation: generation(2) },
    { ...place, epoch: 2 },
  ].map(quorumInput)
  const outputs = inputs.map((input) => outputOf(key, shares.slice(0, 3), input))
  expect(new Set(outputs).size).toBe(inputs.length)
})

test('QUORUM-3 holders that make a key together get one key, and all subsets of them one output', () => {
  const shares = ceremony()
  const { key } = shares[0] as QuorumShare
  for (const share of shares) expect(hex(share.key.bytes)).toBe(hex(key.bytes))
  expect(new Set(subsets(5, 3).map((subset) => outputOf(key, pick(shares, subset)))).size).toBe(1)
  expect(outputOf(key, shares.slice(0, 3))).not.toBe(outputOf(...keyAndThree(ceremony())))
})

function keyAndThree(shares: readonly QuorumShare[]): [QuorumKey, QuorumShare[]] {
  return [(shares[0] as QuorumShare).key, shares.slice(0, 3)]
}

test('QUORUM-3 an opening whose proof does not hold, or of another plan, names its holder', () => {
  const make = (plan = PLAN): ReturnType<typeof joinQuorum>[] =>
    Array.from({ length: 5 }, (_, i) => joinQuorum(plan, i + 1))
  const parts = make()
  const openings = parts.map(({ opening }) => opening)
  const broken = Uint8Array.from(openings[3] as Uint8Array)
  broken[broken.length - 20] = (broken.at(-20) as number) ^ 1
  const first = parts[0] as (typeof parts)[number]
  expect(codeOf(() => first.deal(openings.with(3, broken)))).toMatchObject({
    code: 'ERR_QUORUM_ROUND',
    index: 4,
  })
  for (const plan of [
    { ...PLAN, realm: 'other' },
    { ...PLAN, epoch: 2 },
    { ...PLAN, threshold: 2 },
  ]) {
    const foreign = joinQuorum(plan, 2).opening
    expect(codeOf(() => first.deal(openings.with(1, foreign)))).toMatchObject({
      code: 'ERR_QUORUM_ROUND',
      index: 2,
    })
  }
  expect(codeOf(() => first.deal(openings.slice(0, 4)))).toMatchObject({ code: 'ERR_QUORUM_ROUND', index: 5 })
  expect(codeOf(() => first.deal(openings.with(2, openings[1] as Uint8Array)))).toMatchObject({ index: 2 })
})

test('QUORUM-3 a proof of another holder does not count: what one knows another cannot claim', () => {
  const parts = Array.from({ length: 5 }, (_, i) => joinQuorum(PLAN, i + 1))
  const openings = parts.map(({ opening }) => Uint8Array.from(opening))
  // Holder 2 publishes what holder 3 published, under its own index.
  const stolen = Uint8Array.from(openings[2] as Uint8Array)
  const at = stolen.findIndex((_, i) => stolen[i] === 3 && stolen[i + 1] === 0x83)
  stolen[at] = 2
  const first = parts[0] as (typeof parts)[number]
  expect(codeOf(() => first.deal(openings.with(1, stolen)))).toMatchObject({
    code: 'ERR_QUORUM_ROUND',
    index: 2,
  })
})

test('QUORUM-3 a package that does not fit, of another round, step or receiver names its sender', () => {
  const make = () => {
    const parts = Array.from({ length: 5 }, (_, i) => joinQuorum(PLAN, i + 1))
    const openings = parts.map(({ opening }) => opening)
    return { parts, sent: parts.map((part) => part.deal(openings)) }
  }
  const { parts, sent } = make()
  const other = make()
  const forFirst = (from: number, to = 1, world = sent): Uint8Array =>
    Uint8Array.from(world[from - 1]?.get(to) as Uint8Array)
  const good = [2, 3, 4, 5].map((from) => forFirst(from))
  const first = parts[0] as (typeof parts)[number]
  const altered = forFirst(4)
  altered[altered.length - 32] = (altered.at(-32) as number) ^ 1
  for (const wrong of [altered, forFirst(4, 2), forFirst(4, 1, other.sent)]) {
    expect(codeOf(() => first.finish(good.with(2, wrong)))).toMatchObject({
      code: 'ERR_QUORUM_ROUND',
      index: 4,
    })
  }
  expect(codeOf(() => first.finish(good.slice(1)))).toMatchObject({ code: 'ERR_QUORUM_ROUND', index: 2 })
  expect(codeOf(() => first.finish([...good, forFirst(3)]))).toMatchObject({ index: 3 })
  // None of this spent the ceremony.
  expect(first.finish(good).index).toBe(1)
})

test('QUORUM-4 of 100 refreshes each changes every share and none an output', { timeout: 120_000 }, () => {
  const dealt = dealQuorum({ ...PLAN, threshold: 2, holders: 3 })
  const output = outputOf(dealt.key, dealt.shares.slice(0, 2))
  const seen = new Set(dealt.shares.map(scalarOf))
  let shares: readonly QuorumShare[] = dealt.shares
  for (let round = 1; round <= 100; round++) {
    shares = refreshAll(shares)
    const { key } = shares[0] as QuorumShare
    expect(key.refresh).toBe(round)
    expect(hex((key.commitments[0] as (typeof key.commitments)[number]).toBytes())).toBe(
      hex((dealt.key.commitments[0] as (typeof key.commitments)[number]).toBytes()),
    )
    for (const share of shares) seen.add(scalarOf(share))
    expect(outputOf(key, pick(shares, [1 + (round % 2), 3]))).toBe(output)
  }
  expect(seen.size).toBe(3 * 101)
})

test('QUORUM-4 shares of two refreshes do not combine', () => {
  const { key, shares } = dealQuorum(PLAN)
  const output = outputOf(key, shares.slice(0, 3))
  const newer = refreshAll(shares)
  const mixed = [...pick(shares, [1, 2]), ...pick(newer, [3])]
  expect(() => outputOf(key, mixed)).toThrow('does not verify')
  expect(() => outputOf((newer[0] as QuorumShare).key, mixed)).toThrow('does not verify')
  const factors = lagrange([1, 2, 3], 0)
  const point = sumOfProducts(
    mixed.map(
      (share, i) => [factors[i] as bigint, share.use((s) => multiplyBlinded(INPUT.element, s))] as const,
    ),
  )
  expect(hex(finalize(INPUT.bytes, point))).not.toBe(output)
})

test('QUORUM-4 whoever gives another value than it committed to in a refresh is named', () => {
  const { shares } = dealQuorum(PLAN)
  const parts = shares.map(refreshQuorum)
  const openings = parts.map(({ opening }) => opening)
  const sent = parts.map((part) => part.deal(openings))
  const good = sent.flatMap((packages) => packages.get(1) ?? [])
  const wrong = Uint8Array.from(good[1] as Uint8Array)
  wrong[wrong.length - 30] = (wrong.at(-30) as number) ^ 4
  const first = parts[0] as (typeof parts)[number]
  expect(codeOf(() => first.finish(good.with(1, wrong)))).toMatchObject({
    code: 'ERR_QUORUM_ROUND',
    index: 3,
  })
  const foreign = refreshQuorum(dealQuorum(PLAN).shares[1] as QuorumShare).opening
  const second = refreshQuorum(shares[0] as QuorumShare)
  const again = openings.with(0, second.opening)
  expect(codeOf(() => second.deal(again.with(1, foreign)))).toMatchObject({
    code: 'ERR_QUORUM_ROUND',
    index: 2,
  })
})

test('QUORUM-5 t others make a lost share again, whichever they are', () => {
  const { key, shares } = dealQuorum(PLAN)
  for (const helpers of subsets(5, 3).filter((subset) => !subset.includes(4))) {
    const plan = { lost: 4, helpers }
    const parts = helpers.map((index) => helpRepair(shares[index - 1] as QuorumShare, plan))
    const openings = parts.map(({ opening }) => opening)
    const sent = parts.map((part) => part.deal(openings))
    const sums = parts.map((part, i) =>
      part.sum(sent.flatMap((packages) => packages.get(helpers[i] as number) ?? [])),
    )
    const share = finishRepair(key.bytes, plan, openings, sums)
    expect(scalarOf(share)).toBe(scalarOf(shares[3] as QuorumShare))
  }
})

test('QUORUM-5 a helper that lies in its opening, its piece or its sum is named', () => {
  const { key, shares } = dealQuorum(PLAN)
  const plan = { lost: 5, helpers: [1, 2, 4] }
  const parts = plan.helpers.map((index) => helpRepair(shares[index - 1] as QuorumShare, plan))
  const openings = parts.map(({ opening }) => opening)
  const [first] = parts as [(typeof parts)[number]]
  // The opening of helper 2 for another lost holder, and one over another key.
  for (const foreign of [
    helpRepair(shares[1] as QuorumShare, { lost: 3, helpers: plan.helpers }).opening,
    helpRepair(dealQuorum(PLAN).shares[1] as QuorumShare, plan).opening,
  ])
    expect(codeOf(() => first.deal(openings.with(1, foreign)))).toMatchObject({
      code: 'ERR_QUORUM_ROUND',
      index: 2,
    })
  const sent = parts.map((part) => part.deal(openings))
  const good = sent.flatMap((packages) => packages.get(1) ?? [])
  const flip = (bytes: Uint8Array): Uint8Array =>
    bytes.map((byte, i) => (i === bytes.length - 32 ? byte ^ 1 : byte))
  expect(codeOf(() => first.sum(good.with(1, flip(good[1] as Uint8Array))))).toMatchObject({ index: 4 })
  const sums = parts.map((part, i) =>
    part.sum(sent.flatMap((packages) => packages.get(plan.helpers[i] as number) ?? [])),
  )
  const wrong = sums.with(2, flip(sums[2] as Uint8Array))
  expect(codeOf(() => finishRepair(key.bytes, plan, openings, wrong))).toMatchObject({
    code: 'ERR_QUORUM_ROUND',
    index: 4,
  })
})

test('QUORUM-1 a key and a share file read back to the same bytes', () => {
  const { key, shares } = dealQuorum(PLAN)
  expect(hex(readQuorumKey(key.bytes).bytes)).toBe(hex(key.bytes))
  for (const share of shares) {
    const read = readQuorumShare(share.encode())
    expect([read.index, scalarOf(read)]).toEqual([share.index, scalarOf(share)])
  }
})

test('QUORUM-1 every byte of a share file counts', () => {
  const file = (dealQuorum(PLAN).shares[2] as QuorumShare).encode()
  let refused = 0
  for (let at = 0; at < file.length; at++) {
    const altered = Uint8Array.from(file)
    altered[at] = (altered[at] as number) ^ 1
    const { code } = codeOf(() => readQuorumShare(altered))
    // Another realm, epoch or refresh of the same length is another key over the same numbers: nothing but a pin tells.
    if (code === undefined) expect(hex(readQuorumShare(altered).encode())).toBe(hex(altered))
    else {
      expect(code).toBe('ERR_QUORUM_FORMAT')
      refused += 1
    }
  }
  expect(refused).toBeGreaterThan(file.length - 16)
  for (const bytes of [
    new Uint8Array(0),
    file.subarray(1),
    file.subarray(0, -1),
    new Uint8Array([...file, 0]),
  ])
    expect(codeOf(() => readQuorumShare(bytes)).code).toBe('ERR_QUORUM_FORMAT')
})

test('QUORUM-1 a share prints nothing, has no JSON form, and is gone after dispose', () => {
  const share = dealQuorum(PLAN).shares[0] as QuorumShare
  expect([inspect(share), String(share)]).toEqual(['[QuorumShare]', '[QuorumShare]'])
  expect(() => JSON.stringify(share)).toThrow('no JSON form')
  share.dispose()
  expect(share.disposed).toBe(true)
  expect(codeOf(() => share.encode()).code).toBe('ERR_QUORUM_INPUT')
})

test('QUORUM-7 a part that is altered, of another holder, record or epoch does not verify', () => {
  const { key, shares } = dealQuorum(PLAN)
  const [one, two] = shares as [QuorumShare, QuorumShare]
  const part = evaluateShare(one, INPUT)
  const otherInput = quorumInput({
    realm: checkRealm(REALM, rejectInput),
    record: new Uint8Array(16),
    generation: generation(1),
    epoch: 1,
  })
  expect(verifyPartial(key, INPUT, part)).toBeDefined()
  expect(verifyPartial(key, INPUT, { ...part, index: 2 })).toBeUndefined()
  expect(verifyPartial(key, INPUT, { ...evaluateShare(two, INPUT), index: 1 })).toBeUndefined()
  expect(verifyPartial(key, otherInput, part)).toBeUndefined()
  expect(verifyPartial(key, INPUT, evaluateShare(one, otherInput))).toBeUndefined()
  expect(
    verifyPartial(key, INPUT, { ...part, evaluated: evaluateShare(two, INPUT).evaluated }),
  ).toBeUndefined()
  for (let at = 0; at < 64; at++) {
    const proof = part.proof.map((byte, i) => (i === at ? byte ^ 1 : byte))
    expect(verifyPartial(key, INPUT, { ...part, proof }), `byte ${at}`).toBeUndefined()
  }
})

test('QUORUM-6 two evaluations by one share are one point under two proofs', () => {
  const { key, shares } = dealQuorum(PLAN)
  const parts = Array.from({ length: 8 }, () => evaluateShare(shares[0] as QuorumShare, INPUT))
  expect(new Set(parts.map(({ evaluated }) => hex(evaluated))).size).toBe(1)
  expect(new Set(parts.map(({ proof }) => hex(proof))).size).toBe(8)
  for (const part of parts) expect(verifyPartial(key, INPUT, part)).toBeDefined()
})

test('QUORUM-3 each step is taken once and in its order, and not after the end', () => {
  const { shares } = dealQuorum(PLAN)
  const plan = { lost: 5, helpers: [1, 2, 3] }
  for (const make of [
    () => joinQuorum(PLAN, 1),
    () => refreshQuorum(shares[0] as QuorumShare),
    () => helpRepair(shares[0] as QuorumShare, plan),
  ]) {
    const part = make()
    const last = 'sum' in part ? part.sum.bind(part) : part.finish.bind(part)
    expect(codeOf(() => last([])).code).toBe('ERR_QUORUM_INPUT')
    part[Symbol.dispose]()
    expect(codeOf(() => part.deal([])).code).toMatch(/^ERR_QUORUM_(?:INPUT|ROUND)$/)
    expect(codeOf(() => last([])).code).toBe('ERR_QUORUM_INPUT')
  }
})
