/** Taking times: batches of calls that finish at once, single calls that wait, many calls in flight. @module */

import type { Plan, Series } from './scenario.ts'

/** What a compiler must not find unused. */
let sink: unknown

/** A named piece of work; the argument counts its calls, so that it can take another record each time. */
export interface Work {
  readonly name: string
  call(turn: number): unknown
}

/**
 * Microseconds a call of every work. All are warmed up first; then their batches alternate, so that whatever slows the
 * machine down for a while meets all of them.
 */
export function timeBatches(works: readonly Work[], plan: Plan): readonly Series[] {
  const timed = works.map((work) => ({ work, turn: 0, count: 1, values: [] as number[] }))
  for (const each of timed) each.count = warmUp(each.work, plan)
  for (let batch = 0; batch < plan.batches; batch++) {
    // There and back: nobody always runs behind the same neighbour.
    for (const each of batch % 2 === 0 ? timed : timed.toReversed()) {
      const begin = performance.now()
      for (let i = 0; i < each.count; i++) sink = each.work.call(each.turn + i)
      each.values.push(((performance.now() - begin) * 1000) / each.count)
      each.turn += each.count
    }
  }
  return timed.map(({ work, values }) => ({ name: work.name, unit: 'µs', values }))
}

/** Microseconds of every single call that is waited for; what `prepare` gives is not timed. */
export async function timeCalls<Prepared>(
  name: string,
  count: number,
  prepare: (turn: number) => Prepared,
  call: (prepared: Prepared, turn: number) => unknown,
  warm: number = Math.ceil(count / 10),
): Promise<Series> {
  const values: number[] = []
  for (let turn = 0; turn < warm + count; turn++) {
    const prepared = prepare(turn)
    const begin = performance.now()
    sink = await call(prepared, turn)
    if (turn >= warm) values.push((performance.now() - begin) * 1000)
  }
  return { name, unit: 'µs', values }
}

/** What is switched on while calls that count are under way: a histogram of the event loop's delay. */
export interface Watch {
  enable(): unknown
  disable(): unknown
}

/** Calls a second with `width` of them in flight, after as many that are not counted. */
export async function timeInFlight<Prepared>(
  name: string,
  size: { readonly width: number; readonly calls: number; readonly repeats: number; readonly watch?: Watch },
  prepare: (turn: number) => Prepared,
  call: (prepared: Prepared, turn: number) => Promise<unknown>,
): Promise<Series> {
  const values: number[] = []
  for (let repeat = 0; repeat <= size.repeats; repeat++) {
    const from = repeat * size.calls
    const prepared = Array.from({ length: size.calls }, (_, i) => prepare(from + i))
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < size.calls) {
        const turn = next++
        sink = await call(prepared[turn] as Prepared, from + turn)
      }
    }
    if (repeat > 0) size.watch?.enable()
    const begin = performance.now()
    await Promise.all(Array.from({ length: size.width }, lane))
    if (repeat > 0) size.watch?.disable()
    if (repeat > 0) values.push((size.calls * 1000) / (performance.now() - begin))
  }
  return { name, unit: 'per second', values }
}

/** Calls until the compilers have settled; answers how many calls fill a batch. */
function warmUp(work: Work, plan: Plan): number {
  let calls = 0
  let now = performance.now()
  const half = now + plan.warmMs / 2
  const end = half + plan.warmMs / 2
  let settled = 0
  let settledAt = now
  while (now < end || calls === settled) {
    sink = work.call(calls++)
    now = performance.now()
    if (now < half) {
      settled = calls
      settledAt = now
    }
  }
  return Math.max(1, Math.round((plan.batchMs * (calls - settled)) / Math.max(now - settledAt, 1e-3)))
}

/** The last result of anything timed. */
export function lastResult(): unknown {
  return sink
}
