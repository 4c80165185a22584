/** A promise that is left when a signal comes first (SPEC §4.7). @module */

/** Settles as `done` does, or rejects with the signal's reason; `discard` gets a result that came too late. */
export async function unlessAborted<Result>(
  done: Promise<Result>,
  signal: AbortSignal | undefined,
  discard: (late: Result) => void,
): Promise<Result> {
  if (signal === undefined) return await done
  let stop = (): void => undefined
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined)
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    const first = await Promise.race([done.then((result) => ({ result })), aborted])
    if (first !== undefined) return first.result
    void done.then(discard, () => undefined)
    signal.throwIfAborted()
    return await done
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
