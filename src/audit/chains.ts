/** Every writer's chain, as far as it was read (SPEC §14.2, §14.6). @module */

import { equalBytes } from '../base/bytes.ts'
import { AuditError } from './errors.ts'
import { HASH_BYTES } from './tree.ts'

interface Link {
  next: number
  leaf: Uint8Array
  seenMs: number
}

/** Where an entry belongs: what its writer's chain says of it. */
export interface Place {
  readonly writer: string
  readonly sequence: number
  readonly previous: Uint8Array
  readonly leaf: Uint8Array
  readonly timeMs: number
}

/** A writer that has been silent for so long has given up its chain (AUDIT-17). */
const FORGET_MS = 24 * 3_600_000
const SWEEP_ENTRIES = 65_536

/** The newest entry of each writer. */
export class WriterChains {
  readonly #links: Map<string, Link> = new Map()
  #newestMs = 0
  #untilSweep = SWEEP_ENTRIES

  get size(): number {
    return this.#links.size
  }

  /**
   * Takes an entry over when it is its writer's next. `known` one was taken before, before a `gap` some are missing. Throws
   * `ERR_AUDIT_EDIT` when it does not continue what stands before it.
   */
  follow({ writer, sequence, previous, leaf, timeMs }: Place): 'next' | 'known' | 'gap' {
    const link = this.#links.get(writer)
    const next = link?.next ?? 0
    if (sequence < next) return 'known'
    if (sequence > next) return 'gap'
    if (!equalBytes(previous, link?.leaf ?? NOTHING_BEFORE)) {
      throw new AuditError('ERR_AUDIT_EDIT', 'an entry does not continue the one of its writer before it')
    }
    this.#newestMs = Math.max(this.#newestMs, timeMs)
    if (link === undefined) this.#links.set(writer, { next: next + 1, leaf, seenMs: timeMs })
    else {
      link.next = next + 1
      link.leaf = leaf
      link.seenMs = timeMs
    }
    if (--this.#untilSweep === 0) this.#sweep()
    return 'next'
  }

  /** Writers and where they stand, for a snapshot. */
  *export(): Generator<readonly [string, number, Uint8Array, number]> {
    for (const [writer, { next, leaf, seenMs }] of this.#links) yield [writer, next, leaf, seenMs]
  }

  /** Takes back what `export` gave. */
  import(writer: string, next: number, leaf: Uint8Array, seenMs: number): void {
    this.#newestMs = Math.max(this.#newestMs, seenMs)
    this.#links.set(writer, { next, leaf, seenMs })
  }

  #sweep(): void {
    this.#untilSweep = SWEEP_ENTRIES
    for (const [writer, link] of this.#links) {
      if (this.#newestMs - link.seenMs > FORGET_MS) this.#links.delete(writer)
    }
  }
}

const NOTHING_BEFORE: Uint8Array = new Uint8Array(HASH_BYTES)
