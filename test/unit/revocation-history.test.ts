/** The checker of revocation histories: what it finds when it is planted, and what it leaves alone. @module */
import * as fc from 'fast-check'
import { memoryStore, type Store } from 'guise'
import { checkRevocationHistory, type RevocationEvent } from 'guise/testing'
import { describe, expect, test } from 'vitest'

type Event = Omit<RevocationEvent, 'process'>

function rulesOf(...events: readonly Event[]): readonly string[] {
  const history = events.map((event, i) => ({ process: String(i), ...event }))
  return checkRevocationHistory(history).violations.map(({ rule }) => rule)
}

const verify = (
  generation: number,
  start: number,
  end: number,
  outcome: RevocationEvent['outcome'] = 'match',
): Event => ({ operation: 'verify', generation, start, end, outcome })
const revoke = (
  generation: number,
  start: number,
  end: number,
  outcome: 'done' | 'unknown' = 'done',
): Event => ({
  operation: 'revoke',
  generation,
  start,
  end,
  outcome,
})
const reissue = (generation: number, start: number, end: number): Event => ({
  operation: 'reissue',
  generation,
  start,
  end,
  outcome: 'done',
})

describe('a planted history', () => {
  test.each<[string, readonly Event[], readonly string[]]>([
    ['a match after a revoke had returned', [revoke(1, 0, 5), verify(1, 6, 9)], ['revoked']],
    ['a match after another saw it revoked', [verify(1, 0, 4, 'revoked'), verify(1, 5, 6)], ['seen-revoked']],
    ['a match of what was reissued', [reissue(2, 0, 5), verify(1, 6, 9)], ['reissued']],
    ['a match of the former after one of the next', [verify(2, 0, 5), verify(1, 6, 9)], ['seen-reissued']],
    ['two late matches', [revoke(1, 0, 5), verify(1, 6, 9), verify(1, 100, 101)], ['revoked', 'revoked']],
    ['a revoked generation long replaced', [revoke(1, 0, 1), reissue(2, 2, 3), verify(1, 9, 9)], ['revoked']],
    ['a revoke of a reissued one', [reissue(2, 0, 1), revoke(2, 2, 3), verify(2, 4, 5)], ['revoked']],
  ])('%s', (_, events, rules) => {
    expect(rulesOf(...events)).toEqual(rules)
    // The order of the list says nothing.
    expect(rulesOf(...events.toReversed()).toSorted()).toEqual([...rules].toSorted())
  })

  test.each<[string, readonly Event[]]>([
    ['nothing', []],
    ['a match that began before the revoke returned', [revoke(1, 0, 5), verify(1, 4, 90)]],
    ['a match that began at that very instant', [revoke(1, 0, 5), verify(1, 5, 6)]],
    ['a match of the next generation', [revoke(1, 0, 5), reissue(2, 6, 7), verify(2, 8, 9)]],
    ['a revoke without an answer', [revoke(1, 0, 5, 'unknown'), verify(1, 6, 9)]],
    ['no match', [revoke(1, 0, 5), verify(1, 6, 9, 'revoked'), verify(0, 6, 9, 'nonmatch')]],
    ['another subject', [revoke(1, 0, 5), { ...verify(1, 6, 9), subject: 'b' }]],
    ['overlapping views', [verify(1, 0, 5, 'revoked'), verify(1, 4, 9)]],
  ])('is right: %s', (_, events) => {
    expect(rulesOf(...events)).toEqual([])
  })

  test('says which call showed it, and by how much', () => {
    const known = { process: 'a', ...revoke(1, 0, 5) }
    const late = { process: 'b', ...verify(1, 47, 60) }
    const report = checkRevocationHistory([late, known])
    expect(report).toEqual({
      events: 2,
      verifies: 1,
      matches: 1,
      evidence: 2,
      violations: [{ rule: 'revoked', verify: late, evidence: known, late: 42 }],
    })
  })

  test.each<[string, unknown]>([
    ['no list', {}],
    ['no event', [null]],
    ['an unknown operation', [{ process: '', ...verify(1, 0, 1), operation: 'enroll' }]],
    ['an answer of another operation', [{ process: '', ...revoke(1, 0, 1), outcome: 'match' }]],
    ['an end before the start', [{ process: '', ...verify(1, 2, 1) }]],
    ['no time', [{ process: '', ...verify(1, Number.NaN, 1) }]],
    ['a generation below zero', [{ process: '', ...verify(-1, 0, 1) }]],
  ])('refuses %s', (_, history) => {
    expect(() => checkRevocationHistory(history as never)).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_INPUT' }),
    )
  })
})

/** By the definition: every match against every event. */
function slowly(history: readonly RevocationEvent[]): number {
  const gone = ({ operation, outcome, generation }: RevocationEvent): number => {
    if (operation === 'revoke') return outcome === 'done' ? generation : -1
    if (operation === 'reissue') return outcome === 'done' ? generation - 1 : -1
    return outcome === 'revoked' ? generation : outcome === 'match' ? generation - 1 : -1
  }
  return history.filter(
    (late) =>
      late.outcome === 'match' &&
      history.some(
        (known) =>
          (known.subject ?? '') === (late.subject ?? '') &&
          known.end < late.start &&
          gone(known) >= late.generation,
      ),
  ).length
}

test('finds as many as the definition does', () => {
  const event = fc
    .record({
      subject: fc.constantFrom('a', 'b'),
      kind: fc.constantFrom('match', 'nonmatch', 'revoked', 'unknown', 'revoke', 'reissue', 'lost'),
      generation: fc.integer({ min: 1, max: 4 }),
      start: fc.integer({ min: 0, max: 40 }),
      length: fc.integer({ min: 0, max: 10 }),
    })
    .map(({ subject, kind, generation, start, length }): RevocationEvent => {
      const common = { process: 'p', subject, generation, start, end: start + length }
      if (kind === 'revoke' || kind === 'reissue') return { ...common, operation: kind, outcome: 'done' }
      if (kind === 'lost') return { ...common, operation: 'revoke', outcome: 'unknown' }
      return { ...common, operation: 'verify', outcome: kind }
    })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (history) => {
      expect(checkRevocationHistory(history).violations).toHaveLength(slowly(history))
    }),
    { numRuns: 500 },
  )
})

test('two hundred thousand events take no more than a few seconds', () => {
  const history = Array.from({ length: 200_000 }, (_, i): RevocationEvent => {
    const common = { process: String(i % 4), generation: 1 + Math.floor(i / 1000), start: i, end: i + 0.5 }
    return i % 1000 === 999
      ? { ...common, operation: 'revoke', outcome: 'done' }
      : { ...common, operation: 'verify', outcome: 'match' }
  })
  const begun = performance.now()
  expect(checkRevocationHistory(history).violations).toEqual([])
  expect(performance.now() - begun).toBeLessThan(5000)
})

/** A row says which generation is live, and whether it was revoked; readers may have a cache. */
async function historyOf(store: Store, cacheMs: number): Promise<readonly RevocationEvent[]> {
  const key = Uint8Array.of(1)
  const history: RevocationEvent[] = []
  let version: string | null = null
  const write = async (generation: number, revoked: number): Promise<void> => {
    const bytes = Uint8Array.of(generation, revoked)
    version =
      (await store.commit([{ step: 'put', table: 'states', key, bytes, expected: version }]))[0] ?? null
  }
  await write(1, 0)
  const end = new AbortController()
  const verifier = async (process: string): Promise<void> => {
    let kept: { bytes: Uint8Array; atMs: number } | undefined
    while (!end.signal.aborted) {
      const start = performance.now()
      if (kept === undefined || start - kept.atMs >= cacheMs) {
        kept = { bytes: (await store.get('states', key))?.bytes ?? new Uint8Array(2), atMs: start }
      }
      const [generation = 0, revoked = 0] = kept.bytes
      const outcome = revoked === 1 ? 'revoked' : 'match'
      history.push({ process, operation: 'verify', generation, start, end: performance.now(), outcome })
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  const readers = ['a', 'b', 'c', 'd'].map(verifier)
  for (let generation = 1; generation <= 10; generation++) {
    for (const operation of ['revoke', 'reissue'] as const) {
      const start = performance.now()
      const target = operation === 'revoke' ? generation : generation + 1
      await write(target, operation === 'revoke' ? 1 : 0)
      history.push({
        process: 'w',
        operation,
        generation: target,
        start,
        end: performance.now(),
        outcome: 'done',
      })
      await new Promise((resolve) => setTimeout(resolve, 12))
    }
  }
  end.abort()
  await Promise.all(readers)
  return history
}

test('readers of a store see no generation after it was revoked; with a cache of 50 ms they do', async () => {
  const right = checkRevocationHistory(await historyOf(memoryStore(), 0))
  expect(right.violations).toEqual([])
  expect(right.matches).toBeGreaterThan(10)
  const cached = checkRevocationHistory(await historyOf(memoryStore(), 50))
  console.info(
    `control, a cache of 50 ms: ${cached.violations.length} violations in ${cached.verifies} verifies`,
  )
  expect(cached.violations.length).toBeGreaterThan(10)
  expect(cached.violations.every(({ late }) => late <= 200)).toBe(true)
})
