/** The demo's story: a vault on LMDB, from the first enrolment to the last erasure and a look at the disk. @module */
/// <reference types="node" />

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { logSigner } from '../audit/checkpoint.ts'
import { fileAnchor } from '../audit/file-anchor.ts'
import { concatBytes, wipe } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { randomBytes } from '../crypto/random.ts'
import { embedding, toIntegers } from '../embedding/embedding.ts'
import { calibrate } from '../evaluate/calibrate.ts'
import { createKeyring } from '../keys/keyring.ts'
import { localKeyProvider } from '../keys/local.ts'
import { HIGHEST_FALSE_MATCH_RATE, type OperatingPoint } from '../policy/operating-point.ts'
import { lmdbStore } from '../store/lmdb.ts'
import { openContext, openVault } from '../vault/open.ts'
import { allowHighFalseMatchRate } from '../vault/symbols.ts'
import type { EnrollRequest, ErasureReceipt, VaultOptions } from '../vault/types.ts'
import { Needles, scanFolder } from './byte-scan.ts'
import type { Cast, OnStep, Person } from './demo-cast.ts'
import { putBack, verifyAll as verifyLogOf } from './demo-log.ts'
import { enrollment, type Finding, Outcomes, PURPOSE, present, type Stage } from './demo-stage.ts'
import { oldCopyWithNewKeys, revokeAndReissue, steal } from './demo-theft.ts'
import { count } from './io.ts'
import { temporaryFolder } from './temporary-folder.ts'

const REALM = 'demo'
const THEFTS = 100
/** One in so many people is erased. */
const ERASED_SHARE = 50
/** Of so many people every vector is looked for. */
const MOST_SCANNED = 1000
const PLANTED = 'planted.bin'

/** Runs the story and yields its findings as they come. The folder is removed at the end. */
export async function* tellStory(cast: Cast, onStep: OnStep): AsyncGenerator<Finding> {
  const temporary = temporaryFolder('guise-demo-')
  const folder = temporary.path
  try {
    const { operatingPoint, finding } = await calibrateOnOthers(cast, onStep)
    yield finding
    const key = randomBytes(32)
    const provider = localKeyProvider({ path: join(folder, 'keys'), key })
    const store = await lmdbStore({ path: join(folder, 'store') })
    const keyring = await createKeyring({ realm: REALM, provider, store })
    const signer = await logSigner(`${REALM}.example/guise`, randomBytes(32))
    const options: VaultOptions = {
      keyring,
      store,
      model: cast.model,
      purpose: PURPOSE,
      operatingPoints: [operatingPoint],
      custody: { profile: 'operator' },
      logSigner: signer,
      // Beside the store here; in truth where the store's backups do not reach.
      anchor: fileAnchor(join(folder, 'anchor')),
      // Everybody is also attacked once: more failures an hour than a realm usually bears.
      attempts: { realmPerHour: 1_000_000 },
      ...(cast.falseMatchRate > HIGHEST_FALSE_MATCH_RATE && { [allowHighFalseMatchRate]: true }),
    }
    const vault = await openVault(options)
    const ctx = await openContext(options)
    try {
      yield* chapters({ folder, key, cast, store, keyring, vault, options, ctx, onStep })
    } finally {
      await vault.close()
      await ctx.ledger.close()
      signer.close()
      keyring.close()
      provider.close()
      await store.close()
    }
  } finally {
    temporary.remove()
  }
}

async function* chapters(stage: Stage): AsyncGenerator<Finding> {
  const { people } = stage.cast
  const victims = people.slice(0, Math.min(THEFTS, Math.ceil(people.length / 2)))
  const leavers = people.slice(-Math.ceil(people.length / ERASED_SHARE))
  yield await enrollAll(stage)
  yield await verifyAll(stage)
  const loot = yield* steal(stage, victims)
  yield* revokeAndReissue(stage, loot)
  yield await putBack(stage, loot)
  const receipts: ErasureReceipt[] = []
  for (const { id } of leavers) receipts.push(await stage.vault.erase(id))
  const staying = people.slice(0, -leavers.length)
  yield await rotate(stage, staying.length, staying.slice(victims.length).slice(-THEFTS))
  yield await oldCopyWithNewKeys(stage, loot)
  yield await confirmErasure(stage, receipts)
  yield await verifyLogOf(stage)
  yield await scanDisk(stage)
}

async function calibrateOnOthers(
  { others, othersCount, synthetic, model, falseMatchRate }: Cast,
  onStep: OnStep,
): Promise<{ operatingPoint: OperatingPoint; finding: Finding }> {
  const { operatingPoint } = await calibrate(others, {
    model,
    falseMatchRate,
    onProgress: (done, total) => onStep('calibrating on other people', done, total),
  })
  const { threshold, falseMatchRate: measured } = operatingPoint
  const { value, high, trials } = measured
  return {
    operatingPoint,
    finding: {
      step: 'calibrate',
      what: `${count(othersCount)} other ${synthetic ? 'synthetic ' : ''}people, false match rate at most 1 in ${count(Math.floor(1 / falseMatchRate))}`,
      result: `threshold ${threshold / 1e4}, measured ${value.toExponential(1)} (up to ${high.toExponential(1)}, n = ${count(trials)})`,
      figures: { threshold, falseMatchRate: value, high, trials, target: falseMatchRate },
      expected: value <= falseMatchRate,
    },
  }
}

async function enrollAll(stage: Stage): Promise<Finding> {
  const { vault, cast, onStep } = stage
  const { people } = cast
  const startMs = systemClock.steady().ms
  let done = 0
  let failed = 0
  const requests = function* (): Generator<EnrollRequest> {
    for (const person of people) yield enrollment(stage, person, person.samples[0])
  }
  for await (const result of vault.enrollMany(requests())) {
    if (!result.ok) failed++
    onStep('enrolling', ++done, people.length)
  }
  const perSecond = Math.round((1000 * done) / Math.max(1, systemClock.steady().ms - startMs))
  return {
    step: 'enroll',
    what: `${count(people.length)} people, each durable on disk`,
    result: `${count(done - failed)} enrolled, ${count(perSecond)} a second`,
    figures: { enrolled: done - failed, failed, perSecond },
    expected: failed === 0,
  }
}

async function verifyAll(stage: Stage): Promise<Finding> {
  const { synthetic, people } = stage.cast
  const genuine = new Outcomes()
  const impostors = new Outcomes()
  for (const [index, person] of people.entries()) {
    const other = people[(index + 1) % people.length] as Person
    impostors.add(await present(stage, person, other.samples[1]))
    genuine.add(await present(stage, person, person.samples[1]))
    stage.onStep('verifying', index + 1, people.length)
  }
  const n = people.length
  const rates = { genuine: genuine.match / n, impostors: impostors.match / n }
  const refused = genuine.refused + impostors.refused
  return {
    step: 'verify',
    what: 'a fresh sample of each person, and one of somebody else',
    result: `${count(genuine.match)} of ${count(n)} people matched, ${count(impostors.match)} of ${count(n)} impostors`,
    figures: { ...rates, refused, n },
    // How accurate a model is on real faces is a measurement, not a promise.
    expected: refused === 0 && (!synthetic || (rates.genuine > 0.9 && rates.impostors < 0.01)),
  }
}

async function rotate(stage: Stage, staying: number, probed: readonly Person[]): Promise<Finding> {
  const { vault, keyring, onStep, cast } = stage
  const first = keyring.primary
  const epoch = await keyring.add()
  await keyring.promote(epoch)
  let rotated = 0
  for await (const result of vault.rotate()) {
    if (result.ok) rotated++
    onStep('rotating', rotated, staying)
  }
  await keyring.disable(first)
  await keyring.destroy(first)
  const genuine = new Outcomes()
  for (const person of probed) genuine.add(await present(stage, person, person.samples[1]))
  const n = probed.length
  return {
    step: 'rotate',
    what: 'every wrap moved to a new epoch without a face, the old epoch destroyed',
    result: `${count(rotated)} of ${count(staying)} moved, ${count(genuine.match)} of ${count(n)} people match`,
    figures: { rotated, matched: genuine.match / n, n },
    expected: rotated === staying && genuine.refused === 0 && (!cast.synthetic || genuine.match / n > 0.9),
  }
}

async function confirmErasure({ vault }: Stage, receipts: readonly ErasureReceipt[]): Promise<Finding> {
  let gone = 0
  for (const receipt of receipts) {
    const { irrecoverable } = await vault.renewReceipt(receipt)
    if (irrecoverable !== 'never' && 'at' in irrecoverable) gone++
  }
  const n = receipts.length
  return {
    step: 'erase',
    what: `${count(n)} people erased, signed receipts, then the epoch that wrapped them destroyed`,
    result: `${count(gone)} of ${count(n)} receipts say irrecoverable`,
    figures: { irrecoverable: gone / n, n },
    expected: gone === n,
  }
}

/** Looks into every file, the stolen copy too; one file is planted, so that the scan shows that it sees. */
async function scanDisk({ folder, cast }: Stage): Promise<Finding> {
  const needles = new Needles()
  const scanned = cast.people.slice(0, MOST_SCANNED)
  const planted: Uint8Array[] = []
  let pieces = 0
  for (const { id, samples } of scanned) {
    // Who has few samples uses some of them twice.
    const vectors = [...new Set(samples)].flatMap((vector) => encodings(vector, cast))
    const looked = [new TextEncoder().encode(id), ...vectors]
    const added = looked.map((bytes) => needles.add(bytes))
    if (planted.length > 0) continue
    // The name and one sample in each encoding, at odd offsets.
    for (const bytes of looked.slice(0, 4)) planted.push(new Uint8Array(3), bytes)
    pieces = added.slice(0, 4).reduce((sum, value) => sum + value, 0)
  }
  const file = join(folder, PLANTED)
  await writeFile(file, concatBytes(...planted))
  const { files, bytes, hits, found } = await scanFolder(folder, needles)
  await rm(file)
  wipe(...planted)
  const control = found.includes(PLANTED) ? pieces : 0
  const elsewhere = hits - pieces
  return {
    step: 'scan',
    what: `${files - 1} files, ${(bytes / 1e6).toFixed(1)} MB, the stolen copy too, for every vector and identifier of ${count(scanned.length)} people as 32-bit and 64-bit floats and integers`,
    result: `${count(elsewhere)} pieces found; in one file planted as a control ${count(control)} of ${count(pieces)}`,
    figures: { files: files - 1, bytes, hits: elsewhere, control, planted: pieces, people: scanned.length },
    expected: elsewhere === 0 && control === pieces && found.length === 1,
  }
}

/** A vector as it would lie about: floats of both lengths, and the integers that are rotated. */
function encodings(vector: Float32Array, { model }: Cast): Uint8Array[] {
  const held = embedding(vector, model)
  const views = [vector, Float64Array.from(vector), toIntegers(held)]
  held[Symbol.dispose]()
  return views.map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
}
