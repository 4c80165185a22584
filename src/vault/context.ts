/** What every verb of one open vault shares: configuration, stores, keys, clock, limits. @module */

import type { AuditEvent } from '../audit/chain.ts'
import { rolledBack } from '../audit/follower.ts'
import type { TimedEvent } from '../audit/journal.ts'
import type { Ledger } from '../audit/ledger.ts'
import { headKey } from '../audit/log-rows.ts'
import type { Realm } from '../base/brand.ts'
import type { Clock } from '../base/clock.ts'
import type { CallOptions } from '../base/errors.ts'
import type { Lanes } from '../base/lanes.ts'
import type { KeyedMutex } from '../base/mutex.ts'
import { randomBytes } from '../crypto/random.ts'
import type { CheckStep } from '../keys/ring-access.ts'
import type { AdaptationPolicy } from '../policy/adaptation.ts'
import type { AttemptPolicy, Instant } from '../policy/attempts.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import type { Quorum } from '../quorum/client.ts'
import { decodeModelRow } from '../record/model-row.ts'
import { MODEL_HANDLE, modelPlace } from '../record/place.ts'
import type { TemplateProfile } from '../record/reference-row.ts'
import type { KeyForVersion } from '../record/row.ts'
import { readRows } from '../store/read-rows.ts'
import type { LinkedPlace, RowPlace, Store, StoredRow, StoreStep } from '../store/store.ts'
import type { Suite } from '../transform/suite.ts'
import type { Decoys } from './decoy.ts'
import type { Gallery } from './gallery.ts'
import type { VaultKeys } from './keys.ts'
import type { ModelWindow } from './model-window.ts'
import { isConflict } from './outcome.ts'
import type { RealmLimit } from './realm-limit.ts'
import { NO_ROW, rowTag, rowTags } from './row-tags.ts'
import type { Meter } from './telemetry.ts'
import type { Custody } from './types.ts'

/** Whom the vault asks, and in which epoch what it makes is sealed. */
export interface VaultQuorum {
  readonly asked: Quorum
  readonly epoch: number
}

/** The checked configuration of a vault. */
export interface VaultSettings {
  readonly realm: Realm
  readonly profile: TemplateProfile
  readonly suite: Suite
  readonly custody: Custody['profile']
  /** Under custody with a quorum. */
  readonly quorum: VaultQuorum | undefined
  readonly points: ReadonlyMap<string, OperatingPoint>
  /** Of probes of a class with references of that class; `undefined`: subjects have one reference. */
  readonly referencePoints: ReadonlyMap<string, OperatingPoint> | undefined
  readonly attempts: AttemptPolicy
  /** When a comparison may replace the template; `undefined`: never. */
  readonly adaptation: AdaptationPolicy | undefined
  readonly erasureBoundMs: number
  readonly maxInFlight: number
  readonly reveal: boolean
  /** Told of calls and conflicts, when the operator wants to know. */
  readonly meter: Meter | undefined
}

/** What verbs need of a store. */
export type VaultStore = Pick<Store, 'get' | 'getMany' | 'commit' | 'scan'>

/** How often a decision is made anew when others change what it rests on. */
const MOST_TRIES = 64

/** What a vault is made of. */
export interface VaultParts {
  readonly settings: VaultSettings
  /** Of the model beside the vault's own, while the realm migrates. */
  readonly next?: VaultSettings | undefined
  readonly models: ModelWindow
  readonly ring: VaultKeys
  readonly store: VaultStore
  readonly secrets: VaultStore
  readonly clock: Clock
  readonly realmLimit: RealmLimit
  /** The log, as far as this process has read and written it. */
  readonly ledger: Ledger
  /** One verb at a time and subject in this process; between processes the store decides. */
  readonly subjects: KeyedMutex
  /** Verifies side by side in this process; `undefined`: as many as there are. */
  readonly lanes?: Lanes | undefined
  readonly decoys: Decoys
  /** Where the vault declares one. */
  readonly gallery: Gallery | undefined
}

/** The call that a context serves. */
export interface ServedCall extends Pick<CallOptions, 'signal' | 'actor'> {
  /** Stops matching even when the log is at fault. */
  readonly urgent?: boolean
}

/** What a verb tells the log; the rest is known. */
export type VaultEvent = Pick<AuditEvent, 'action' | 'outcome'> &
  Partial<Pick<AuditEvent, 'handle' | 'record' | 'generation' | 'epoch' | 'policy' | 'basis'>>

/** What is to be read together with the keyring. */
export interface Reading<Place extends RowPlace> {
  readonly places: readonly Place[]
  /** Read behind the places; the keyring's row has number 0, the places follow. */
  readonly linked: readonly LinkedPlace[]
}

/** Rows that were read together with the keyring, as the keyring read before named their places. */
export interface Beside<Place extends RowPlace> extends Reading<Place> {
  /** Of the keyring that named the places: what they say holds only while it is in force. */
  readonly ring: CheckStep
  readonly rows: readonly (StoredRow | undefined)[]
  readonly linkedRows: readonly (StoredRow | undefined)[]
  /** Version of the log's head, `null` for none. */
  readonly head: string | null
  /** The realm's migration of models. */
  readonly models: StoredRow | undefined
}

/** Shared by the verbs of one vault. Internal: verbs take it as their first argument. */
export class VaultContext {
  readonly #parts: VaultParts
  readonly settings: VaultSettings
  readonly ring: VaultKeys
  readonly store: VaultStore
  readonly secrets: VaultStore
  /** True when wraps lie in a store of their own. */
  readonly split: boolean
  readonly clock: Clock
  readonly realmLimit: RealmLimit
  readonly subjects: KeyedMutex
  readonly lanes: Lanes | undefined
  readonly ledger: Ledger
  readonly decoys: Decoys
  readonly gallery: Gallery | undefined
  readonly models: ModelWindow
  readonly #call: ServedCall
  /** The same without a signal: for what must end even when the caller has gone. */
  readonly unabortable: VaultContext

  constructor(parts: VaultParts, call: ServedCall = {}, base?: VaultContext) {
    const { signal } = call
    this.#parts = parts
    this.#call = call
    this.settings = parts.settings
    this.ring = signal === undefined ? parts.ring : parts.ring.within(signal)
    this.store = signal === undefined ? parts.store : abortable(parts.store, signal)
    this.secrets = signal === undefined ? parts.secrets : abortable(parts.secrets, signal)
    this.split = parts.secrets !== parts.store
    this.clock = parts.clock
    this.realmLimit = parts.realmLimit
    this.subjects = parts.subjects
    this.lanes = parts.lanes
    this.ledger = parts.ledger
    this.decoys = parts.decoys
    this.gallery = parts.gallery
    this.models = parts.models
    this.unabortable = base ?? this
  }

  /** The context of one call: whatever it waits for ends with the signal. */
  within(call: ServedCall): VaultContext {
    const { signal, actor, urgent } = call
    const plain = signal === undefined && actor === undefined && urgent !== true
    return plain ? this : new VaultContext(this.#parts, call, this)
  }

  /** The same call for templates of a model: this context, or its other one; `undefined` for a model that the vault does not have. */
  forModel(model: string): VaultContext | undefined {
    if (model === this.settings.profile.model) return this
    return this.#parts.next?.profile.model === model ? this.other : undefined
  }

  /** The same call on the other side of a vault with two models. */
  get other(): VaultContext | undefined {
    const { next } = this.#parts
    if (next === undefined) return undefined
    const parts = { ...this.#parts, settings: next, next: this.settings }
    const base = this.unabortable === this ? undefined : this.unabortable.other
    return new VaultContext(parts, this.#call, base)
  }

  /** Ends the call that this context serves. */
  get signal(): AbortSignal | undefined {
    return this.#call.signal
  }

  /** True for a call that goes on although the log is at fault. */
  get urgent(): boolean {
    return this.#call.urgent === true
  }

  get realm(): Realm {
    return this.settings.realm
  }

  now(): Instant {
    const { origin, ms } = this.clock.steady()
    return { nowMs: this.clock.nowMs(), origin, steadyMs: ms }
  }

  /** Keys that authenticate state rows; valid until the next `await`. */
  readonly stateKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.state

  /** Keys that authenticate attempts rows; valid until the next `await`. */
  readonly limiterKey: KeyForVersion = (version) => this.ring.realmKeys(version)?.limiter

  /**
   * Commits steps together with the entry that tells of them: both, or neither and nothing has happened (AUDIT-16). Resolves with
   * the entry.
   */
  async commitLogged(steps: readonly StoreStep[], event: VaultEvent): Promise<Uint8Array> {
    const { signal, actor = null } = this.#call
    if (!this.ring.isLoaded) await this.ring.load()
    const { entry } = await this.ring.journal.commit(
      this.#parts.store,
      steps,
      this.#timed(event, actor, steps),
      this.ring,
      signal === undefined ? undefined : { signal },
    )
    return entry
  }

  /** The event with all that is known of it, field by field: spread, it would cost as much as its tag. */
  #timed(event: VaultEvent, actor: string | null, steps: readonly StoreStep[]): TimedEvent {
    const { state, attempts } = rowTags(this.realm, event.handle, steps)
    return {
      actor,
      timeMs: this.clock.nowMs(),
      action: event.action,
      outcome: event.outcome,
      handle: event.handle ?? null,
      record: event.record ?? null,
      generation: event.generation ?? null,
      epoch: event.epoch ?? null,
      policy: event.policy ?? null,
      basis: event.basis ?? null,
      state: state ?? null,
      attempts: attempts ?? null,
      ring: null,
    }
  }

  /**
   * The step that makes a commit fail when the keyring is no longer the one in force now. Taken where a decision
   * begins to rest on the keyring: other calls of this process may read it anew while the decision waits.
   */
  ringStep(): CheckStep {
    return this.ring.check()
  }

  /**
   * Runs a decision until what it rests on has not changed meanwhile. A conflict leads to a new decision from fresh
   * rows, a bounded number of times and with growing pauses; then `ERR_STORE_CONFLICT` is thrown on. `reading`: what to read
   * beside the keyring; asked when the realm keys are held, and must not wait.
   */
  async decide<Result, Place extends RowPlace = never>(
    decision: (beside: Beside<Place> | undefined) => Promise<Result>,
    reading?: () => Reading<Place>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      this.signal?.throwIfAborted()
      const beside = await this.#refresh(reading)
      if (!this.ring.isLoaded) await this.ring.load()
      try {
        await this.#requireLog(beside?.head)
        if (beside === undefined) await this.readModels()
        else await this.#takeModels(beside.models)
        return await decision(beside)
      } catch (error) {
        if (!isConflict(error) || attempt >= MOST_TRIES) throw error
        this.settings.meter?.conflict()
      }
      if (attempt > 2) await pause(attempt)
    }
  }

  async #refresh<Place extends RowPlace>(
    choose: (() => Reading<Place>) | undefined,
  ): Promise<Beside<Place> | undefined> {
    if (choose === undefined || !this.ring.hasRealmKeys) {
      await this.ring.refresh()
      return undefined
    }
    const ring = this.ringStep()
    const { places, linked } = choose()
    let others: Beside<Place>['rows'] = []
    await this.ring.refreshWith(async (place) => {
      const head: RowPlace = { table: 'log', key: headKey(this.realm) }
      const [row, ...rows] = await readRows(this.store, [place, ...places, ...linked, head, modelPlace(this)])
      others = rows
      return row
    })
    return {
      ring,
      places,
      linked,
      rows: others.slice(0, places.length),
      linkedRows: others.slice(places.length, -2),
      head: others.at(-2)?.version ?? null,
      models: others.at(-1),
    }
  }

  /** Reads the realm's migration of models. */
  async readModels(): Promise<void> {
    const { table, key } = modelPlace(this)
    await this.#takeModels(await this.store.get(table, key))
  }

  /** One that is not the newest that the log knows, or was taken away, is refused (VAULT-82). Needs loaded keys. */
  async #takeModels(stored: StoredRow | undefined): Promise<void> {
    const expected = stored?.version ?? null
    if (this.models.holds(expected)) return
    const row = stored && decodeModelRow(stored.bytes, this.realm, this.stateKey)
    const tag = stored === undefined ? NO_ROW : rowTag(stored.bytes)
    const { ledger } = this
    await requireNewest(this, {
      isNewest: () =>
        ledger.isLast(MODEL_HANDLE, 'state', tag) || (tag === NO_ROW && !ledger.knows(MODEL_HANDLE)),
      check: { step: 'check', ...modelPlace(this), expected },
    })
    this.models.take(row, expected)
  }

  /**
   * Nothing is decided beside a log at fault, or on a keyring that the log knows a newer one of. `head`: of the log, as it was read with
   * the rows that decide; what was integrated until then must be known (AUDIT-21).
   */
  async #requireLog(head: string | null | undefined): Promise<void> {
    if (!this.urgent) this.ledger.requireSound()
    if (head !== undefined && !this.ledger.hasRead(head)) await this.ledger.follow()
    const isNewest = (): boolean => this.ledger.isLastRing(this.ring.rowTag)
    if (!isNewest()) await requireNewest(this, { isNewest, check: this.ringStep() })
  }
}

/**
 * Refuses a row that is not the one that the last entry about it names. The entry may be another process's, and not read yet; and
 * the row may be an old reading: then the commit leads to a new decision.
 */
export async function requireNewest(
  ctx: VaultContext,
  row: { readonly isNewest: () => boolean; readonly check: StoreStep },
): Promise<void> {
  if (row.isNewest()) return
  const { fault } = ctx.ledger.health()
  if (ctx.urgent && fault !== undefined) return
  await ctx.ledger.follow()
  if (row.isNewest()) return
  await ctx.store.commit([row.check])
  // Whoever stops matching writes over what somebody put back.
  if (ctx.urgent) return
  throw rolledBack()
}

/** The store with the signal of one call; nothing else of the call concerns a store. */
function abortable(store: VaultStore, signal: AbortSignal): VaultStore {
  const options = { signal }
  return {
    get: (table, key) => store.get(table, key, options),
    getMany: (places) => readRows(store, places, options),
    commit: (steps) => store.commit(steps, options),
    scan: (table, from) => store.scan(table, from, options),
  }
}

/** Yields to other processes; random, so that two of them do not meet again at once. */
function pause(attempt: number): Promise<void> {
  const spread = randomBytes(1)[0] as number
  return new Promise((resolve) => setTimeout(resolve, (Math.min(attempt, 20) * spread) / 256))
}
