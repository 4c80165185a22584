/** The demo's theft: what a copy of the files gives, what revoking ends, and what it does not (SPEC §1). @module */
/// <reference types="node" />

import { join } from 'node:path'
import { secretBytes, wipe } from '../base/bytes.ts'
import type { ReferenceRow } from '../record/reference-row.ts'
import type { StateRow } from '../record/state-row.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Person } from './demo-cast.ts'
import { enrollment, type Finding, Outcomes, present, type Stage } from './demo-stage.ts'
import { count } from './io.ts'
import {
  codeOf,
  copyFiles,
  cosine,
  countOpened,
  guessFrom,
  hammingShare,
  nameOf,
  sealedCode,
  stealPreimage,
  withCopy,
} from './thief.ts'

/** What was taken from one person. */
interface Stolen {
  readonly person: Person
  /** Where the rows lay when they were taken. */
  readonly name: StateRow
  readonly reference: ReferenceRow
  /** What code and key together give. */
  preimage: Float64Array
}

/** A copy of the files, and what was made of it. */
export interface Loot {
  readonly store: string
  readonly keys: string
  readonly stolen: readonly Stolen[]
}

/** Live secrets that are tried on stolen codes. */
const MOST_SECRETS = 1000
/** What is as good as chance lies within so many standard deviations of it. */
const SIGMAS = 5

/** Copies the files; works on the copy without the provider's key, then with it. The live vault only answers. */
export async function* steal(stage: Stage, victims: readonly Person[]): AsyncGenerator<Finding, Loot> {
  const target = join(stage.folder, 'stolen')
  await copyFiles(stage.folder, target)
  const copy = { store: join(target, 'store'), keys: join(target, 'keys') }
  const stolen: Stolen[] = []
  yield await attackWithoutKey(stage, copy, victims)
  let cosines = 0
  await withCopy({ ...copy, key: stage.key }, stage.options, async (ctx) => {
    for (const person of victims) {
      const name = await nameOf(ctx, person.id)
      const preimage = await stealPreimage(ctx, name)
      stolen.push({ person, name, reference: await sealedCode(ctx, name), preimage })
      cosines += cosineToFace(stage, preimage, person)
      stage.onStep('opening the copy', stolen.length, victims.length)
    }
  })
  const outcomes = new Outcomes()
  for (const { person, preimage } of stolen) outcomes.add(await present(stage, person, preimage))
  const n = stolen.length
  const accepted = outcomes.match / n
  yield {
    step: 'thief',
    what: `the same copy with the keyring key: ${count(n)} codes opened and turned back into vectors`,
    result: `${count(outcomes.match)} of ${count(n)} accepted, cosine to the face ${(cosines / n).toFixed(3)}: NOT useless (SPEC §1)`,
    figures: { opened: n, accepted, cosine: cosines / n, n },
    // A thief of both succeeds. A demo in which that fails shows something else than it says.
    expected: !stage.cast.synthetic || accepted > 0.5,
  }
  return { ...copy, stolen }
}

/** The thief is even told whose row is whose. */
async function attackWithoutKey(
  stage: Stage,
  copy: { readonly store: string; readonly keys: string },
  victims: readonly Person[],
): Promise<Finding> {
  const opening = await codeOf(
    withCopy({ ...copy, key: secretBytes(32) }, stage.options, async () => undefined),
  )
  const outcomes = new Outcomes()
  let cosines = 0
  const store = await lmdbStore({ path: copy.store })
  try {
    const { bits, dimensions } = stage.ctx.settings.profile
    for (const person of victims) {
      const { ciphertext } = await sealedCode(stage.ctx, await nameOf(stage.ctx, person.id), store)
      const guess = guessFrom(ciphertext.subarray(0, bits / 8), dimensions)
      cosines += cosineToFace(stage, guess, person)
      outcomes.add(await present(stage, person, guess))
    }
  } finally {
    await store.close()
  }
  const n = victims.length
  const mean = cosines / n
  const chance = n * stage.cast.falseMatchRate
  return {
    step: 'thief',
    what: `database and key files copied, keyring key not: ${count(n)} sealed codes read as they are`,
    result: `${count(outcomes.match)} of ${count(n)} accepted, cosine to the face ${mean.toFixed(3)}; opening the copy ends in ${opening ?? 'success'}`,
    figures: { accepted: outcomes.match / n, cosine: mean, n, opening: opening ?? 'opened' },
    expected:
      opening === 'ERR_KEYS_PASSPHRASE' &&
      outcomes.match <= chance + SIGMAS * Math.sqrt(chance) + 1 &&
      Math.abs(mean) < SIGMAS / Math.sqrt(n * stage.cast.model.dimensions),
  }
}

/** Revokes and reissues the victims, then tries what was stolen on the vault as it is now. */
export async function* revokeAndReissue(stage: Stage, loot: Loot): AsyncGenerator<Finding> {
  const { vault, ctx, onStep, cast } = stage
  const revoked = new Outcomes()
  const again = new Outcomes()
  const stolenAgain = new Outcomes()
  let distance = 0
  let exposed = 0
  for (const [index, { person, reference, preimage }] of loot.stolen.entries()) {
    await vault.revoke(person.id, 'breach')
    revoked.add(await present(stage, person, person.samples[1]))
    await vault.reissue(enrollment(stage, person, person.samples[2]))
    again.add(await present(stage, person, person.samples[3]))
    stolenAgain.add(await present(stage, person, preimage))
    wipe(preimage)
    const fresh = await sealedCode(ctx, await nameOf(ctx, person.id))
    const bytes = ctx.settings.profile.bits / 8
    distance += hammingShare(reference.ciphertext.subarray(0, bytes), fresh.ciphertext.subarray(0, bytes))
    if ((await vault.describe(person.id))?.exposed === true) exposed++
    onStep('revoking and reissuing', index + 1, loot.stolen.length)
  }
  const n = loot.stolen.length
  yield {
    step: 'revoke',
    what: `${count(n)} templates revoked after the breach`,
    result: `${count(revoked.refused)} of ${count(n)} refused at once`,
    figures: { refused: revoked.refused / n, n },
    expected: revoked.refused === n,
  }
  yield {
    step: 'reissue',
    what: 'new templates from a fresh sample; stolen and new sealed codes beside each other',
    result: `${count(again.match)} of ${count(n)} people match; ${((100 * distance) / n).toFixed(1)} % of bits differ, 50 % is chance`,
    figures: { genuine: again.match / n, differingBits: distance / n, n },
    expected:
      Math.abs(distance / n - 0.5) < SIGMAS / (2 * Math.sqrt(n * ctx.settings.profile.bits)) &&
      (!cast.synthetic || again.match / n > 0.9),
  }
  yield await tryOldRows(stage, loot)
  yield {
    step: 'thief',
    what: 'vectors that were made with the key, presented to the new templates',
    result: `${count(stolenAgain.match)} of ${count(n)} accepted: reissue does not call this back; ${count(exposed)} people are flagged exposed`,
    figures: { accepted: stolenAgain.match / n, exposed, n },
    expected: exposed === n && (!cast.synthetic || stolenAgain.match / n > 0.5),
  }
}

/** Every secret that the live store holds, tried on every stolen code. */
async function tryOldRows({ ctx, cast, onStep }: Stage, { stolen }: Loot): Promise<Finding> {
  const references = stolen.map(({ reference }) => reference)
  const tried = cast.people.slice(0, MOST_SECRETS)
  let opened = 0
  for (const [index, { id }] of tried.entries()) {
    opened += await countOpened(ctx, await nameOf(ctx, id), references)
    onStep('trying stolen codes', index + 1, tried.length)
  }
  return {
    step: 'revoke',
    what: `${count(stolen.length)} stolen codes, which the key opened, against ${count(tried.length)} secrets of the live store`,
    result: `${count(opened)} open`,
    figures: { opened, codes: stolen.length, secrets: tried.length },
    expected: opened === 0,
  }
}

/** After the old epoch was destroyed: the old copy, with all keys as they are today. */
export async function oldCopyWithNewKeys(stage: Stage, { store, stolen }: Loot): Promise<Finding> {
  const keys = join(stage.folder, 'keys')
  const codes = new Map<string, number>()
  for (const { name } of stolen) {
    const code = await codeOf(
      withCopy({ store, keys, key: stage.key }, stage.options, (ctx) => stealPreimage(ctx, name)),
    )
    codes.set(code ?? 'opened', (codes.get(code ?? 'opened') ?? 0) + 1)
  }
  const n = stolen.length
  const opened = codes.get('opened') ?? 0
  return {
    step: 'rotate',
    what: 'the old copy of the database, with every key of today: the destroyed epoch is not among them',
    result: `${count(opened)} of ${count(n)} codes open; opening ends in ${[...codes.keys()].join(', ')}`,
    figures: { opened, n, opening: [...codes.keys()].join(', ') },
    expected: opened === 0,
  }
}

function cosineToFace({ cast }: Stage, vector: Float64Array, { samples }: Person): number {
  const { mean } = cast.model
  const [face] = samples
  return cosine(vector, mean === undefined ? face : face.map((value, i) => value - (mean[i] as number)))
}
