/** Histories of a vault on disk, copies of its store at random instants, and what comes of putting one back (I-21). @module */
/// <reference types="node" />

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Anchor, openKeyring, type Vault } from 'guise'
import { fileAnchor } from 'guise/node'
import { basis, codeOf, numbers, sample, type TestVault, testVault } from '../support/vault.ts'
import { type Copy, lmdbPlace, type Place, type Places } from './rollback-places.ts'

const PEOPLE = 6
const VERBS = {
  none: ['enroll'],
  active: ['match', 'match', 'nonmatch', 'suspend', 'suspend', 'revoke', 'reissue', 'erase'],
  suspended: ['resume', 'revoke', 'erase'],
  revoked: ['reissue', 'erase'],
} as const
export type Status = keyof typeof VERBS
export type Verb = (typeof VERBS)[Status][number]
const AFTER: Readonly<Partial<Record<Verb, Status>>> = {
  enroll: 'active',
  suspend: 'suspended',
  resume: 'active',
  revoke: 'revoked',
  reissue: 'active',
  erase: 'none',
}

export interface Person {
  readonly name: string
  /** The face that the template is of. */
  readonly face: number
  status: Status
}

export function people(count: number = PEOPLE): Person[] {
  return Array.from({ length: count }, (_, face) => ({
    name: `person-${face}`,
    face,
    status: 'none' as const,
  }))
}

export function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)] as Item
}

/** Carries out one verb that is legal, or what `choose` makes of it. */
export async function perform(vault: Vault, person: Person, random: () => number): Promise<Verb> {
  const verb = pick<Verb>(VERBS[person.status], random)
  const { name, face } = person
  if (verb === 'enroll') await vault.enroll({ subject: name, basis: basis(), ...sample(face) })
  else if (verb === 'reissue') await vault.reissue({ subject: name, basis: basis(), ...sample(face) })
  else if (verb === 'match') await vault.verify({ subject: name, ...sample(face, 1) })
  else if (verb === 'nonmatch') await vault.verify({ subject: name, ...sample(face + 100) })
  else if (verb === 'revoke') await vault.revoke(name, 'withdrawn')
  else await vault[verb](name)
  person.status = AFTER[verb] ?? person.status
  return verb
}

export async function rotate({ vault, keyring }: Pick<TestVault, 'vault' | 'keyring'>): Promise<void> {
  await keyring.promote(await keyring.add())
  for await (const result of vault.rotate()) if (!result.ok) throw result.error
}

interface Snapshot {
  readonly copy: Copy
  /** The anchor as it was then. */
  readonly anchor: string
}

export interface RollbackTally {
  readonly trials: number
  /** Openings that ended with `ERR_AUDIT_ROLLBACK`. */
  readonly refused: number
  /** Copies that opened: nothing that is anchored had happened since. */
  readonly opened: number
  /** People that matched although they had been suspended, revoked or erased; `rejected` for any other error of opening. */
  readonly faults: readonly string[]
  /** The same copies with the anchor of their day: who matched again. */
  readonly revived: number
  /** Openings without an anchor that did not say so. */
  readonly unsaid: number
}

const TRIALS_EACH = 50

/** Old copies of stores at work, put back; `trials` of them, each from a random instant to another. */
export async function putStoresBack(
  trials: number,
  seed: number,
  places: Places = lmdbPlace,
): Promise<RollbackTally> {
  const tally = { trials: 0, refused: 0, opened: 0, faults: [] as string[], revived: 0, unsaid: 0 }
  for (let round = 0; tally.trials < trials; round++) {
    const most = Math.min(trials, tally.trials + TRIALS_EACH)
    await oneHistory(tally, most, numbers(seed + round), places)
  }
  return tally
}

type Mutable<Of> = { -readonly [Key in keyof Of]: Of[Key] }
type Tally = Mutable<Omit<RollbackTally, 'faults'>> & { readonly faults: string[] }

async function oneHistory(tally: Tally, most: number, random: () => number, places: Places): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), 'guise-rollback-'))
  const anchor = join(base, 'anchor')
  const place = await places(base)
  const { store } = place
  const made = await testVault({ store, anchor: fileAnchor(anchor), attempts: { realmPerHour: 1_000_000 } })
  const known = people()
  const snapshots: Snapshot[] = []
  try {
    for (let step = 0; tally.trials < most; step++) {
      if (random() < 0.05) await rotate(made)
      await perform(made.vault, pick(known, random), random)
      if (random() < 0.4) snapshots.push(await takeSnapshot(base, place, anchor, snapshots.length))
      if (step > 8 && snapshots.length > 2)
        await oneTrial(tally, { base, made, known, anchor }, pick(snapshots, random))
    }
  } finally {
    await made.vault.close()
    await place.end()
    rmSync(base, { recursive: true, force: true })
  }
}

async function takeSnapshot(base: string, place: Place, anchor: string, number: number): Promise<Snapshot> {
  const kept = join(base, `anchor-${number}`)
  // The anchor first: it may know less than the copy, never more.
  copyFileSync(anchor, kept)
  return { copy: await place.copy(number), anchor: kept }
}

interface Ground {
  readonly base: string
  readonly made: TestVault
  readonly known: readonly Person[]
  readonly anchor: string
}

async function oneTrial(tally: Tally, ground: Ground, snapshot: Snapshot): Promise<void> {
  tally.trials++
  const gone = ground.known.filter(({ status }) => status !== 'active')
  const matches = async (vault: Vault): Promise<string[]> => {
    const again: string[] = []
    for (const { name, face, status } of gone) {
      const decision = await vault.verify({ subject: name, ...sample(face, 2) })
      if (decision.outcome === 'match') again.push(`${name}, ${status}, matched`)
    }
    return again
  }
  const now = await withCopy(ground, snapshot, ground.anchor, matches)
  if (now === 'ERR_AUDIT_ROLLBACK') tally.refused++
  else if (typeof now === 'string') tally.faults.push(`rejected: ${now}`)
  else {
    tally.opened++
    tally.faults.push(...now)
  }
  // The control: the anchor went back together with the store.
  const then = await withCopy(ground, snapshot, snapshot.anchor, matches)
  tally.revived += typeof then === 'string' ? 0 : then.length
  if (tally.trials % 10 !== 0) return
  const without = await withCopy(ground, snapshot, undefined, async (vault) => vault.rollbackProtection)
  if (without !== false) tally.unsaid++
}

/** Opens a copy of the snapshot beside a copy of the anchor; the error's code when that fails. */
async function withCopy<Result>(
  { base, made }: Ground,
  { copy }: Snapshot,
  anchor: string | undefined,
  task: (vault: Vault) => Promise<Result>,
): Promise<Result | string> {
  const kept = join(base, 'anchor-put-back')
  rmSync(kept, { force: true })
  if (anchor !== undefined) copyFileSync(anchor, kept)
  const { store, end } = await copy()
  try {
    const keyring = await openKeyring({ realm: 'clinic', provider: made.provider, store })
    const opening = made.open({
      store,
      keyring,
      anchor: (anchor === undefined ? undefined : fileAnchor(kept)) as Anchor,
    })
    const code = await codeOf(opening)
    if (code !== 'resolved') return code
    await using vault = await opening
    return await task(vault)
  } finally {
    await end()
  }
}
