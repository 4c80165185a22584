/** Reads every row of a realm beneath the vault, holds it against the model, then asks the vault itself. @module */
/// <reference types="node" />

import { realmPrefix } from '../../src/base/identifier.ts'
import { isSubjectKey } from '../../src/record/place.ts'
import { decodeReferenceRow } from '../../src/record/reference-row.ts'
import type { StateRow } from '../../src/record/state-row.ts'
import { openCode } from '../../src/seal/code.ts'
import type { Table } from '../../src/store/store.ts'
import type { VaultContext, VaultStore } from '../../src/vault/context.ts'
import { unfinishedRows } from '../../src/vault/describe.ts'
import { findSubject, generationNumber, readAttempts, readState } from '../../src/vault/lookup.ts'
import { readSecret, withRecordSecret } from '../../src/vault/wrap.ts'
import { after, choices, NOBODY, type Person, subjectName } from './vault-people.ts'
import { sampleOf, type World } from './vault-world.ts'

/** What an inspection found; `people` is who everybody is now. */
export interface Inspection {
  readonly lost: string[]
  readonly torn: string[]
  readonly people: Person[]
}

/**
 * `told[i]` is what was acknowledged of person i; at most one verb more may have been carried out for each of them.
 * Every row must belong to somebody and open.
 */
export async function inspect(world: World, told: readonly Person[]): Promise<Inspection> {
  const { ctx } = world
  const lost: string[] = []
  const torn: string[] = []
  const people: Person[] = []
  const rows = await rowNames(ctx)
  for (const [subject, person] of told.entries()) {
    const found = await readPerson(ctx, subject, rows, torn)
    const legal = [person, ...choices(person).map((verb) => after(subject, person, verb))]
    const fitting = legal.find((one) => shows(one) === shows(found))
    if (fitting === undefined)
      lost.push(`${subjectName(subject)} was ${shows(person)} and is ${shows(found)}`)
    people.push(fitting ?? { ...person, ...found })
  }
  for (const name of await ownerless(ctx, rows)) torn.push(name)
  for (const [subject, person] of people.entries()) {
    people[subject] = await askVault(world, subject, person, torn)
  }
  return { lost, torn, people }
}

/** Lists the rows of subjects; whoever explains one takes it off. */
async function rowNames(ctx: VaultContext): Promise<Set<string>> {
  const names = new Set<string>()
  const tables: readonly (readonly [VaultStore, Table])[] = [
    [ctx.store, 'index'],
    [ctx.store, 'states'],
    [ctx.store, 'references'],
    [ctx.store, 'attempts'],
    [ctx.secrets, 'secrets'],
  ]
  for (const [store, table] of tables) {
    for await (const { key } of store.scan(table, realmPrefix(ctx.realm))) {
      if (isSubjectKey(ctx.realm, key)) names.add(nameOf(ctx, table, key))
    }
  }
  return names
}

function nameOf(ctx: VaultContext, table: Table, ...key: readonly Uint8Array[]): string {
  const inner = Buffer.concat(key).toString('hex')
  const prefix = Buffer.from(realmPrefix(ctx.realm)).toString('hex')
  return `${table}/${inner.startsWith(prefix) ? inner.slice(prefix.length) : inner}`
}

type Shown = Pick<Person, 'status' | 'generation' | 'version' | 'exposed' | 'run' | 'failures'>

/** What rows can tell of a person. */
function shows({ status, generation, version, exposed, run, failures }: Shown): string {
  return JSON.stringify([status, generation, version, exposed, run, failures])
}

/** Reads one person from rows, and opens what must open. */
async function readPerson(
  ctx: VaultContext,
  subject: number,
  rows: Set<string>,
  torn: string[],
): Promise<Shown> {
  const { handle, index } = await findSubject(ctx, subjectName(subject))
  if (handle === undefined || index === undefined) return NOBODY
  rows.delete(nameOf(ctx, 'index', index.key))
  const state = (await readState(ctx, handle))?.row
  if (state === undefined) {
    torn.push(`${subjectName(subject)} is in the index and has no state`)
    return NOBODY
  }
  rows.delete(nameOf(ctx, 'states', handle))
  const { count } = (await readAttempts(ctx, state)).row
  rows.delete(nameOf(ctx, 'attempts', handle, Uint8Array.of(1)))
  if (state.state !== 'revoked') {
    const fault = await openTemplate(ctx, state, rows)
    if (fault !== undefined) torn.push(`${subjectName(subject)}: ${fault}`)
  }
  const { version, exposed } = state
  const status = state.state as Person['status']
  const generation = generationNumber(state.generation)
  return { status, generation, version, exposed, run: count.run, failures: count.failures }
}

/** Opens wrap and code; what stands in the way of it, or `undefined`. */
async function openTemplate(
  ctx: VaultContext,
  state: StateRow,
  rows: Set<string>,
): Promise<string | undefined> {
  const { profile } = ctx.settings
  const key = Buffer.concat([realmPrefix(ctx.realm), state.record])
  const stored = await ctx.store.get('references', key)
  const secret = await readSecret(ctx, state)
  if (stored === undefined || secret === undefined) return 'the template lacks a part'
  rows.delete(nameOf(ctx, 'references', state.record))
  rows.delete(nameOf(ctx, 'secrets', state.record, state.generation))
  const reference = decodeReferenceRow(stored.bytes, profile, state)
  await ctx.ring.loadEpoch(secret.row.epoch)
  return withRecordSecret(ctx, state, secret.row, {}, (recordSecret) =>
    openCode(recordSecret, reference.header, reference, profile.bits / 8, () => undefined),
  )
}

/** Rows that nobody has explained; tombstones and wraps with a note of unfinished work are in order. */
async function ownerless(ctx: VaultContext, rows: ReadonlySet<string>): Promise<readonly string[]> {
  const noted = new Set<string>()
  if (ctx.split) {
    for await (const { key } of unfinishedRows(ctx, ctx.secrets, 'secrets')) {
      noted.add(`secrets/${Buffer.from(key).toString('hex').slice(-72)}`)
    }
    for await (const { key } of unfinishedRows(ctx, ctx.store, 'states')) {
      return [`${nameOf(ctx, 'states', key)} is unfinished although the vault is open`]
    }
  }
  const faults: string[] = []
  for (const name of rows) {
    const [table, key = ''] = name.split('/')
    const tombstone = table === 'states' && (await readState(ctx, Buffer.from(key, 'hex')))?.row
    if (noted.has(name) || (tombstone && tombstone.state === 'erased')) continue
    faults.push(`${name} belongs to nobody`)
  }
  return faults
}

/** Verifies everybody with their own face. Resolves with the person after it. */
async function askVault(world: World, subject: number, person: Person, torn: string[]): Promise<Person> {
  const name = subjectName(subject)
  const decision = await world.vault.verify({ ...sampleOf(person.face), subject: name })
  const answer = decision.outcome === 'refused' ? decision.reason : decision.outcome
  const waits = person.status === 'active' && person.run >= 5
  const expected = { none: 'unknown-subject', active: 'match', suspended: 'suspended', revoked: 'revoked' }
  const right = waits ? 'throttled' : expected[person.status]
  if (answer !== right) torn.push(`${name}, ${shows(person)}, is answered ${answer}`)
  if (decision.outcome === 'match' && decision.exposed !== person.exposed) torn.push(`${name}: exposed`)
  return answer === 'match' ? { ...person, run: 0 } : person
}
