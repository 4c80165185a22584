/** A vault over a store that lies about one row, and worlds whose rows are of every kind. @module */
import {
  createKeyring,
  memoryStore,
  openVault,
  type ShareSource,
  type Store,
  type StoredRow,
  type Table,
  type Vault,
} from 'guise'
import { holderShare } from 'guise/holder'
import { toHex } from '../../src/base/bytes.ts'
import { allowHighFalseMatchRate, revealReason } from '../../src/vault/symbols.ts'
import { onlyRow, typedCode } from './rows.ts'
import { basis, MODEL, memoryProvider, PURPOSE, point, SIGNER, sample } from './vault.ts'

export interface Lie {
  readonly table: Table
  readonly key: Uint8Array
  /** `undefined`: the row is missing. */
  readonly bytes: Uint8Array | undefined
}

/** A store that shows one row otherwise than it is, and counts what is written through it. */
export function lyingStore(inner: Store): Store & { lie: Lie | undefined; writes: number } {
  let lies = 0
  const store: Store & { lie: Lie | undefined; writes: number } = {
    lie: undefined,
    writes: 0,
    durable: inner.durable,
    get: async (table, key, options) => {
      const row = await inner.get(table, key, options)
      const { lie } = store
      if (lie === undefined || lie.table !== table || toHex(lie.key) !== toHex(key)) return row
      if (lie.bytes === undefined || row === undefined) return undefined
      // The ring is read anew when its version differs; every other row is read each time.
      const version = table === 'keyrings' ? `${row.version}-${++lies}` : row.version
      return { key: row.key, bytes: new Uint8Array(lie.bytes), version }
    },
    commit: async (steps, options) => {
      // The realm's counters and the log are written by timers, whatever is asked meanwhile.
      if (steps.some((step) => step.step !== 'check' && 'key' in step && !isLate(step))) store.writes++
      return inner.commit(steps, options)
    },
    scan: (table, from, options) => inner.scan(table, from, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  }
  return store
}

function isLate({ table, key }: { readonly table: Table; readonly key: Uint8Array }): boolean {
  return table === 'log' || table === 'queue' || toHex(key).includes('ff'.repeat(16))
}

export interface World {
  readonly vault: Vault
  readonly store: ReturnType<typeof lyingStore>
  readonly rows: ReadonlyMap<Table, StoredRow>
  /** Asks for a comparison that would match. */
  ask(): Promise<unknown>
}

const KINDS: readonly Table[] = ['references', 'secrets', 'states', 'attempts', 'index', 'keyrings']
const deviceSecret = new Uint8Array(32).fill(5)
const shares = new Map<string, Uint8Array>()
/** A device that remembers what it derived: a vault wipes what it is given. */
const device: ShareSource = async (context) => {
  const name = `${context.record} ${toHex(context.generation)}`
  const share = shares.get(name) ?? Uint8Array.from(holderShare(deviceSecret, context))
  shares.set(name, share)
  return Uint8Array.from(share)
}

/** A vault with one subject; worlds of different seeds differ in custody, history and lengths. */
export async function world(seed: number): Promise<World> {
  const store = lyingStore(memoryStore())
  const realm = 'r'.repeat(1 + (seed % 20))
  const keyring = await createKeyring({ realm, provider: memoryProvider(), store })
  const holder = seed % 3 === 2 ? { holderShare: device } : {}
  const vault = await openVault({
    keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point()],
    logSigner: SIGNER,
    custody: { profile: seed % 3 === 2 ? 'holder' : 'operator' },
    [revealReason]: true,
    [allowHighFalseMatchRate]: true,
  })
  const subject = `subject-${seed}`
  const ask = (): Promise<unknown> => vault.verify({ subject, ...holder, ...sample(seed, 1) })
  await vault.enroll({ subject, basis: basis(), ...holder, ...sample(seed) }, { operationId: 'enroll' })
  if (seed % 3 === 1) {
    await vault.verify({ subject, ...sample(seed + 1000) }, { operationId: 'wrong' })
    const epoch = await keyring.add()
    await keyring.promote(epoch)
    for await (const result of vault.rotate()) if (!result.ok) throw result.error
    await vault.suspend(subject, { operationId: 'pause' })
    await vault.resume(subject)
  }
  const rows = new Map<Table, StoredRow>()
  for (const table of KINDS) rows.set(table, await onlyRow(store, table))
  return { vault, store, rows, ask }
}

/** What the vault says when one row reads otherwise; fails when anything was written. */
export async function tell({ store, ask }: World, lie: Lie): Promise<string> {
  const before = store.writes
  store.lie = lie
  try {
    const code = await typedCode(ask())
    if (store.writes !== before) throw new Error('a refused call wrote something')
    return code
  } finally {
    store.lie = undefined
  }
}

/** Codes that a damaged row may lead to: all of them typed, none of them a decision. */
export const REFUSED: RegExp = /^ERR_(RECORD|SEAL|KEYS)_[A-Z_]+$/

/** Every bit flipped and every length cut off; gives how many alterations were tried. */
export async function damageEverywhere(made: World, table: Table): Promise<number> {
  const row = made.rows.get(table) as StoredRow
  const { key } = row
  let tried = 0
  const one = async (bytes: Uint8Array, what: string): Promise<void> => {
    const code = await tell(made, { table, key, bytes })
    if (!REFUSED.test(code)) throw new Error(`${table}: ${what} gave ${code}`)
    tried++
  }
  for (let bit = 0; bit < 8 * row.bytes.length; bit++) {
    const bytes = Uint8Array.from(row.bytes)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    await one(bytes, `bit ${bit}`)
  }
  for (let length = 0; length < row.bytes.length; length++)
    await one(row.bytes.subarray(0, length), `${length} bytes`)
  return tried
}
