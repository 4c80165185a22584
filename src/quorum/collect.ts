/** Side by side: the first replies that are valid, and who gave none (SPEC §13.6). @module */

import type { QuorumFault } from './errors.ts'
import type { Refusal } from './messages.ts'

/** Valid replies in the order in which they came, and the faults of the others. */
export interface Collected<Value> {
  readonly values: readonly Value[]
  readonly faults: readonly QuorumFault[]
}

/** Who is asked, and when. */
export interface Course<Member> {
  /** Those who are asked at once come first. */
  readonly members: readonly Member[]
  readonly need: number
  /** How many are asked at once; the others with the first fault, or after `hedgeMs`. */
  readonly first: number
  readonly hedgeMs: number
  readonly timeoutMs: number
}

/**
 * Asks members and resolves when `need` replies are valid, when so many are not that the rest cannot be enough, or when
 * the time is over; whatever is under way is aborted then. `ask` gives a value, a refusal, or `undefined` for a reply that does
 * not verify; when it rejects, the member counts as silent. Rejects only with the reason of `signal`.
 */
export async function collect<Value, Member extends { readonly index: number }>(
  { members, need, first, hedgeMs, timeoutMs }: Course<Member>,
  ask: (member: Member, signal: AbortSignal) => Promise<Value | Refusal | undefined>,
  signal: AbortSignal | undefined,
): Promise<Collected<Value>> {
  signal?.throwIfAborted()
  const rest = new AbortController()
  const values: Value[] = []
  const faults = new Map<number, QuorumFault>()
  let stop: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    stop = resolve
  })
  const given = new Set<number>()
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    stop()
  }, timeoutMs)
  signal?.addEventListener('abort', stop)
  let isOver = false
  let asked = 0
  const settle = (): void => {
    if (faults.size > 0) askUpTo(members.length)
    if (values.length >= need || members.length - faults.size < need) stop()
  }
  const askUpTo = (count: number): void => {
    const next = members.slice(asked, count)
    asked = Math.max(asked, count)
    next.forEach(askOne)
  }
  const askOne = (member: Member): void => {
    const { index } = member
    ask(member, rest.signal).then(
      (reply) => {
        if (isOver) return
        if (reply === undefined) faults.set(index, { index, fault: 'lied', code: undefined })
        else if (isRefusal(reply)) faults.set(index, { index, fault: 'refused', code: reply.code })
        else {
          given.add(index)
          if (values.length < need) values.push(reply)
        }
        settle()
      },
      () => {
        if (isOver) return
        faults.set(index, { index, fault: 'silent', code: undefined })
        settle()
      },
    )
  }
  askUpTo(first)
  const hedge = setTimeout(() => askUpTo(members.length), hedgeMs)
  try {
    await done
  } finally {
    isOver = true
    clearTimeout(timer)
    clearTimeout(hedge)
    signal?.removeEventListener('abort', stop)
    rest.abort()
  }
  signal?.throwIfAborted()
  if (isLate) {
    for (const { index } of members)
      if (!given.has(index) && !faults.has(index))
        faults.set(index, { index, fault: 'silent', code: undefined })
  }
  return { values, faults: [...faults.values()].sort((a, b) => a.index - b.index) }
}

/** Whoever does not heed the signal keeps nobody waiting behind it. */
export function untilAborted<Result>(
  task: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return task
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    task.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

function isRefusal(reply: unknown): reply is Refusal {
  return typeof reply === 'object' && reply !== null && (reply as { kind?: unknown }).kind === 'refusal'
}
