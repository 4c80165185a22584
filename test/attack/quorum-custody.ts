/** What thieves gain from a realm whose templates open with a quorum: stores, keys, shares, old backups (SPEC §13.9). @module */
import { allowHighFalseMatchRate, memoryStore, openKeyring, openVault, revealReason, type Store } from 'guise'
import { storedLog } from 'guise/audit'
import type { QuorumShare } from 'guise/quorum'
import { realmPrefix } from '../../src/base/identifier.ts'
import { lagrange } from '../../src/crypto/frost.ts'
import { finalize, sumOfProducts } from '../../src/crypto/ristretto.ts'
import {
  combinePartials,
  evaluateShare,
  type QuorumInput,
  quorumInput,
  verifyPartial,
} from '../../src/quorum/evaluate.ts'
import { decodeStateRow, type StateRow } from '../../src/record/state-row.ts'
import { TABLES } from '../../src/store/store.ts'
import type { VaultContext } from '../../src/vault/context.ts'
import { openContext } from '../../src/vault/open.ts'
import { openEvent, proveOwn } from '../../src/vault/outputs.ts'
import { type Presented, readSecret, withRecordSecret } from '../../src/vault/wrap.ts'
import { memoryAnchor } from '../support/quorum.ts'
import { type QuorumVault, quorumVault } from '../support/quorum-vault.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, MODEL, PURPOSE, point, SIGNER, sample } from '../support/vault.ts'

const WIDTH = 4

/** A realm of `people`, enrolled under three holders of whom two are enough. */
async function populated(people: number): Promise<QuorumVault> {
  const world = await quorumVault({ timeoutMs: 60_000 })
  // Holders and vault share one thread: few at a time, or the log waits for them too long.
  for (let from = 0; from < people; from += WIDTH) {
    const some = Array.from({ length: Math.min(WIDTH, people - from) }, (_, i) => from + i)
    await Promise.all(
      some.map((i) => world.vault.enroll({ ...sample(i), subject: `user-${i}`, basis: basis() })),
    )
  }
  return world
}

/** Everything that the vault has, without its door: stores, unwrapped keys, the signer of the log. */
function insider(world: QuorumVault, store: Store = world.store): Promise<VaultContext> {
  return openContext({
    keyring: world.keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    operatingPoints: [point()],
    custody: { profile: 'quorum', quorum: world.quorum },
    logSigner: SIGNER,
    [allowHighFalseMatchRate]: true,
  })
}

async function templatesOf(ctx: VaultContext, store: Store): Promise<StateRow[]> {
  const skip = realmPrefix(ctx.realm).length
  await ctx.ring.load()
  return (await rowsOf(store, 'states')).map(({ key, bytes }) =>
    decodeStateRow(bytes, { realm: ctx.realm, handle: key.slice(skip) }, ctx.stateKey),
  )
}

async function opens(ctx: VaultContext, name: StateRow, presented: Presented): Promise<boolean> {
  const secret = await readSecret(ctx, name)
  if (secret === undefined) throw new Error('no wrap')
  await ctx.ring.loadEpoch(secret.row.epoch)
  try {
    return withRecordSecret(ctx, name, secret.row, presented, () => true)
  } catch {
    return false
  }
}

/** What a thief makes of t − 1 shares: each evaluated alone, weighed as if the others were there, and twice the same. */
function guesses(input: QuorumInput, share: QuorumShare): Uint8Array[] {
  const partial = evaluateShare(share, input)
  const verified = verifyPartial(share.key, input, partial)
  if (verified === undefined) throw new Error('a share that does not fit its key')
  const { element } = verified
  const made = [finalize(input.bytes, element)]
  for (const other of [1, 2, 3].filter((index) => index !== share.index)) {
    for (const factor of lagrange([share.index, other], 0)) {
      made.push(finalize(input.bytes, sumOfProducts([[factor, element]])))
    }
  }
  return made
}

export interface Stolen {
  readonly templates: number
  /** Opened with stores and keys; with a share more; with the shares of two holders. */
  readonly alone: number
  readonly withOne: number
  readonly withTwo: number
  /** With the output of another template, as somebody sees it who watched the vault open that one. */
  readonly withAnother: number
}

/** Stores and keyring stolen, and perhaps shares: how many templates open without a holder being asked. */
export async function stealTemplates(people: number): Promise<Stolen> {
  const world = await populated(people)
  const ctx = await insider(world)
  const before = [...world.asked]
  const [first, second] = world.dealt.shares as readonly [QuorumShare, QuorumShare]
  const opened = { alone: 0, withOne: 0, withTwo: 0, withAnother: 0 }
  let seen = new Uint8Array(64)
  const templates = await templatesOf(ctx, world.store)
  for (const name of templates) {
    const input = quorumInput({ ...name, epoch: 1 })
    const random = crypto.getRandomValues(new Uint8Array(64))
    for (const presented of [{}, { quorum: new Uint8Array(64) }, { quorum: random }]) {
      if (await opens(ctx, name, presented)) opened.alone++
    }
    for (const quorum of guesses(input, first)) if (await opens(ctx, name, { quorum })) opened.withOne++
    const parts = [first, second].map((share) => verifyPartial(share.key, input, evaluateShare(share, input)))
    const whole = combinePartials(
      first.key,
      input,
      parts.filter((part) => part !== undefined),
    )
    if (await opens(ctx, name, { quorum: seen })) opened.withAnother++
    if (await opens(ctx, name, { quorum: whole })) opened.withTwo++
    seen = whole
  }
  const nobody = world.asked.every((count, i) => count === before[i])
  if (!nobody) throw new Error('a holder was asked')
  await ctx.ledger.close()
  await world.end()
  return { templates: templates.length, ...opened }
}

export interface PutBack {
  readonly revoked: number
  /** Revoked templates that matched again, over the old stores and the very holders. */
  readonly matched: number
  /** Of which the holders gave an output to whoever has the log’s key and may write in the log that goes on. */
  readonly opened: number
  /** Codes of what the holders said to the latter. */
  readonly said: readonly string[]
  /** The same for five templates that were not revoked: the control. */
  readonly control: number
  /** Of the first five revoked ones: how many the old stores match with holders that have forgotten everything. The other control. */
  readonly forgotten: number
}

const CONTROLS = 5

/** All stores copied, all but five people revoked, the copy put back. */
export async function putBack(people: number): Promise<PutBack> {
  const world = await populated(people + CONTROLS)
  const live = await insider(world)
  // Nothing waits in the queue, whose rows nobody can put back.
  await live.ledger.settle({})
  const copy = await copyOf(world.store)
  const before = await templatesOf(live, world.store)
  const gone = new Set<string>()
  for (let i = 0; i < people; i++) {
    const description = await world.vault.describe(`user-${i}`)
    if (description !== undefined) gone.add(description.subject)
    await world.vault.revoke(`user-${i}`, 'breach')
  }
  const keyring = await openKeyring({ realm: 'clinic', provider: world.provider, store: copy })
  const matches = async (count: number): Promise<number> => {
    // A client of its own: one that has been refused knows how much of the log the holders have seen.
    const quorum = world.quorumWith([world.dealt.key])
    const restored = await openVault({
      keyring,
      store: copy,
      model: MODEL,
      purpose: PURPOSE,
      operatingPoints: [point()],
      custody: { profile: 'quorum', quorum },
      logSigner: SIGNER,
      [revealReason]: true,
      [allowHighFalseMatchRate]: true,
    })
    let matched = 0
    for (let i = 0; i < count; i++) {
      const outcome = await restored.verify({ ...sample(i, 1), subject: `user-${i}` }).catch(() => undefined)
      if (outcome?.outcome === 'match') matched++
    }
    await restored.close()
    return matched
  }
  const matched = await matches(people)
  const { subjectId } = await import('../../src/vault/lookup.ts')
  const said: string[] = []
  const count = { opened: 0, control: 0 }
  for (const name of before) {
    const isRevoked = gone.has(subjectId(name.handle))
    const code = await ask(world, live, name)
    if (isRevoked) said.push(code)
    if (code === 'answered') count[isRevoked ? 'opened' : 'control']++
  }
  for (const index of [1, 2, 3]) {
    await world.restart(index, { store: memoryStore(), anchor: memoryAnchor() })
  }
  const forgotten = await matches(CONTROLS)
  await live.ledger.close()
  await world.end()
  return { revoked: gone.size, matched, ...count, forgotten, said }
}

/** Logs a genuine request in the log that goes on, and shows it to the holders. */
async function ask(world: QuorumVault, ctx: VaultContext, name: StateRow): Promise<string> {
  const entry = await ctx.commitLogged([], openEvent(name, 1))
  const log = storedLog(world.store, 'clinic')
  const receipt = await proveOwn(ctx, await ctx.ledger.sequence({}), entry)
  const { record, generation } = name
  return await world.quorum.open({ record, generation, epoch: 1, receipt, log }).then(
    () => 'answered',
    (error: unknown) => String((error as { code?: unknown }).code),
  )
}

async function copyOf(store: Store): Promise<Store> {
  const copy = memoryStore()
  for (const table of TABLES) {
    if (table === 'queue') continue
    for (const { key, bytes } of await rowsOf(store, table)) {
      await copy.commit([{ step: 'put', table, key, bytes, expected: null }])
    }
  }
  return copy
}
