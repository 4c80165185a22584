/** Stores with one fault each, for proving that the conformance suite sees it. @module */

import { memoryStore } from '../../src/store/memory.ts'
import { placeKey } from '../../src/store/steps.ts'
import type { Store, StoredRow, StoreStep, Table } from '../../src/store/store.ts'

/** Passes everything on to a memory store; a fault overrides one method. */
class Wrapper implements Store {
  readonly durable = false
  readonly inner: Store = memoryStore()

  async get(...args: Parameters<Store['get']>): Promise<StoredRow | undefined> {
    return this.inner.get(...args)
  }
  async commit(...args: Parameters<Store['commit']>): Promise<readonly string[]> {
    return this.inner.commit(...args)
  }
  scan(...args: Parameters<Store['scan']>): AsyncIterable<StoredRow> {
    return this.inner.scan(...args)
  }
  async close(): Promise<void> {
    await this.inner.close()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Replaces what a step expects by what is there. */
async function asItIs(store: Store, step: StoreStep): Promise<StoreStep> {
  if (step.step === 'append' || step.step === 'delete') return step
  return { ...step, expected: (await store.get(step.table, step.key))?.version ?? null }
}

/** The last writer wins, as in a store without compare-and-set. */
class LostUpdate extends Wrapper {
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    const owned = structuredClone(steps)
    for (let attempt = 0; ; attempt++) {
      try {
        const eased = attempt === 0 ? owned : await Promise.all(owned.map((step) => asItIs(this.inner, step)))
        return await this.inner.commit(eased, options)
      } catch (error) {
        const again = (error as { code?: string }).code === 'ERR_STORE_CONFLICT' && attempt < 100
        if (!again || !owned.every((step) => step.step === 'put')) throw error
      }
    }
  }
}

class IgnoredCheck extends Wrapper {
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    const owned = structuredClone(steps)
    const eased = owned.map((step) =>
      step?.step === 'check' ? asItIs(this.inner, step) : Promise.resolve(step),
    )
    return this.inner.commit(await Promise.all(eased), options)
  }
}

class NotAtomic extends Wrapper {
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    await this.inner.commit([], options)
    if (!Array.isArray(steps) || steps.length > 4096) return this.inner.commit(steps)
    const versions: string[] = []
    for (const step of structuredClone(steps) as StoreStep[])
      versions.push(...(await this.inner.commit([step])))
    return versions
  }
}

/** Versions count from one for every life of a row, so that they come back after a deletion. */
class ReturningVersions extends Wrapper {
  readonly #shown = new Map<string, { real: string; shown: string }>()

  override async get(...args: Parameters<Store['get']>): Promise<StoredRow | undefined> {
    const row = await this.inner.get(...args)
    return row && { ...row, version: this.#shown.get(rowName(args[0], row.key))?.shown ?? row.version }
  }
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    if (!Array.isArray(steps)) return this.inner.commit(steps, options)
    const owned = structuredClone(steps) as StoreStep[]
    const versions = await this.inner.commit(
      owned.map((step) => this.#real(step)),
      options,
    )
    return owned.map((step, i) => this.#remember(step, versions[i] ?? ''))
  }
  #real(step: StoreStep): StoreStep {
    if (step === null || step === undefined || step.step === 'append' || typeof step.expected !== 'string')
      return step
    const known = this.#shown.get(rowName(step.table, step.key))
    return { ...step, expected: known?.shown === step.expected ? known.real : 'another' }
  }
  #remember(step: StoreStep, real: string): string {
    if (step.step === 'append' || step.step === 'check') return real
    const name = rowName(step.table, step.key)
    const shown = String(Number(this.#shown.get(name)?.shown ?? 0) + 1)
    if (step.step === 'delete') this.#shown.delete(name)
    else this.#shown.set(name, { real, shown })
    return step.step === 'delete' ? '' : shown
  }
}

class EarlyAnswer extends Wrapper {
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    const inner = this.inner
    // Refusals are told in time; only the writing comes late.
    const probe = memoryStore()
    await probe.commit(steps, options).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'ERR_STORE_CONFLICT') throw error
    })
    const owned = structuredClone(steps)
    setTimeout(() => void inner.commit(owned).catch(() => undefined), 5)
    return owned.map(() => '1')
  }
}

class ScanOutOfOrder extends Wrapper {
  override async *scan(...args: Parameters<Store['scan']>): AsyncGenerator<StoredRow> {
    const rows: StoredRow[] = []
    for await (const row of this.inner.scan(...args)) rows.push(row)
    yield* rows.reverse()
  }
}

/** Orders keys as texts of UTF-16 do, by signed byte: right for ASCII, wrong from 0x80 on. */
class ScanSignedBytes extends Wrapper {
  override async *scan(...args: Parameters<Store['scan']>): AsyncGenerator<StoredRow> {
    const rows: StoredRow[] = []
    for await (const row of this.inner.scan(...args)) rows.push(row)
    const signed = (row: StoredRow): Int8Array => new Int8Array(row.key)
    yield* rows.sort((a, b) => (signed(a)[0] ?? 0) - (signed(b)[0] ?? 0))
  }
}

class ScanForgetsBetweenPages extends Wrapper {
  override async *scan(...args: Parameters<Store['scan']>): AsyncGenerator<StoredRow> {
    let count = 0
    for await (const row of this.inner.scan(...args)) if (++count % 257 !== 0) yield row
  }
}

class ScanFromExclusive extends Wrapper {
  override async *scan(...[table, from, options]: Parameters<Store['scan']>): AsyncGenerator<StoredRow> {
    for await (const row of this.inner.scan(table, from, options)) {
      if (Buffer.compare(row.key, from) !== 0) yield row
    }
  }
}

class SharedBuffers extends Wrapper {
  readonly #rows = new Map<string, StoredRow>()
  override async get(...args: Parameters<Store['get']>): Promise<StoredRow | undefined> {
    const row = await this.inner.get(...args)
    if (row === undefined) return undefined
    const name = `${rowName(args[0], row.key)}/${row.version}`
    if (!this.#rows.has(name)) this.#rows.set(name, row)
    return this.#rows.get(name)
  }
}

class LateCopy extends Wrapper {
  override async commit(...args: Parameters<Store['commit']>): Promise<readonly string[]> {
    await Promise.resolve()
    return this.inner.commit(...args)
  }
}

class NoBounds extends Wrapper {
  override async commit(...[steps, options]: Parameters<Store['commit']>): Promise<readonly string[]> {
    if (!Array.isArray(steps) || steps.length <= 4096) return this.inner.commit(steps, options)
    const owned = structuredClone(steps) as StoreStep[]
    return [
      ...(await this.inner.commit(owned.slice(0, 4096))),
      ...(await this.inner.commit(owned.slice(4096))),
    ]
  }
}

class DeafToAbort extends Wrapper {
  override async commit(steps: readonly StoreStep[]): Promise<readonly string[]> {
    return this.inner.commit(steps)
  }
}

class OpenAfterClose extends Wrapper {
  override async close(): Promise<void> {
    await Promise.resolve()
  }
}

function rowName(table: Table, key: Uint8Array): string {
  return `${table}/${Buffer.from(key).toString('hex')}`
}

/** A store without a fault, in the same wrapping. */
export const soundStore = async (): Promise<Store> => new Wrapper()

/** Reads one row after the other, while others write. */
class ReadingInParts extends Wrapper {
  async getMany(
    ...[places, options]: Parameters<NonNullable<Store['getMany']>>
  ): Promise<readonly (StoredRow | undefined)[]> {
    const rows: (StoredRow | undefined)[] = []
    for (const { table, key } of places) {
      rows.push(await this.inner.get(table, placeKey({ parts: [key].flat() }, rows), options))
      await new Promise((resolve) => setTimeout(resolve, 0))
    }
    return rows
  }
  override async commit(...args: Parameters<Store['commit']>): Promise<readonly string[]> {
    await new Promise((resolve) => setTimeout(resolve, 0))
    return this.inner.commit(...args)
  }
}

/** Gives nothing for what a missing row would have named, instead of what lies under zeros. */
class FollowsNothing extends Wrapper {
  async getMany(
    ...[places, options]: Parameters<NonNullable<Store['getMany']>>
  ): Promise<readonly (StoredRow | undefined)[]> {
    const rows = (await this.inner.getMany?.(places, options)) ?? []
    return rows.map((row, i) => {
      const parts = [places[i]?.key].flat() as readonly { readonly row?: number }[]
      const lost = parts.some((part) => part.row !== undefined && rows[part.row] === undefined)
      return lost ? undefined : row
    })
  }
}

/** The fault, in words that fit behind "the suite catches"; the check that must see it; the store that has it. */
export const brokenStores: readonly (readonly [fault: string, check: string, make: () => Promise<Store>])[] =
  [
    [
      'a lost update',
      'no update is lost between concurrent read-and-write loops',
      async () => new LostUpdate(),
    ],
    ['an ignored check', 'put, check and delete demand the expected version', async () => new IgnoredCheck()],
    [
      'a commit that is not atomic',
      'a refused commit leaves nothing, wherever the refused step stands',
      async () => new NotAtomic(),
    ],
    [
      'a version that comes back',
      'a version never comes back for a key, not after deletion either',
      async () => new ReturningVersions(),
    ],
    [
      'an answer before the write',
      'a commit is seen by the next get, with the version it returned',
      async () => new EarlyAnswer(),
    ],
    [
      'a scan out of order',
      'a scan of many rows misses none and doubles none',
      async () => new ScanOutOfOrder(),
    ],
    [
      'a scan in the order of signed bytes',
      'a scan yields every row with key ≥ from, in ascending byte order',
      async () => new ScanSignedBytes(),
    ],
    [
      'a scan that forgets a row between pages',
      'a scan of many rows misses none and doubles none',
      async () => new ScanForgetsBetweenPages(),
    ],
    [
      'a scan that leaves out its start',
      'a scan yields every row with key ≥ from, in ascending byte order',
      async () => new ScanFromExclusive(),
    ],
    [
      'a reading of several instants',
      'getMany shows one instant, beside commits',
      async () => new ReadingInParts(),
    ],
    [
      'a reading that stops where a row is missing',
      'getMany follows what a row says of the next one’s place',
      async () => new FollowsNothing(),
    ],
    ['a row that its reader can change', 'what is returned is a copy', async () => new SharedBuffers()],
    ['arguments copied too late', 'what is committed is copied at the call', async () => new LateCopy()],
    [
      'missing bounds',
      'what is out of bounds is refused with ERR_STORE_INPUT before anything happens',
      async () => new NoBounds(),
    ],
    [
      'deafness to an abort',
      'an aborted call rejects with the reason of its signal and writes nothing',
      async () => new DeafToAbort(),
    ],
    [
      'life after close',
      'after close every call rejects with ERR_STORE_CLOSED, and close may be called again',
      async () => new OpenAfterClose(),
    ],
  ]
