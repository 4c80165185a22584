/** Whose lives the log tells: when a template was made, matched, revoked, withdrawn, and how many people there are. @module */

import { Follower, type ReadEntry } from '../audit/follower.ts'
import type { LogKeys } from '../audit/queue.ts'
import type { Realm } from '../base/brand.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Store } from '../store/store.ts'
import { handleName } from './mapping.ts'

/** What the log says of one subject. Instants in milliseconds. */
export interface Life {
  /** `none` after an erasure. */
  stands: 'kept' | 'held' | 'revoked' | 'none'
  /** Of the present template. */
  madeMs: number
  matchedMs: number | undefined
  revokedMs: number | undefined
  withdrawnMs: number | undefined
}

/**
 * Reads the whole log of a realm, and what waits in its queue, entry by entry; every entry is in the commit that did what it tells, so
 * the lives are those of one instant. About 200 bytes of memory a subject.
 */
export class Lives {
  readonly #follower: Follower
  readonly #lives: Map<string, Life> = new Map()
  #people = 0

  /** @param listener told of each entry after it was counted */
  constructor(
    store: Pick<Store, 'get' | 'scan'>,
    realm: Realm,
    keys: LogKeys,
    listener?: (entry: ReadEntry) => void,
  ) {
    this.#follower = new Follower(store, realm, keys, true, (entry) => {
      this.#take(entry)
      listener?.(entry)
    })
  }

  /** Reads all that is new. Throws an `AuditError` for a log that does not hold. */
  async follow(options?: CallOptions): Promise<void> {
    await this.#follower.follow(options)
  }

  /** Records whose code is kept: neither revoked nor erased. Exact as of the last reading. */
  get people(): number {
    return this.#people
  }

  of(handle: Uint8Array): Readonly<Life> | undefined {
    return this.#lives.get(handleName(handle))
  }

  #take({ handle, action, outcome, timeMs }: ReadEntry): void {
    if (handle === null || (outcome !== 'done' && outcome !== 'match')) return
    const name = handleName(handle)
    if (action === 'enroll' || action === 'reissue') {
      const before = this.#lives.get(name)
      if (before !== undefined) this.#move(before, 'none')
      const life: Life = {
        stands: 'none',
        madeMs: timeMs,
        matchedMs: undefined,
        revokedMs: undefined,
        withdrawnMs: undefined,
      }
      this.#move(life, 'kept')
      this.#lives.set(name, life)
      return
    }
    const life = this.#lives.get(name)
    if (life !== undefined) this.#change(name, life, action, timeMs)
  }

  #change(name: string, life: Life, action: ReadEntry['action'], timeMs: number): void {
    if (action === 'verify' || action === 'adapt' || action === 'reference-add') life.matchedMs = timeMs
    else if (action === 'hold') this.#move(life, 'held')
    else if (action === 'release') this.#move(life, 'kept')
    else if (action === 'basis') life.withdrawnMs = undefined
    else if (action === 'erase') {
      this.#move(life, 'none')
      this.#lives.delete(name)
    } else if (action === 'withdraw' || action === 'revoke') {
      if (action === 'withdraw') life.withdrawnMs ??= timeMs
      // Of a held or revoked record they change no state (VAULT-10, VAULT-60).
      if (life.stands === 'kept') {
        this.#move(life, 'revoked')
        life.revokedMs = timeMs
      }
    }
  }

  #move(life: Life, to: Life['stands']): void {
    this.#people += Number(isPerson(to)) - Number(isPerson(life.stands))
    life.stands = to
  }
}

function isPerson(stands: Life['stands']): boolean {
  return stands === 'kept' || stands === 'held'
}
