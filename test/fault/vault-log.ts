/** Faults on the way to the log, one at a time, and whether anything succeeded that the log does not tell of (I-46). @module */

import { GuiseError, memoryStore, type Store, StoreError, type Vault } from 'guise'
import { AuditError, type LogSigner, storedLog, verifyLog } from 'guise/audit'
import { checkpointKey, headKey } from '../../src/audit/log-rows.ts'
import type { Realm } from '../../src/base/brand.ts'
import { hookedStore, overwrite, remove, rowsOf } from '../support/rows.ts'
import { basis, numbers, SIGNER, sample, testVault } from '../support/vault.ts'
import { entriesOf, memoryAnchor } from '../support/vault-log.ts'

const REALM = 'clinic' as Realm

export const FAULTS = [
  'append refused',
  'store full',
  'outcome unknown, written',
  'outcome unknown, not written',
  'signer fails',
  'signer hangs',
  'signer answers garbage',
  'anchor down',
  'anchor hangs',
  'anchor keeps garbage',
  'checkpoint replaced',
  'checkpoint removed',
  'head removed',
  'queue row deleted',
  'queue rows exchanged',
  'queue row doubled',
] as const
/** The control: what a verify writes is committed without its entry. */
export const CONTROL = 'nothing appended'
export type FaultName = (typeof FAULTS)[number] | typeof CONTROL

export interface LogTally {
  readonly injections: number
  /** Operations that were acknowledged before, during and after the faults. */
  readonly acknowledged: number
  /** Acknowledged although the log does not tell of it, or tells of it twice, and nobody finds the log at fault. */
  readonly unaudited: readonly string[]
  /** Verbs that stop matching which ended with `ERR_AUDIT_PENDING`, and whoever matched all the same. */
  readonly pending: number
  readonly matchedAfter: readonly string[]
  /** Worlds in which somebody said that the log is at fault. */
  readonly found: Readonly<Partial<Record<FaultName, number>>>
}

/** `injections` faults of every kind in turn, each in a world of its own. */
export async function injectFaults(
  injections: number,
  seed: number,
  faults: readonly FaultName[] = FAULTS,
): Promise<LogTally> {
  const found: Partial<Record<FaultName, number>> = {}
  const unaudited: string[] = []
  const matchedAfter: string[] = []
  let acknowledged = 0
  let pending = 0
  for (let number = 0; number < injections; number++) {
    const name = faults[number % faults.length] as FaultName
    const world = await LogWorld.make(numbers(seed + number))
    await world.run(name)
    const verdict = await world.judge()
    acknowledged += world.acknowledged.size
    pending += world.pending
    unaudited.push(...verdict.unaudited.map((what) => `${number}, ${name}: ${what}`))
    matchedAfter.push(...world.matchedAfter.map((what) => `${number}, ${name}: ${what}`))
    if (verdict.fault !== undefined) found[name] = (found[name] ?? 0) + 1
  }
  return { injections, acknowledged, unaudited, pending, matchedAfter, found }
}

/** Longer than the vault's own patience would make a run of hundreds: the caller gives up sooner. */
const PATIENCE_MS = 60
const never = new Promise<never>(() => undefined)

type StoppableAnchor = ReturnType<typeof memoryAnchor> & { hangs: boolean; spoilt: boolean }

/** An anchor that may also keep a caller waiting, or hold what is no checkpoint. */
function stoppableAnchor(): StoppableAnchor {
  const anchor = Object.assign(memoryAnchor(), { hangs: false, spoilt: false })
  const { advance } = anchor
  anchor.advance = async (next, options) => {
    if (anchor.spoilt) throw new AuditError('ERR_AUDIT_ANCHOR', 'the anchor does not hold a checkpoint')
    return anchor.hangs ? await never : await advance(next, options)
  }
  return anchor
}

class LogWorld {
  readonly acknowledged: Set<string> = new Set()
  readonly matchedAfter: string[] = []
  pending = 0
  readonly #random: () => number
  readonly #inner: Store
  readonly #store: ReturnType<typeof hookedStore>
  readonly #signing: { now: 'well' | 'fails' | 'hangs' | 'garbage' }
  readonly #anchor: StoppableAnchor
  readonly #made: Awaited<ReturnType<typeof testVault>>
  #number = 0

  private constructor(parts: {
    random: () => number
    inner: Store
    store: ReturnType<typeof hookedStore>
    signing: { now: 'well' | 'fails' | 'hangs' | 'garbage' }
    anchor: StoppableAnchor
    made: Awaited<ReturnType<typeof testVault>>
  }) {
    this.#random = parts.random
    this.#inner = parts.inner
    this.#store = parts.store
    this.#signing = parts.signing
    this.#anchor = parts.anchor
    this.#made = parts.made
  }

  static async make(random: () => number): Promise<LogWorld> {
    const inner = memoryStore()
    const store = hookedStore(inner)
    const signing: { now: 'well' | 'fails' | 'hangs' | 'garbage' } = { now: 'well' }
    const logSigner: LogSigner = {
      origin: SIGNER.origin,
      publicKey: SIGNER.publicKey,
      sign: async (note) => {
        if (signing.now === 'fails') throw new Error('the signer fails')
        if (signing.now === 'hangs') return await never
        const signature = await SIGNER.sign(note)
        return signing.now === 'garbage' ? signature.map((byte) => byte ^ 1) : signature
      },
    }
    const anchor = stoppableAnchor()
    const made = await testVault({ store, logSigner, anchor, attempts: { realmPerHour: 1_000_000 } })
    return new LogWorld({ random, inner, store, signing, anchor, made })
  }

  /** Work, a fault, work under it, the fault's end, work after it. */
  async run(fault: FaultName): Promise<void> {
    for (let person = 0; person < 4; person++) await this.#enroll(person)
    const before = Math.floor(4 * this.#random())
    for (let i = 0; i < before; i++) await this.#verify()
    await this.#begin(fault)
    for (const verb of ['verify', 'suspend', 'verify', 'revoke', 'verify', 'enroll'] as const) {
      if (verb === 'verify') await this.#verify()
      else if (verb === 'enroll') await this.#enroll(5)
      else await this.#stop(verb, verb === 'suspend' ? 0 : 1)
    }
    this.#store.fault = {}
    this.#signing.now = 'well'
    this.#anchor.down = false
    this.#anchor.hangs = false
    this.#anchor.spoilt = false
    for (let i = 0; i < 3; i++) await this.#verify()
  }

  /** What the log says in the end, and whether anybody finds fault with it. */
  async judge(): Promise<{ readonly unaudited: readonly string[]; readonly fault: string | undefined }> {
    const { fault, entries } = await this.#read()
    const told = new Map<string, number>()
    for (const actor of entries) told.set(actor, (told.get(actor) ?? 0) + 1)
    const unaudited = [...this.acknowledged].filter((name) => told.get(name) !== 1)
    return {
      unaudited: fault === undefined ? unaudited.map((name) => `${name}: ${told.get(name) ?? 0}`) : [],
      fault,
    }
  }

  /** Closes the vault, opens it again as after a crash, and verifies an export. */
  async #read(): Promise<{ readonly fault: string | undefined; readonly entries: readonly string[] }> {
    const { vault } = this.#made
    const healthy = await within(vault.health(), 2000)
    const health = healthy === undefined || healthy.log ? undefined : 'health'
    try {
      await within(vault.close(), PATIENCE_MS)
      const next = await this.#made.open({ anchor: this.#anchor, logSigner: SIGNER })
      await next.close()
      const log = storedLog(this.#inner, REALM)
      await verifyLog(log.export(), { logKey: SIGNER.verifierKey, anchor: this.#anchor })
      const entries = await entriesOf(this.#inner)
      return { fault: health, entries: entries.map(({ actor }) => actor ?? '') }
    } catch (error) {
      if (!(error instanceof GuiseError)) throw error
      return { fault: error.code, entries: [] }
    }
  }

  async #enroll(person: number): Promise<void> {
    await this.#told((vault, options) =>
      vault.enroll({ subject: `p${person}`, basis: basis(), ...sample(person) }, options),
    )
  }

  async #verify(): Promise<void> {
    const person = Math.floor(4 * this.#random())
    const face = this.#random() < 0.3 ? 50 : person
    await this.#told((vault, options) => vault.verify({ subject: `p${person}`, ...sample(face, 1) }, options))
  }

  /** Whatever it says: unless it says that nothing happened, nobody matches any more. */
  async #stop(verb: 'suspend' | 'revoke', person: number): Promise<void> {
    const subject = `p${person}`
    const code = await this.#told((vault, options) =>
      verb === 'suspend' ? vault.suspend(subject, options) : vault.revoke(subject, 'withdrawn', options),
    )
    if (code === 'ERR_AUDIT_PENDING') this.pending++
    if (code !== 'resolved' && code !== 'ERR_AUDIT_PENDING') return
    await this.#told(async (vault, options) => {
      const { outcome } = await vault.verify({ subject, ...sample(person, 2) }, options)
      if (outcome === 'match') this.matchedAfter.push(`${subject} after ${verb}, ${code}`)
    })
  }

  /** One operation under a name of its own, which its entry gives as the actor. */
  async #told(
    task: (vault: Vault, options: { actor: string; signal: AbortSignal }) => Promise<unknown>,
  ): Promise<string> {
    const actor = `op-${this.#number++}`
    try {
      await task(this.#made.vault, { actor, signal: AbortSignal.timeout(PATIENCE_MS) })
      this.acknowledged.add(actor)
      return 'resolved'
    } catch (error) {
      if (error instanceof GuiseError) return error.code
      if (error instanceof DOMException) return 'gave up'
      throw error
    }
  }

  async #begin(fault: FaultName): Promise<void> {
    if (fault.startsWith('signer')) this.#signing.now = fault.split(' ')[1] as 'fails'
    if (fault === 'signer answers garbage') this.#signing.now = 'garbage'
    if (fault === 'anchor down') this.#anchor.down = true
    if (fault === 'anchor hangs') this.#anchor.hangs = true
    if (fault === 'anchor keeps garbage') this.#anchor.spoilt = true
    if (fault === 'append refused') this.#failAppends('ERR_STORE_FAILED', false)
    if (fault === 'store full') this.#failAppends('ERR_STORE_FULL', false)
    if (fault === 'outcome unknown, written') this.#failAppends('ERR_STORE_INDETERMINATE', true)
    if (fault === 'outcome unknown, not written') this.#failAppends('ERR_STORE_INDETERMINATE', false)
    if (fault.startsWith('checkpoint')) await this.#spoilLog(checkpointKey(REALM), fault.endsWith('removed'))
    if (fault === 'head removed') await this.#spoilLog(headKey(REALM), true)
    if (fault.startsWith('queue')) await this.#spoilQueue(fault)
    if (fault === CONTROL) this.#appendNothing()
  }

  /** From the next append on, up to three of them fail. */
  #failAppends(
    code: 'ERR_STORE_FAILED' | 'ERR_STORE_FULL' | 'ERR_STORE_INDETERMINATE',
    written: boolean,
  ): void {
    let times = 1 + Math.floor(3 * this.#random())
    const fail = (call: { readonly steps: readonly { readonly step: string }[] }): void => {
      if (!call.steps.some(({ step }) => step === 'append') || times-- <= 0) return
      throw new StoreError(code, 'planted')
    }
    this.#store.fault = written ? { after: fail } : { before: fail }
  }

  /** Rows are left out of it: what the log says of them would give the lie away. */
  #appendNothing(): void {
    const commit: Store['commit'] = (steps, options) => this.#inner.commit(steps, options)
    this.#store.commit = async (steps, options) => {
      if (steps.some(({ step }) => step === 'put' || step === 'delete')) return await commit(steps, options)
      const rest = steps.filter(({ step }) => step !== 'append')
      const versions = await commit(rest, options)
      return rest.length === steps.length ? versions : [...versions, 'appended']
    }
  }

  async #spoilLog(key: Uint8Array, gone: boolean): Promise<void> {
    const row = await this.#inner.get('log', key)
    if (gone) await remove(this.#inner, 'log', key)
    else
      await overwrite(
        this.#inner,
        'log',
        key,
        this.#random() < 0.5 ? new Uint8Array(90) : (row?.bytes.subarray(9) ?? new Uint8Array(9)),
      )
  }

  /** The queue as an insider leaves it who cannot write entries, but rows. */
  async #spoilQueue(fault: FaultName): Promise<void> {
    await this.#verify()
    await this.#verify()
    const rows = await rowsOf(this.#inner, 'queue')
    const last = rows.at(-1)
    if (last === undefined) return
    const append = (bytes: Uint8Array) => this.#inner.commit([{ step: 'append', table: 'queue', bytes }])
    if (fault === 'queue row doubled') {
      await append(last.bytes)
      return
    }
    const gone = fault === 'queue row deleted' ? [last] : rows.slice(-2)
    for (const { key } of gone) await remove(this.#inner, 'queue', key)
    if (fault === 'queue rows exchanged') for (const { bytes } of [...gone].reverse()) await append(bytes)
  }
}

/** The result, or `undefined` when it takes too long. */
async function within<Result>(promise: Promise<Result>, ms: number): Promise<Result | undefined> {
  promise.catch(() => undefined)
  return await Promise.race([
    promise,
    new Promise<undefined>((resolve) => setTimeout(resolve, ms, undefined)),
  ])
}
