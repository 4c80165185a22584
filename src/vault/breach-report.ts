/** What a theft means for whom: pseudonyms, generations, epochs and exposure, and never a template (SPEC §11.12). @module */

import type { Generation, Millis, Realm, RecordId, SubjectId } from '../base/brand.ts'
import { equalBytes, readU32be, toHex } from '../base/bytes.ts'
import { checkInteger } from '../base/check.ts'
import { systemClock } from '../base/clock.ts'
import { realmPrefix } from '../base/identifier.ts'
import { shardStart } from '../gallery/place.ts'
import { decodeShardRow } from '../gallery/shard-row.ts'
import { needsHolder, needsQuorum, type Profile } from '../keys/custody.ts'
import type { State } from '../policy/states.ts'
import { isSubjectKey, startsWith } from '../record/place.ts'
import { MAX_U32 } from '../record/row.ts'
import { decodeStateRow, type StateRow } from '../record/state-row.ts'
import { readHistory, type TemplateLife } from './breach-history.ts'
import { rejectInput } from './errors.ts'
import { generationNumber, recordId, subjectId } from './lookup.ts'
import { templatesOf } from './references.ts'
import { type RealmPlace, RingHost } from './rewrap-host.ts'

/** What was taken, as far as anybody knows; what is not known is taken for stolen. */
export interface StolenSet {
  /** References, states and the other rows of the store. */
  readonly rows?: boolean
  /** The wraps. */
  readonly secrets?: boolean
  /** Realm keys, and with them every epoch key unless `epochs` says which. */
  readonly keyring?: boolean
  /** Epoch keys from the first to the last of these. */
  readonly epochs?: readonly [first: number, last: number]
  /** Shares of holders: of all, or of these subjects (as `describe` names them). */
  readonly shares?: 'all' | readonly string[]
  /** As many shares of the quorum as open. */
  readonly quorum?: boolean
  /** The memory of the vault's process. */
  readonly memory?: boolean
}

export interface BreachOptions extends RealmPlace {
  readonly stolen: StolenSet
  /** From when on copies may have been taken: of backups, the oldest. Milliseconds since 1970; default: the beginning. */
  readonly since?: number
  /** Default: now. */
  readonly until?: number
  /** For tests. */
  readonly now?: () => number
}

/**
 * - `template`: code and its key: the face can be approximated, and looked for; a reissued template may accept it
 * - `sealed`: code and wrap, and not all keys: nothing of the face
 * - `metadata`: what rows say in clear: dates, states, epochs; nothing of the face
 * - `none`: nothing that was there in this time
 */
export type Exposure = 'template' | 'sealed' | 'metadata' | 'none'

/** What a thief would still need. */
export type Missing = 'code' | 'wrap' | 'epoch-key' | 'realm-keys' | 'quorum' | 'holder-share'

/** One generation of one of a person's templates. */
export interface AffectedTemplate {
  /** The handle: what the log names. */
  readonly subject: SubjectId
  /** Of a further reference its own. */
  readonly record: RecordId | undefined
  readonly generation: Generation
  /** Epochs that wrapped it in that time. */
  readonly epochs: readonly number[]
  readonly custody: 'operator' | 'quorum' | 'holder' | 'quorum+holder'
  readonly exposure: Exposure
  /** Empty for `template`. */
  readonly missing: readonly Missing[]
  /** True when the person's template is of this generation now. */
  readonly present: boolean
  /** Of the record now; `undefined` when its row is gone. */
  readonly state: State | undefined
  /** True when the record is marked already: a match demands a second factor. */
  readonly marked: boolean
}

export interface BreachReport {
  readonly realm: Realm
  readonly at: Millis
  readonly since: Millis
  readonly until: Millis
  readonly stolen: StolenSet
  /** False when the log does not hold, or state rows cannot be read: then the list may lack somebody. */
  readonly sound: boolean
  readonly unreadable: number
  /** Templates by exposure. */
  readonly templates: Readonly<Record<Exposure, number>>
  /** Persons by the worst exposure of any of their templates. */
  readonly subjects: Readonly<Record<Exposure, number>>
  /** Those of any exposure but `none`, the worst first. */
  readonly affected: readonly AffectedTemplate[]
}

const EXPOSURES: readonly Exposure[] = ['template', 'sealed', 'metadata', 'none']
const CUSTODY = ['operator', 'quorum', 'holder', 'quorum+holder'] as const
const MAX_MILLIS = 8_640_000_000_000_000

/**
 * Says from the log and the rows whose templates a theft reaches, and how far. Reads no code and opens nothing. Throws `KeysError`,
 * `StoreError`.
 *
 * @example
 * ```ts
 * const { subjects } = await breachReport({ keyring, store, stolen: { rows: true, secrets: true }, since })
 * ```
 */
export async function breachReport(options: BreachOptions): Promise<BreachReport> {
  const host = new RingHost(options)
  const nowMs = options.now?.() ?? systemClock.nowMs()
  const until = checkInteger(options.until ?? nowMs, 'until', [0, MAX_MILLIS], rejectInput)
  const since = checkInteger(options.since ?? 0, 'since', [0, until], rejectInput)
  const stolen = checkStolen(options.stolen)
  const { history, rows, unreadable, members } = await host.decide(async () => {
    const read = await readStates(host)
    const found = await readHistory(host.store, host.realm, host.ring, stolen.memory === true)
    return {
      history: found,
      ...read,
      members: stolen.memory === true ? await membersOf(host) : new Set<string>(),
    }
  })
  const affected: AffectedTemplate[] = []
  const templates = counts()
  const worst = new Map<string, Exposure>()
  for (const life of withoutLog(history.lives, rows)) {
    const row = rows.get(toHex(life.handle))
    const one = exposureOf(life, row, { stolen, since, until, members })
    templates[one.exposure] += 1
    const before = worst.get(one.subject) ?? 'none'
    if (EXPOSURES.indexOf(one.exposure) <= EXPOSURES.indexOf(before)) worst.set(one.subject, one.exposure)
    if (one.exposure !== 'none') affected.push(one)
  }
  const subjects = counts()
  for (const exposure of worst.values()) subjects[exposure] += 1
  affected.sort(
    (a, b) =>
      EXPOSURES.indexOf(a.exposure) - EXPOSURES.indexOf(b.exposure) ||
      (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : a.generation - b.generation),
  )
  const span = { at: nowMs as Millis, since: since as Millis, until: until as Millis }
  const sound = history.holds && unreadable === 0
  return { realm: host.realm, ...span, stolen, sound, unreadable, templates, subjects, affected }
}

function counts(): Record<Exposure, number> {
  return { template: 0, sealed: 0, metadata: 0, none: 0 }
}

function checkStolen(stolen: StolenSet): StolenSet {
  const { epochs, shares } = stolen
  if (epochs !== undefined) {
    const first = checkInteger(epochs[0], 'stolen.epochs', [1, MAX_U32], rejectInput)
    checkInteger(epochs[1], 'stolen.epochs', [first, MAX_U32], rejectInput)
  }
  if (shares !== undefined && shares !== 'all' && !Array.isArray(shares)) {
    throw rejectInput("stolen.shares must be 'all' or a list of subjects")
  }
  return stolen
}

interface States {
  readonly rows: ReadonlyMap<string, StateRow>
  readonly unreadable: number
}

async function readStates(host: RingHost): Promise<States> {
  const { realm } = host
  const prefix = realmPrefix(realm)
  const rows = new Map<string, StateRow>()
  let unreadable = 0
  for await (const { key, bytes } of host.store.scan('states', prefix)) {
    if (!startsWith(key, prefix)) break
    if (!isSubjectKey(realm, key)) continue
    await host.ring.load()
    const handle = key.slice(prefix.length)
    try {
      rows.set(toHex(handle), decodeStateRow(bytes, { realm, handle }, host.stateKey))
    } catch {
      unreadable += 1
    }
  }
  return { rows, unreadable }
}

/** Handles of the gallery's members: a process that searches holds the codes of all. */
async function membersOf(host: RingHost): Promise<ReadonlySet<string>> {
  const { realm } = host
  const start = shardStart(realm)
  const members = new Set<string>()
  for await (const { key, bytes } of host.store.scan('galleries', start)) {
    if (!startsWith(key, start)) break
    await host.ring.load()
    const number = readU32be(key.slice(start.length))
    for (const slot of decodeShardRow(bytes, { realm, number }, host.stateKey).slots) {
      if (slot !== null) members.add(toHex(slot))
    }
  }
  return members
}

/** Records of which the log does not tell are taken to have been there all the time. */
function withoutLog(
  lives: readonly TemplateLife[],
  rows: ReadonlyMap<string, StateRow>,
): readonly TemplateLife[] {
  const known = new Set(lives.map(({ generation }) => toHex(generation)))
  const rest = [...rows.values()]
    .flatMap(templatesOf)
    .filter(({ generation }) => !known.has(toHex(generation)))
  return [
    ...lives,
    ...rest.map(({ handle, record, generation, since, last, state, changedMs }) => ({
      handle,
      record,
      generation,
      fromMs: 0,
      toMs: state === 'revoked' || state === 'erased' ? changedMs : Number.POSITIVE_INFINITY,
      epochs: Array.from({ length: last - since + 1 }, (_, i) => ({ epoch: since + i, fromMs: 0 })),
      opened: [],
      held: false,
    })),
  ]
}

interface Span {
  readonly stolen: StolenSet
  readonly since: number
  readonly until: number
  readonly members: ReadonlySet<string>
}

function exposureOf(life: TemplateLife, row: StateRow | undefined, span: Span): AffectedTemplate {
  const subject = subjectId(life.handle)
  const template = row && templatesOf(row).find(({ generation }) => equalBytes(generation, life.generation))
  const present = row !== undefined && template !== undefined
  // What a former generation was under is not told any more: the weakest, then.
  const profile = (present ? row.profile : 0) as Profile
  const live = row !== undefined && row.state !== 'erased' && row.state !== 'revoked'
  const epochs = epochsIn(life, span)
  return {
    subject,
    record: row === undefined ? undefined : recordId(template?.record ?? row.record),
    generation: generationNumber(life.generation),
    epochs,
    custody: CUSTODY[profile],
    ...judge({ subject, profile, epochs, life }, span),
    present: present && live,
    state: row?.state,
    marked: row?.exposed === true,
  }
}

/** The epochs that wrapped it within the span; none when it did not exist then. */
function epochsIn({ fromMs, toMs, epochs }: TemplateLife, { since, until }: Span): readonly number[] {
  if (fromMs > until || toMs < since) return []
  const found = new Set<number>()
  for (const [at, { epoch, fromMs: beginMs }] of epochs.entries()) {
    const endMs = epochs[at + 1]?.fromMs ?? toMs
    // Of a record without a log nobody knows when it was under which.
    if (beginMs <= until && (endMs >= since || beginMs === 0)) found.add(epoch)
  }
  return [...found].toSorted((a, b) => a - b)
}

function judge(
  one: {
    readonly subject: SubjectId
    readonly profile: Profile
    readonly epochs: readonly number[]
    readonly life: TemplateLife
  },
  { stolen, since, until, members }: Span,
): Pick<AffectedTemplate, 'exposure' | 'missing'> {
  const { subject, profile, epochs, life } = one
  if (epochs.length === 0) return { exposure: 'none', missing: [] }
  const opened = life.opened.some((atMs) => atMs >= since && atMs <= until) || members.has(toHex(life.handle))
  if (stolen.memory === true && opened) return { exposure: 'template', missing: [] }
  const { rows, secrets, keyring, shares } = stolen
  const range = stolen.epochs ?? (keyring === true ? ([1, MAX_U32] as const) : undefined)
  const epochKey = range !== undefined && epochs.some((epoch) => epoch >= range[0] && epoch <= range[1])
  const share = shares === 'all' || shares?.includes(subject) === true
  const lacks: readonly (readonly [Missing, boolean])[] = [
    ['code', rows !== true],
    ['wrap', secrets !== true],
    ['epoch-key', !epochKey],
    ['realm-keys', keyring !== true],
    ['quorum', needsQuorum(profile) && stolen.quorum !== true],
    ['holder-share', needsHolder(profile) && !share],
  ]
  const missing = lacks.flatMap(([what, lacking]) => (lacking ? [what] : []))
  if (missing.length === 0) return { exposure: 'template', missing }
  if (rows === true && secrets === true) return { exposure: 'sealed', missing }
  return { exposure: rows === true || secrets === true ? 'metadata' : 'none', missing }
}
