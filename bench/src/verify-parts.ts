/** Verify taken apart: the functions that the vault calls, each alone and all in their order. @module */

import { wipe } from '../../dist/base/bytes.js'
import { accepts } from '../../dist/compare/decide.js'
import { score } from '../../dist/compare/score.js'
import { embedding, toIntegers } from '../../dist/embedding/embedding.js'
import type { Store, Table, VaultOptions } from '../../dist/index.js'
import { decodeIndexRow, type IndexPlace, indexRowKey, subjectTag } from '../../dist/keys/pseudonym.js'
import { openWrap } from '../../dist/keys/wraps.js'
import { type AttemptsRow, decodeAttemptsRow, encodeAttemptsRow } from '../../dist/record/attempts-row.js'
import { attemptsKey, referenceKey, SCOPE_UNBOUND, secretKey, stateKey } from '../../dist/record/place.js'
import { decodeReferenceRow, type ReferenceRow } from '../../dist/record/reference-row.js'
import { decodeSecretRow, type SecretRow } from '../../dist/record/secret-row.js'
import { decodeStateRow, type StateRow } from '../../dist/record/state-row.js'
import { openCode } from '../../dist/seal/code.js'
import type { Probe } from '../../dist/template/probe.js'
import { encodeProbe } from '../../dist/template/template.js'
import { quantize } from '../../dist/transform/quantize.js'
import { rotate } from '../../dist/transform/rotate.js'
import { keyStream } from '../../dist/transform/stream.js'
import type { VaultContext } from '../../dist/vault/context.js'
import { openContext } from '../../dist/vault/open.js'
import { binding, custodyKey, withRecordSecret } from '../../dist/vault/wrap.js'
import { modelOf, type Person, pick } from './people.ts'
import type { Work } from './timing.ts'

const BITS = 512
const CODE_BYTES = BITS / 8
const SUITE = 'B4'
const TABLES = ['index', 'states', 'attempts', 'references', 'secrets'] as const

/** The five rows that a verify reads. */
type Rows = Readonly<Record<(typeof TABLES)[number], Uint8Array>>

/** A subject's rows, and everything that one step of verify hands to the next. */
interface Subject {
  readonly subject: string
  /** Of the same person: the probe matches. */
  readonly integers: Int32Array
  readonly keys: ReadonlyMap<Table, Uint8Array>
  readonly rows: Rows
  readonly place: IndexPlace
  readonly handle: Uint8Array
  readonly state: StateRow
  readonly attempts: AttemptsRow
  readonly reference: ReferenceRow
  readonly secret: SecretRow
  readonly recordSecret: Uint8Array
  readonly rotationKey: Uint8Array
  readonly code: Uint8Array
  readonly stream: Uint8Array
  readonly values: Int32Array
  readonly probe: Probe
}

/** The parts of verify over enrolled people. */
export class VerifyParts {
  readonly #ctx: VaultContext
  readonly #store: Store
  readonly #subjects: readonly Subject[]

  private constructor(ctx: VaultContext, store: Store, subjects: readonly Subject[]) {
    this.#ctx = ctx
    this.#store = store
    this.#subjects = subjects
  }

  /** Reads the rows of people who are enrolled in the vault of these options. */
  static async open(options: VaultOptions, people: readonly Person[]): Promise<VerifyParts> {
    const ctx = await openContext(options)
    const subjects: Subject[] = []
    for (const person of people) subjects.push(await readSubject(ctx, options.store, person))
    return new VerifyParts(ctx, options.store, subjects)
  }

  /** From the parsed rows to the decision, as one call: unwrap, derive, open, rotate, score. */
  compute(): Work {
    return {
      name: 'compute',
      call: (turn) => {
        const of = pick(this.#subjects, turn)
        return decideOver(this.#ctx, of, of)
      },
    }
  }

  /** All parts in the order of verify, as one call: what happens between reading the rows and writing one. */
  whole(): Work {
    return { name: 'whole', call: (turn) => overRows(this.#ctx, pick(this.#subjects, turn)) }
  }

  parts(): readonly Work[] {
    const ctx = this.#ctx
    const part = (name: string, call: (of: Subject) => unknown): Work => ({
      name,
      call: (turn) => call(pick(this.#subjects, turn)),
    })
    return [
      part('index: tag of the subject', (of) => subjectTag(keysOf(ctx).index, of.subject)),
      part('index row: tag and decoding', (of) => decodeIndexRow(of.rows.index, of.place, keysOf(ctx).index)),
      part('state row: decoding and tag', (of) => readState(ctx, of.rows.states, of.handle)),
      part('attempts row: decoding and tag', (of) => readAttempts(ctx, of.rows.attempts, of.state)),
      part('attempts row: encoding and tag', (of) => encodeAttemptsRow(of.attempts, keysOf(ctx).limiter)),
      part('reference row: decoding', (of) =>
        decodeReferenceRow(of.rows.references, ctx.settings.profile, of.state),
      ),
      part('secret row: decoding', (of) => decodeSecretRow(of.rows.secrets, of.state)),
      part('unwrap: outer and inner', (of) => unwrap(ctx, of)),
      part('record keys and opening of the code', (of) =>
        openCode(of.recordSecret, of.reference.header, of.reference, CODE_BYTES, firstByte),
      ),
      part('key stream', (of) => wiped(keyStream(SUITE, of.rotationKey, BITS, BITS))),
      part('rotate', (of) => wiped(rotate(of.integers, SUITE, BITS, of.stream))),
      part('quantise', (of) => wiped(quantize(of.values, BITS))),
      part('score and decision', (of) => decide(of.code, of.probe)),
    ]
  }

  /** Reads the five rows of a subject from the store. */
  async read(turn: number): Promise<unknown> {
    const { keys } = pick(this.#subjects, turn)
    let last: unknown
    for (const [table, key] of keys) last = await this.#store.get(table, key)
    return last
  }
}

/** Everything from rows to decision, in the order of verify. True for a match. */
function overRows(ctx: VaultContext, { subject, integers, rows, place }: Subject): boolean {
  const { realm } = ctx
  const keys = keysOf(ctx)
  const tag = subjectTag(keys.index, subject)
  const handle = decodeIndexRow(rows.index, { ...place, tag }, keys.index)
  const state = readState(ctx, rows.states, handle)
  const attempts = readAttempts(ctx, rows.attempts, state)
  const reference = decodeReferenceRow(rows.references, ctx.settings.profile, state)
  const secret = decodeSecretRow(rows.secrets, state)
  const matched = decideOver(ctx, { state, reference, secret }, { integers })
  encodeAttemptsRow({ ...attempts, realm, version: attempts.version + 1 }, keys.limiter)
  return matched
}

/** From parsed rows to the decision. True for a match. */
function decideOver(
  ctx: VaultContext,
  { state, reference, secret }: Pick<Subject, 'state' | 'reference' | 'secret'>,
  { integers }: Pick<Subject, 'integers'>,
): boolean {
  return withRecordSecret(ctx, state, secret, {}, (recordSecret) =>
    openCode(recordSecret, reference.header, reference, CODE_BYTES, (code, rotationKey) => {
      const probe = encodeProbe(integers, SUITE, BITS, rotationKey)
      try {
        return decide(code, probe)
      } finally {
        probe.wipe()
      }
    }),
  )
}

async function readSubject(ctx: VaultContext, store: Store, person: Person): Promise<Subject> {
  const { realm } = ctx
  const { subject, vector } = person
  const version = ctx.ring.newestVersion
  const place = { realm, version, tag: subjectTag(keysOf(ctx).index, subject) }
  const read = async (table: Table, key: Uint8Array): Promise<Uint8Array> => {
    const row = await store.get(table, key)
    if (row === undefined) throw new Error(`no row in ${table}`)
    return row.bytes
  }
  const index = await read('index', indexRowKey(place))
  const handle = decodeIndexRow(index, place, keysOf(ctx).index)
  const states = await read('states', stateKey(realm, handle))
  const state = readState(ctx, states, handle)
  const { record, generation } = state
  const keys: readonly (readonly [(typeof TABLES)[number], Uint8Array])[] = [
    ['index', indexRowKey(place)],
    ['states', stateKey(realm, handle)],
    ['attempts', attemptsKey(realm, handle, SCOPE_UNBOUND)],
    ['references', referenceKey(realm, record)],
    ['secrets', secretKey(realm, record, generation)],
  ]
  const entries: (readonly [string, Uint8Array])[] = []
  for (const [table, key] of keys) entries.push([table, await read(table, key)])
  const rows = Object.fromEntries(entries) as Rows
  const attempts = readAttempts(ctx, rows.attempts, state)
  const reference = decodeReferenceRow(rows.references, ctx.settings.profile, state)
  const secret = decodeSecretRow(rows.secrets, state)
  const integers = toIntegers(embedding(vector, modelOf(vector.length)))
  const recordSecret = withRecordSecret(ctx, state, secret, {}, copy)
  const [code, rotationKey] = openCode(recordSecret, reference.header, reference, CODE_BYTES, (own, key) => [
    copy(own),
    copy(key),
  ]) as [Uint8Array, Uint8Array]
  const stream = keyStream(SUITE, rotationKey, BITS, BITS)
  const found = { subject, integers, keys: new Map(keys), rows, place, handle, state, attempts }
  const opened = { reference, secret, recordSecret, code, rotationKey, stream }
  const values = rotate(integers, SUITE, BITS, stream)
  return { ...found, ...opened, values, probe: encodeProbe(integers, SUITE, BITS, rotationKey) }
}

function keysOf(ctx: VaultContext): ReturnType<VaultContext['ring']['requireRealmKeys']> {
  return ctx.ring.requireRealmKeys(ctx.ring.newestVersion)
}

function readState(ctx: VaultContext, bytes: Uint8Array, handle: Uint8Array): StateRow {
  return decodeStateRow(bytes, { realm: ctx.realm, handle }, ctx.stateKey)
}

function readAttempts(ctx: VaultContext, bytes: Uint8Array, state: StateRow): AttemptsRow {
  const { handle, generation } = state
  return decodeAttemptsRow(
    bytes,
    { realm: ctx.realm, handle, scope: SCOPE_UNBOUND, generation },
    ctx.limiterKey,
  )
}

function unwrap(ctx: VaultContext, { state, secret }: Subject): number {
  const custody = custodyKey(ctx, 0, secret.keyVersion, {})
  const opened = ctx.ring.withEpoch(secret.epoch, (prepared) =>
    openWrap(secret, {
      custody: custody.prepared,
      binding: binding(ctx, state, 0, secret.keyVersion),
      outer: { prepared, header: secret.header },
    }),
  )
  if (opened === undefined) throw new Error('the wrap does not open')
  return wiped(opened.recordSecret)
}

function decide(code: Uint8Array, probe: Probe): boolean {
  const { sum, energy } = score(code, probe)
  return accepts(sum, energy, BITS, 4500)
}

function wiped(view: Uint8Array | Int32Array | Int8Array): number {
  const first = view[0] as number
  wipe(view)
  return first
}

function firstByte(code: Uint8Array): number {
  return code[0] as number
}

function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}
