/** A pause of no length: timers, sockets and flushes that are ready go first. @module */

/** Resolves in a later turn of the event loop. */
export function soon(): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: (resume: () => void) => void }
  return new Promise((resolve) => {
    if (setImmediate === undefined) setTimeout(resolve, 0)
    else setImmediate(resolve)
  })
}
