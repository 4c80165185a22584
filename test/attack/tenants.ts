/** Five realms with people of the same names in one database, each under the vault's role; who touched what is the server's word (I-58). @module */

import type { Store } from 'guise'
import { storedLog } from 'guise/audit'
import { vaultStatus } from 'guise/node'
import { migratePostgres, postgresRoles, postgresStore } from 'guise/postgres'
import type { Pool } from 'pg'
import { fromHex, toHex } from '../../src/base/bytes.ts'
import { TABLES } from '../../src/store/store.ts'
import { freshSchema, poolOf } from '../support/postgres.ts'
import { recordingPool, type Sent } from '../support/postgres-pools.ts'
import { numbers, sample, type TestVault, testVault } from '../support/vault.ts'
import { type Person, people, perform, pick, rotate } from './rollback.ts'

/** Names that begin alike, and one that sorts before and one after all others. */
const REALMS = ['a', 'clinic', 'clinic-2', 'clinic.b', 'z'] as const
const PEOPLE = 4
const FACES_EACH = 1000
const CONNECTIONS = 3
/** Steps after which counts, health and export of every realm are looked at. */
const LOOK_EACH = 100

export interface TenantTally {
  readonly steps: number
  /** Keys in statements of the five handles. */
  readonly keysAsked: number
  /** Rows that were written, as the server's triggers saw it. */
  readonly rowsWritten: number
  /** Answers that were held against the model of a realm. */
  readonly answers: number
  /** What touched another realm, or told of it. */
  readonly violations: readonly string[]
}

interface Tenant {
  readonly realm: string
  readonly store: Store
  readonly pool: Pool
  readonly sent: Sent[]
  readonly made: TestVault
  readonly known: readonly Person[]
}

/** `leaky`: the control, in which the second realm's handle now and then looks for a row of the third, or writes it. */
export async function tenantModel(
  url: string,
  options: { readonly steps: number; readonly seed: number; readonly leaky?: 'reads' | 'writes' },
): Promise<TenantTally> {
  const random = numbers(options.seed)
  const admin = poolOf(url, 2)
  const schema = freshSchema()
  await migratePostgres(admin, { schema })
  await admin.query(postgresRoles({ schema }))
  await watchRows(admin, schema)
  const tenants: Tenant[] = []
  for (const [i, realm] of REALMS.entries()) {
    tenants.push(await openTenant({ url, schema, realm, first: FACES_EACH * i }))
  }
  const tally = { steps: 0, keysAsked: 0, rowsWritten: 0, answers: 0, violations: [] as string[] }
  try {
    for (; tally.steps < options.steps; tally.steps++) {
      const tenant = pick(tenants, random)
      const person = pick(tenant.known, random)
      if (random() < 0.01) await rotate(tenant.made)
      else await perform(tenant.made.vault, person, random)
      if (options.leaky !== undefined && tally.steps % 20 === 10) await leak(tenants, options.leaky)
      await hold(tally, tenants, random)
      if (tally.steps % LOOK_EACH === LOOK_EACH - 1) await look(tally, tenants)
    }
    for (const { made } of tenants) await made.vault.close()
    for (const tenant of tenants) judgeSent(tally, tenant)
    await judgeRows(tally, admin, schema)
    return tally
  } finally {
    for (const { made, store, pool } of tenants) {
      await made.vault.close()
      await store.close()
      await pool.end()
    }
    await admin.end()
  }
}

/** A session's name is that of its realm, and its role may do what a vault needs and nothing else. */
async function openTenant(options: {
  readonly url: string
  readonly schema: string
  readonly realm: string
  readonly first: number
}): Promise<Tenant> {
  const { url, schema, realm, first } = options
  const settings = encodeURIComponent(`-c role=${schema}_vault`)
  const pool = poolOf(`${url}?application_name=${realm}&options=${settings}`, CONNECTIONS)
  const sent: Sent[] = []
  const store = await postgresStore({ pool: recordingPool(pool, sent), schema })
  const made = await testVault({ store, realm, attempts: { realmPerHour: 1_000_000 } })
  const known = people(PEOPLE).map((person) => ({ ...person, face: first + person.face }))
  return { realm, store, pool, sent, made, known }
}

/** Writes down which session changed which row. */
async function watchRows(admin: Pool, schema: string): Promise<void> {
  await admin.query(`
    CREATE TABLE ${schema}.trail (
      place bigint GENERATED ALWAYS AS IDENTITY, who text, tables text, what text, key bytea, bytes bytea
    );
    CREATE FUNCTION ${schema}.watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
      changed jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
    BEGIN
      INSERT INTO ${schema}.trail (who, tables, what, key, bytes) VALUES (
        current_setting('application_name'), TG_TABLE_NAME, TG_OP,
        (changed ->> 'key')::bytea, (changed ->> 'bytes')::bytea
      );
      RETURN NULL;
    END $$;
    ${[...TABLES, 'queue_pending']
      .map(
        (table) => `CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON ${schema}."${table}"
        FOR EACH ROW EXECUTE FUNCTION ${schema}.watch();`,
      )
      .join('\n')}`)
}

/** Asks one realm about a person whose name others have too, with the face of its own and with that of another. */
async function hold(
  tally: { answers: number; violations: string[] },
  tenants: readonly Tenant[],
  random: () => number,
): Promise<void> {
  const tenant = pick(tenants, random)
  const other = pick(tenants, random)
  const person = pick(tenant.known, random)
  const twin = other.known.find(({ name }) => name === person.name) as Person
  const { vault } = tenant.made
  const state = (await vault.describe(person.name))?.state ?? 'none'
  const { outcome } = await vault.verify({ subject: person.name, ...sample(twin.face, 3) })
  tally.answers += 2
  if (state !== person.status) tally.violations.push(`${tenant.realm}: ${state} instead of ${person.status}`)
  if (other !== tenant && outcome === 'match') {
    tally.violations.push(`${tenant.realm}: the face of ${other.realm} matched`)
  }
  if (person.status === 'active') await vault.rebind(person.name)
}

/** Counts, health and log of every realm tell of its own people only. */
async function look(
  tally: { answers: number; violations: string[] },
  tenants: readonly Tenant[],
): Promise<void> {
  for (const { realm, made, store, known } of tenants) {
    const { states, ok } = await vaultStatus({ keyring: made.keyring, store })
    for (const status of ['active', 'suspended', 'revoked'] as const) {
      const expected = known.filter((person) => person.status === status).length
      if (states[status] !== expected) tally.violations.push(`${realm}: counts ${status} wrongly`)
    }
    if (!ok || !(await made.vault.health()).ok) tally.violations.push(`${realm}: is not well`)
    tally.answers += 2
    const log = storedLog(store, realm)
    const { size = 0 } = (await log.checkpoint()) ?? {}
    for (let index = Math.max(0, size - LOOK_EACH); index < size; index++) {
      const text = Buffer.from(await log.entry(index)).toString('latin1')
      const mine = Buffer.from(Uint8Array.of(0x60 + realm.length)).toString('latin1') + realm
      if (!text.includes(mine)) tally.violations.push(`${realm}: an entry of another realm in the log`)
      tally.answers++
    }
  }
}

async function leak(tenants: readonly Tenant[], how: 'reads' | 'writes'): Promise<void> {
  const [, one, two] = tenants
  if (one === undefined || two === undefined) throw new Error('there are too few realms')
  for await (const row of two.store.scan('attempts', prefixOf(two.realm))) {
    if (!isOf(two.realm, row.key)) return
    const { key, bytes, version } = row
    if (how === 'reads') await one.store.get('attempts', key)
    else await one.store.commit([{ step: 'put', table: 'attempts', key, bytes, expected: version }])
    return
  }
}

/** Every key in every statement of a handle begins with its realm. The queue has no keys that anybody chooses. */
function judgeSent(tally: { keysAsked: number; violations: string[] }, { realm, sent }: Tenant): void {
  for (const { text, values } of sent) {
    for (const key of text.includes('commit_1') ? committedKeys(values) : askedKeys(text, values)) {
      tally.keysAsked++
      if (!isOf(realm, key)) tally.violations.push(`${realm}: asked for ${toHex(key)}`)
    }
  }
}

function* committedKeys([operations, lengths, , block]: readonly unknown[]): Generator<Uint8Array> {
  const sizes = arrayOf(lengths)
  let at = 0
  for (const [i, operation] of arrayOf(operations).entries()) {
    const [key = 0, bytes = 0] = sizes.slice(2 * i, 2 * i + 2)
    if (TABLES[Math.floor(operation / 8)] !== 'queue') yield (block as Uint8Array).subarray(at, at + key)
    at += key + bytes
  }
}

function arrayOf(text: unknown): readonly number[] {
  return String(text).slice(1, -1).split(',').map(Number)
}

function* askedKeys(text: string, values: readonly unknown[]): Generator<Uint8Array> {
  if (text.includes('."queue"') || text.includes('sequence_1')) return
  for (const value of values) {
    if (value instanceof Uint8Array) yield value
    if (typeof value !== 'string') continue
    for (const [, hex = ''] of value.matchAll(/x([0-9a-f]+)/g)) yield fromHex(hex) ?? new Uint8Array(0)
  }
}

/** As the server saw it: nobody writes a row of another; of the queue nobody takes a row away that another put there. */
async function judgeRows(
  tally: { rowsWritten: number; violations: string[] },
  admin: Pool,
  schema: string,
): Promise<void> {
  const { rows } = await admin.query<{
    who: string
    tables: string
    what: string
    key: Uint8Array | null
    bytes: Uint8Array
  }>(`SELECT who, tables, what, key, bytes FROM ${schema}.trail ORDER BY place`)
  const appended = new Map<string, string>()
  for (const { who, tables, what, key, bytes } of rows) {
    tally.rowsWritten++
    const row = toHex(bytes)
    if (tables === 'queue_pending') {
      // Whoever reads the queue gives its rows their keys: the bytes stay.
      if (what === 'INSERT') appended.set(row, who)
    } else if (tables === 'queue') {
      const foreign = what === 'INSERT' ? !appended.has(row) : appended.get(row) !== who
      if (foreign) tally.violations.push(`${who}: ${what} of a row of the queue of ${appended.get(row)}`)
    } else if (key === null || !isOf(who, key)) {
      tally.violations.push(`${who}: ${what} of a row of another realm in ${tables}`)
    }
  }
}

function prefixOf(realm: string): Uint8Array {
  return Uint8Array.of(realm.length, ...Buffer.from(realm))
}

function isOf(realm: string, key: Uint8Array): boolean {
  const prefix = prefixOf(realm)
  return prefix.every((byte, i) => key[i] === byte)
}
