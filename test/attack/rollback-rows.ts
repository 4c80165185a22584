/** One old row put back by hand at a random moment, and the row of a commit that was refused (I-22). @module */
import { memoryStore, openKeyring, type Store, StoreError, type Vault } from 'guise'
import { toHex } from '../../src/base/bytes.ts'
import { hookedStore, overwrite, rowsOf } from '../support/rows.ts'
import { codeOf, numbers, sample, type TestVault, testVault } from '../support/vault.ts'
import { type Person, people, perform, pick, rotate } from './rollback.ts'

const KINDS = ['states', 'attempts', 'keyrings'] as const
type Kind = (typeof KINDS)[number]

export interface RowTally {
  readonly trials: number
  readonly byKind: Readonly<Record<Kind, number>>
  /** Trials with the row of a commit that was refused. */
  readonly unwritten: number
  /** What each refusal said. */
  readonly codes: ReadonlyMap<string, number>
  /** Old rows that a vault answered upon. */
  readonly missed: readonly string[]
  /** Old rows that another vault answered upon, because it had not read yet what came after them, and refused within a second. */
  readonly late: number
}

interface OldRow {
  readonly table: Kind
  readonly key: Uint8Array
  readonly bytes: Uint8Array
  readonly unwritten: boolean
}

const TRIALS_EACH = 40

/** `trials` rows put back, each of them asked about in three vaults: the one at work, another one, and one opened then. */
export async function putRowsBack(trials: number, seed: number, patient = true): Promise<RowTally> {
  const tally = {
    trials: 0,
    byKind: { states: 0, attempts: 0, keyrings: 0 },
    unwritten: 0,
    codes: new Map<string, number>(),
    missed: [] as string[],
    late: 0,
  }
  for (let round = 0; tally.trials < trials; round++) {
    const random = numbers(seed + round)
    const history = await RowHistory.start(random, patient)
    const most = Math.min(trials, tally.trials + TRIALS_EACH)
    while (tally.trials < most) {
      await history.step()
      const found = await history.choose()
      if (found === undefined) continue
      tally.trials++
      tally.byKind[found.row.table]++
      if (found.row.unwritten) tally.unwritten++
      for (const [where, code] of await history.putBack(found.row, found.person)) {
        tally.codes.set(code, (tally.codes.get(code) ?? 0) + 1)
        if (where === LATE) tally.late++
        if (!REFUSED.test(code)) tally.missed.push(`${found.row.table}, ${where}: ${code}`)
      }
    }
    await history.close()
  }
  return tally
}

/** What an old row must lead to: the log's word for it, or that of a neighbour that the row does not fit to. */
const REFUSED = /^ERR_(AUDIT_ROLLBACK|KEYS_[A-Z_]+|RECORD_[A-Z]+)$/
const LATE = 'another, a second later'
/** As often, and a little more, the log is read in any case. */
const READ_MS = 1200

class RowHistory {
  readonly #random: () => number
  /** Gives a vault that has not read the newest entries yet the time to do so. */
  readonly #patient: boolean
  readonly #inner: Store
  readonly #store: ReturnType<typeof hookedStore>
  readonly #made: TestVault
  readonly #other: Vault
  readonly #known: readonly Person[] = people(4)
  /** Every version of every row that the living have, by subject. */
  readonly #old: Map<string, OldRow[]> = new Map()
  readonly #seen: Set<string> = new Set()

  private constructor(
    random: () => number,
    patient: boolean,
    parts: { inner: Store; store: ReturnType<typeof hookedStore>; made: TestVault; other: Vault },
  ) {
    this.#random = random
    this.#patient = patient
    this.#inner = parts.inner
    this.#store = parts.store
    this.#made = parts.made
    this.#other = parts.other
  }

  static async start(random: () => number, patient: boolean): Promise<RowHistory> {
    const inner = memoryStore()
    const store = hookedStore(inner)
    const made = await testVault({ store, attempts: { realmPerHour: 1_000_000 } })
    const history = new RowHistory(random, patient, {
      inner,
      store,
      made,
      other: await openAnother(made, store),
    })
    await history.#remember('ring')
    return history
  }

  async close(): Promise<void> {
    await this.#other.close()
    await this.#made.vault.close()
  }

  /** One verb; one in six is refused by the store when it would write, and its rows are kept all the same. */
  async step(): Promise<void> {
    const random = this.#random
    if (random() < 0.06) {
      await rotate(this.#made)
      await this.#remember('ring')
    }
    const person = pick(this.#known, random)
    if (random() < 1 / 6) await this.#refused(person)
    const verb = await perform(this.#made.vault, person, random)
    if (verb === 'erase') this.#old.delete(person.name)
    else await this.#remember(person.name)
  }

  async #refused(person: Person): Promise<void> {
    const rows = this.#old.get(person.name)
    const before = { ...person }
    let times = 1
    this.#store.fault = {
      before: ({ steps }) => {
        const puts = steps.filter((step) => step.step === 'put')
        const own = puts.filter(({ key }) => rows?.some((row) => toHex(row.key) === toHex(key)))
        if (own.length === 0 || times-- <= 0) return
        for (const { table, key, bytes } of own) {
          rows?.push({ table: table as Kind, key, bytes: Uint8Array.from(bytes), unwritten: true })
        }
        throw new StoreError('ERR_STORE_FULL', 'planted')
      },
    }
    const code = await codeOf(perform(this.#made.vault, person, this.#random))
    this.#store.fault = {}
    if (code !== 'resolved') Object.assign(person, before)
    if (code === 'resolved' && person.status === 'none') this.#old.delete(person.name)
    else await this.#remember(person.name)
  }

  /** Keeps what a verb wrote. */
  async #remember(owner: string): Promise<void> {
    for (const table of KINDS) {
      if ((table === 'keyrings') !== (owner === 'ring')) continue
      for (const { key, bytes } of await rowsOf(this.#inner, table)) {
        const name = `${table} ${toHex(key)} ${toHex(bytes)}`
        if (this.#seen.has(name) || toHex(key).includes(COUNTER)) continue
        this.#seen.add(name)
        const rows = this.#old.get(owner) ?? []
        rows.push({ table, key, bytes, unwritten: false })
        this.#old.set(owner, rows)
      }
    }
  }

  /** Somebody, and a row that the next verify of them reads, as it is not now. */
  async choose(): Promise<{ readonly row: OldRow; readonly person: Person } | undefined> {
    const person = pick(this.#known, this.#random)
    if (person.status === 'none') return undefined
    const kind = pick(KINDS, this.#random)
    // Whoever cannot match is refused before anything else is read.
    if (kind !== 'states' && person.status !== 'active') return undefined
    const rows = this.#old.get(kind === 'keyrings' ? 'ring' : person.name) ?? []
    const old: OldRow[] = []
    for (const row of rows.filter(({ table }) => table === kind)) {
      const now = await this.#inner.get(kind, row.key)
      if (now !== undefined && toHex(now.bytes) !== toHex(row.bytes)) old.push(row)
    }
    const unwritten = old.filter((row) => row.unwritten)
    const from = unwritten.length > 0 && this.#random() < 0.5 ? unwritten : old
    return from.length === 0 ? undefined : { row: pick(from, this.#random), person }
  }

  /** Puts a row back, asks everywhere, and undoes it. */
  async putBack(row: OldRow, person: Person): Promise<ReadonlyMap<string, string>> {
    const codes = new Map<string, string>()
    const now = await this.#inner.get(row.table, row.key)
    if (now === undefined) throw new Error('the row has gone')
    const ask = (vault: Vault): Promise<string> =>
      codeOf(vault.verify({ subject: person.name, ...sample(person.face, 2) }))
    await overwrite(this.#inner, row.table, row.key, row.bytes)
    codes.set('at work', await ask(this.#made.vault))
    const first = await ask(this.#other)
    if (first === 'resolved' && this.#patient) {
      await new Promise((resolve) => setTimeout(resolve, READ_MS))
      codes.set(LATE, await ask(this.#other))
    } else codes.set('another', first)
    const opening = openAnother(this.#made, this.#store)
    const opened = await codeOf(opening)
    codes.set('opened then', opened === 'resolved' ? await ask(await opening) : opened)
    if (opened === 'resolved') await (await opening).close()
    await overwrite(this.#inner, row.table, row.key, now.bytes)
    for (const vault of [this.#made.vault, this.#other]) {
      const code = await ask(vault)
      if (code !== 'resolved') codes.set('afterwards', `is not answered with the right row: ${code}`)
    }
    await this.#remember(person.name)
    return codes
  }
}

/** In the keys of the realm's counters. */
const COUNTER = 'ff'.repeat(16)

/** A vault with a keyring and a log of its own, as another process has it. */
async function openAnother(made: TestVault, store: Store): Promise<Vault> {
  const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
  return await made.open({ store, keyring })
}
