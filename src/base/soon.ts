/** A pause of no length: timers, sockets and flushes that are ready go first. @module */

/** Resolves in a later turn of the event loop. */
export function soon(): Promise<void> {
  return new Promise(inNextTurn)
}

/** Timers wait a millisecond or more; Node has something quicker. */
export function inNextTurn(task: () => void): void {
  const { setImmediate } = globalThis as { readonly setImmediate?: (task: () => void) => void }
  if (setImmediate === undefined) setTimeout(task, 0)
  else setImmediate(task)
}
