/** Many calls at once, with bounded memory and one result for each. @module */

import { type CallOptions, GuiseError } from '../base/errors.ts'
import { checkCall } from './calls.ts'
import { rejectInput } from './errors.ts'
import type { BulkResult } from './types.ts'

/**
 * Runs `task` for every input, at most `width` at a time, and yields results as they come. A typed error is the result of
 * its input; anything else ends the run. A consumer that stops early stops the source; what is under way ends first.
 */
export async function* runMany<Input, Ok>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
  task: (input: Input) => Promise<Ok>,
  width: number,
  options?: CallOptions,
): AsyncGenerator<BulkResult<Ok>> {
  checkSource(inputs)
  const call = checkCall(options)
  const running = new Map<number, Promise<BulkResult<Ok>>>()
  let next = 0
  const take = async function* (): AsyncGenerator<BulkResult<Ok>> {
    const result = await Promise.race(running.values())
    running.delete(result.index)
    yield result
  }
  try {
    for await (const input of inputs) {
      call.signal?.throwIfAborted()
      const index = next++
      const result = settle(index, task(input))
      // It may fail before anyone waits for it; whoever does sees the failure then.
      result.catch(() => undefined)
      running.set(index, result)
      if (running.size >= width) yield* take()
    }
    while (running.size > 0) yield* take()
  } finally {
    await Promise.allSettled(running.values())
  }
}

function checkSource(inputs: unknown): void {
  const source = inputs as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
  if (typeof source?.[Symbol.asyncIterator] === 'function' || typeof source?.[Symbol.iterator] === 'function')
    return
  throw rejectInput('requests must be an iterable or an async iterable')
}

async function settle<Ok>(index: number, outcome: Promise<Ok>): Promise<BulkResult<Ok>> {
  try {
    return { ok: true, index, value: await outcome }
  } catch (error) {
    if (error instanceof GuiseError) return { ok: false, index, error }
    throw error
  }
}
