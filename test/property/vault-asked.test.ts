/** Requests that count as failures until their outcome is known: the limits hold in every order (SPEC §12.3, §13.9). */
import {
  type Arbitrary,
  array,
  assert,
  check,
  constant,
  constantFrom,
  nat,
  oneof,
  property,
  tuple,
} from 'fast-check'
import { describe, expect, test } from 'vitest'
import { attemptGate, checkAttemptPolicy, type Instant } from '../../src/policy/attempts.ts'
import type { AttemptsRow } from '../../src/record/attempts-row.ts'
import type { Operation } from '../../src/record/state-row.ts'
import { countNothing, countOutcome, countRequest, isAsked, withoutRequests } from '../../src/vault/asked.ts'

type Counted = Pick<AttemptsRow, 'count' | 'operations'>
type Rules = {
  readonly outcome: typeof countOutcome
  readonly nothing: typeof countNothing
}

const CONSECUTIVE = 3
const POLICY = checkAttemptPolicy({ consecutive: CONSECUTIVE, total: 50, generation: 500 })
/** No delay passes: whatever is over the limit is refused. */
const NOW: Instant = { nowMs: 1000, origin: new Uint8Array(16), steadyMs: 1000 }
const FRESH: Counted = {
  count: { run: 0, failures: 0, lastMs: 0, origin: new Uint8Array(16), steadyMs: 0 },
  operations: [],
}
const REAL: Rules = { outcome: countOutcome, nothing: countNothing }

/** What happens to the attempts row of one subject, in the order of the commits. */
type Event =
  | { readonly what: 'ask' }
  | { readonly what: 'match' | 'nonmatch' | 'nothing' | 'die'; readonly who: number }
  | { readonly what: 'rebind' }

const ask: Event = { what: 'ask' }
const rebind: Event = { what: 'rebind' }
const outcomes = constantFrom('match', 'nonmatch', 'nonmatch', 'nonmatch', 'nonmatch', 'nothing', 'die')

const events: Arbitrary<Event[]> = array(
  oneof(
    { weight: 5, arbitrary: constant(ask) },
    { weight: 6, arbitrary: tuple(outcomes, nat(9)).map(([what, who]): Event => ({ what, who })) },
    { weight: 1, arbitrary: constant(rebind) },
  ),
  { maxLength: 60, size: 'max' },
)

interface End {
  readonly row: Counted
  /** The longest run of nonmatches that left without a match or a rebind between. */
  readonly longest: number
  /** Nonmatches that left, and requests that never had an outcome. */
  readonly failed: number
}

/** As verify does it: a decision passes the gate unless its own mark stands there. */
function play(history: readonly Event[], rules: Rules): End {
  let row = FRESH
  let next = 1
  let run = 0
  let longest = 0
  let failed = 0
  const pending: Uint8Array[] = []
  const open = (): boolean => attemptGate(row.count, POLICY, NOW, false).gate === 'open'
  for (const event of history) {
    if (event.what === 'rebind') {
      row = { count: { ...row.count, run: 0 }, operations: withoutRequests(row.operations) }
      run = 0
    } else if (event.what === 'ask') {
      if (!open()) continue
      const mark = new Uint8Array(16)
      new DataView(mark.buffer).setUint32(0, next++)
      row = countRequest(row, mark, NOW, false)
      pending.push(mark)
    } else {
      const [mark] = pending.splice(event.who % Math.max(1, pending.length), 1)
      if (mark === undefined) continue
      if (event.what === 'die') failed++
      else if (event.what === 'nothing' || !(isAsked(row, mark) || open())) row = rules.nothing(row, mark)
      else {
        const matched = event.what === 'match'
        row = rules.outcome(row, { mark, counts: true, live: false }, matched, NOW)
        run = matched ? 0 : run + 1
        if (!matched) failed++
        longest = Math.max(longest, run)
      }
    }
  }
  return { row, longest, failed: failed + pending.length }
}

describe('requests that count as failures', () => {
  test('QUORUM-31 in every order no more nonmatches leave in a run than the policy allows', () => {
    assert(
      property(events, (history) => {
        const { row, longest, failed } = play(history, REAL)
        expect(longest).toBeLessThanOrEqual(CONSECUTIVE)
        expect(row.count.failures).toBe(failed)
        expect(row.count.run).toBeGreaterThanOrEqual(0)
        expect(row.operations.length).toBeLessThanOrEqual(8)
      }),
      { numRuns: 2000 },
    )
  })

  test('the control in which a match ends the run of what is still under way lets more leave', () => {
    const forgets: Rules = {
      ...REAL,
      outcome: (row, asked, matched, now) => {
        const next = countOutcome(row, asked, matched, now)
        return matched ? { ...next, count: { ...next.count, run: 0 } } : next
      },
    }
    const found = check(
      property(events, (history) => play(history, forgets).longest <= CONSECUTIVE),
      { numRuns: 5000 },
    )
    expect(found.failed).toBe(true)
  })

  test('the control that gives back what was compared loses failures', () => {
    const gives: Rules = { ...REAL, outcome: (row, asked) => countNothing(row, asked.mark) }
    const found = check(
      property(events, (history) => {
        const { row, failed } = play(history, gives)
        return row.count.failures === failed
      }),
    )
    expect(found.failed).toBe(true)
  })

  test('no counter goes below 0, and a repeated operation that another call counted is counted once', () => {
    const mark = new Uint8Array(16).fill(1)
    const none = { mark, counts: false, live: false }
    expect(countNothing(FRESH, mark).count).toMatchObject({ run: 0, failures: 0 })
    expect(countOutcome(FRESH, none, true, NOW).count).toMatchObject({ run: 0, failures: 0 })
    expect(countOutcome(FRESH, none, false, NOW).count).toMatchObject({ run: 1, failures: 1 })
    const asked = countRequest(FRESH, mark, NOW, false)
    expect(countOutcome(asked, none, true, NOW)).toMatchObject({
      count: { run: 0, failures: 0 },
      operations: [],
    })
    expect(countOutcome(asked, none, false, NOW)).toMatchObject({
      count: { run: 1, failures: 1 },
      operations: [],
    })
  })

  test('what was answered before stays among the operations', () => {
    const answered: Operation = { digest: new Uint8Array(16).fill(9), code: 1 }
    const mark = new Uint8Array(16).fill(1)
    const asked = countRequest({ ...FRESH, operations: [answered] }, mark, NOW, false)
    expect(countOutcome(asked, { mark, counts: true, live: false }, true, NOW).operations).toEqual([answered])
    expect(withoutRequests(asked.operations)).toEqual([answered])
  })
})
