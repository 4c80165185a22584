/** The demo's story: a vault on LMDB, from the first enrolment to the last erasure, with synthetic people. @module */
/// <reference types="node" />

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { secretBytes } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import { GuiseError } from '../base/errors.ts'
import { randomBytes } from '../crypto/random.ts'
import type { Dataset } from '../dataset/dataset.ts'
import { syntheticPeople } from '../dataset/synthetic.ts'
import { embedding } from '../embedding/embedding.ts'
import type { Model } from '../embedding/model.ts'
import { calibrate } from '../evaluate/calibrate.ts'
import { createKeyring, type Keyring, openKeyring } from '../keys/keyring.ts'
import { localKeyProvider } from '../keys/local.ts'
import type { Basis } from '../policy/basis.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { lmdbStore } from '../store/lmdb.ts'
import type { Store } from '../store/store.ts'
import { openContext, openVault } from '../vault/open.ts'
import { allowUnattestedCapture } from '../vault/symbols.ts'
import type { EnrollRequest, VaultOptions } from '../vault/types.ts'
import type { Vault } from '../vault/vault.ts'
import { Needles, scanFolder } from './byte-scan.ts'
import { cosine, guessFrom, hammingShare, isAccepted, sealedCode, stealPreimage } from './demo-thief.ts'

/** One line of the demo's table, and one entry of its JSON. */
export interface Finding {
  readonly step: string
  readonly what: string
  readonly result: string
  /** Numbers behind the result, as fractions and counts. */
  readonly figures: Readonly<Record<string, number | string | boolean>>
  /** False when the result is not what guise promises: the demo then fails. */
  readonly expected: boolean
}

export interface StoryOptions {
  readonly people: number
  readonly seed: string
  readonly onProgress: (label: string, done: number, total: number) => void
}

const MODEL: Model = { id: 'synthetic-face@1', dimensions: 512, metric: 'cosine' }
const PURPOSE = 'login'
const REALM = 'demo'
/** Samples of a person: enrolment, probe, reissue, probe after reissue. */
const SAMPLES = 4
const CALIBRATION_PEOPLE = 400
const THEFTS = 100
const ERASED = 10

/** Everything the chapters of the story share. */
interface Stage {
  readonly folder: string
  readonly key: Uint8Array
  readonly store: Store
  readonly keyring: Keyring
  readonly vault: Vault
  readonly options: VaultOptions
  readonly people: readonly (readonly Float32Array[])[]
  readonly story: StoryOptions
}

/** Runs the story and yields its findings as they come. The folder is removed at the end. */
export async function* tellStory(story: StoryOptions): AsyncGenerator<Finding> {
  const folder = await mkdtemp(join(tmpdir(), 'guise-demo-'))
  try {
    const people = await drawPeople(story)
    const point = await calibrateOnOthers(story)
    yield point.finding
    const key = randomBytes(32)
    const provider = localKeyProvider({ path: join(folder, 'keys'), key })
    const store = await lmdbStore({ path: join(folder, 'store') })
    const keyring = await createKeyring({ realm: REALM, provider, store })
    const options: VaultOptions = {
      keyring,
      store,
      model: MODEL,
      purpose: PURPOSE,
      operatingPoints: [point.operatingPoint],
      custody: { profile: 'operator' },
    }
    const vault = await openVault(options)
    const stage: Stage = { folder, key, store, keyring, vault, options, people, story }
    try {
      yield await enrollAll(stage)
      yield await verifyAll(stage)
      yield* steal(stage)
      yield* revokeAndReissue(stage)
      yield* eraseAndRotate(stage)
      yield await scanDisk(stage)
    } finally {
      await vault.close()
      keyring.close()
      provider.close()
      await store.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The vectors of everybody who is enrolled: `SAMPLES` for each person. */
async function drawPeople(story: StoryOptions): Promise<readonly (readonly Float32Array[])[]> {
  const { people: subjects, seed } = story
  const people: Float32Array[][] = []
  const dataset: Dataset = syntheticPeople({ seed, subjects, samples: SAMPLES, dimensions: MODEL.dimensions })
  for await (const { row, vector } of dataset.read()) {
    const samples = people[Math.floor(row / SAMPLES)] ?? []
    samples.push(vector)
    people[Math.floor(row / SAMPLES)] = samples
    story.onProgress('drawing synthetic people', row, subjects * SAMPLES)
  }
  return people
}

async function calibrateOnOthers(
  story: StoryOptions,
): Promise<{ operatingPoint: OperatingPoint; finding: Finding }> {
  const others = syntheticPeople({
    seed: `${story.seed} calibration`,
    subjects: CALIBRATION_PEOPLE,
    samples: 2,
    dimensions: MODEL.dimensions,
  })
  const { operatingPoint } = await calibrate(others, {
    model: MODEL,
    falseMatchRate: 1e-4,
    onProgress: (done, total) => story.onProgress('calibrating on other people', done, total),
  })
  const { value, high, trials } = operatingPoint.falseMatchRate
  return {
    operatingPoint,
    finding: {
      step: 'calibrate',
      what: `${CALIBRATION_PEOPLE} other synthetic people, false match rate at most 1 in 10,000`,
      result: `threshold ${operatingPoint.threshold / 1e4}, measured ${value.toExponential(1)} (up to ${high.toExponential(1)}, n = ${trials})`,
      figures: { threshold: operatingPoint.threshold, falseMatchRate: value, high, trials },
      expected: value <= 1e-4,
    },
  }
}

async function enrollAll({ vault, people, story }: Stage): Promise<Finding> {
  const startMs = systemClock.steady().ms
  let done = 0
  let failed = 0
  const requests = function* (): Generator<EnrollRequest> {
    for (const [person, samples] of people.entries()) yield request(person, samples[0] as Float32Array)
  }
  for await (const result of vault.enrollMany(requests())) {
    if (!result.ok) failed++
    story.onProgress('enrolling', ++done, people.length)
  }
  const seconds = Math.max(0.001, (systemClock.steady().ms - startMs) / 1000)
  return {
    step: 'enroll',
    what: `${people.length} people, each durable on disk`,
    result: `${done - failed} enrolled, ${Math.round(done / seconds)} a second`,
    figures: { enrolled: done - failed, failed, perSecond: done / seconds },
    expected: failed === 0,
  }
}

async function verifyAll({ vault, people, story }: Stage): Promise<Finding> {
  let genuine = 0
  let impostors = 0
  for (const [person, samples] of people.entries()) {
    const other = people[(person + 1) % people.length] as readonly Float32Array[]
    if (await isAccepted(vault, MODEL, name(person), other[1] as Float32Array)) impostors++
    if (await isAccepted(vault, MODEL, name(person), samples[1] as Float32Array)) genuine++
    story.onProgress('verifying', person + 1, people.length)
  }
  const n = people.length
  return {
    step: 'verify',
    what: `a fresh sample of each person, and one of somebody else`,
    result: `${genuine} of ${n} people matched, ${impostors} of ${n} impostors`,
    figures: { genuine: genuine / n, impostors: impostors / n, n },
    expected: genuine / n > 0.9 && impostors / n < 0.01,
  }
}

async function* steal(stage: Stage): AsyncGenerator<Finding> {
  const { vault, options, people } = stage
  const count = Math.min(THEFTS, people.length)
  const ctx = await openContext(options)
  let guessed = 0
  let guessCosine = 0
  for (let person = 0; person < count; person++) {
    const guess = guessFrom(await sealedCode(ctx, name(person)), MODEL.dimensions)
    guessCosine += cosine(guess, people[person]?.[0] as Float32Array) / count
    if (await isAccepted(vault, MODEL, name(person), guess)) guessed++
    await vault.rebind(name(person))
  }
  const opened = await openWithoutKey(stage)
  yield {
    step: 'thief',
    what: `database stolen, keyring key not: reading ${count} sealed codes as they are`,
    result: `${guessed} of ${count} accepted, cosine to the face ${guessCosine.toFixed(3)}; opening says ${opened}`,
    figures: { accepted: guessed / count, cosine: guessCosine, n: count, opening: opened },
    expected: guessed <= Math.ceil(count / 100) && opened.startsWith('ERR_KEYS_'),
  }
  let accepted = 0
  let stolenCosine = 0
  for (let person = 0; person < count; person++) {
    const preimage = await stealPreimage(ctx, name(person))
    stolenCosine += cosine(preimage, people[person]?.[0] as Float32Array) / count
    if (await isAccepted(vault, MODEL, name(person), preimage)) accepted++
  }
  yield {
    step: 'thief',
    what: `database and keyring key stolen together: ${count} codes opened and turned back`,
    result: `${accepted} of ${count} accepted, cosine to the face ${stolenCosine.toFixed(3)}: NOT useless (SPEC §1)`,
    figures: { accepted: accepted / count, cosine: stolenCosine, n: count },
    expected: true,
  }
}

/** What the thief's own opening of the keyring ends in. */
async function openWithoutKey(stage: Stage): Promise<string> {
  const provider = localKeyProvider({ path: join(stage.folder, 'keys'), key: secretBytes(32) })
  try {
    const ring = await openKeyring({ realm: REALM, provider, store: stage.store })
    ring.close()
    return 'opened'
  } catch (error) {
    return error instanceof GuiseError ? error.code : 'an error'
  } finally {
    provider.close()
  }
}

async function* revokeAndReissue(stage: Stage): AsyncGenerator<Finding> {
  const { vault, options, people, story } = stage
  const count = Math.min(THEFTS, people.length)
  const ctx = await openContext(options)
  let refused = 0
  let again = 0
  let stolenAgain = 0
  const distances: number[] = []
  for (let person = 0; person < count; person++) {
    const samples = people[person] as readonly Float32Array[]
    const before = await sealedCode(ctx, name(person))
    const stolen = await stealPreimage(ctx, name(person))
    await vault.revoke(name(person), 'breach')
    if (!(await isAccepted(vault, MODEL, name(person), samples[1] as Float32Array))) refused++
    await vault.reissue(request(person, samples[2] as Float32Array))
    if (await isAccepted(vault, MODEL, name(person), samples[3] as Float32Array)) again++
    if (await isAccepted(vault, MODEL, name(person), stolen)) stolenAgain++
    distances.push(hammingShare(before, await sealedCode(ctx, name(person))))
    story.onProgress('revoking and reissuing', person + 1, count)
  }
  const mean = distances.reduce((sum, value) => sum + value, 0) / count
  yield {
    step: 'revoke',
    what: `${count} templates revoked after the breach`,
    result: `${refused} of ${count} refused at once`,
    figures: { refused: refused / count, n: count },
    expected: refused === count,
  }
  yield {
    step: 'reissue',
    what: 'new templates from a fresh sample; old and new sealed codes beside each other',
    result: `${again} of ${count} people match; ${(mean * 100).toFixed(1)} % of bits differ, 50 % is chance`,
    figures: { genuine: again / count, differingBits: mean, n: count },
    expected: Math.abs(mean - 0.5) < 0.02,
  }
  yield {
    step: 'thief',
    what: 'what was stolen with the keys, presented to the new templates',
    result: `${stolenAgain} of ${count} accepted: reissue does not call this back; these subjects are flagged exposed`,
    figures: { accepted: stolenAgain / count, n: count },
    expected: true,
  }
}

async function* eraseAndRotate(stage: Stage): AsyncGenerator<Finding> {
  const { vault, keyring, people, story } = stage
  const last = people.length - ERASED
  const receipts = []
  for (let person = last; person < people.length; person++) receipts.push(await vault.erase(name(person)))
  const epoch = await keyring.add()
  await keyring.promote(epoch)
  let rotated = 0
  for await (const result of vault.rotate()) {
    if (result.ok) rotated++
    story.onProgress('rotating', rotated, last)
  }
  await keyring.disable(1)
  await keyring.destroy(1)
  let matched = 0
  const probes = Math.min(THEFTS, last)
  for (let person = last - probes; person < last; person++) {
    if (await isAccepted(vault, MODEL, name(person), people[person]?.[1] as Float32Array)) matched++
  }
  yield {
    step: 'rotate',
    what: 'every wrap moved to a new epoch without a face, the old epoch destroyed',
    result: `${rotated} of ${last} moved, ${matched} of ${probes} people still match`,
    figures: { rotated, matched: matched / probes, n: probes },
    expected: rotated === last && matched / probes > 0.9,
  }
  let gone = 0
  for (const receipt of receipts) {
    const { irrecoverable } = await vault.renewReceipt(receipt)
    if (irrecoverable !== 'never' && 'at' in irrecoverable) gone++
  }
  yield {
    step: 'erase',
    what: `${ERASED} people erased, signed receipts, then the epoch that wrapped them destroyed`,
    result: `${gone} of ${ERASED} receipts say irrecoverable`,
    figures: { irrecoverable: gone / ERASED, n: ERASED },
    expected: gone === ERASED,
  }
}

/** Looks for every vector in every file, and for one that was put there on purpose. */
async function scanDisk({ folder, people }: Stage): Promise<Finding> {
  const needles = new Needles()
  for (const samples of people) for (const vector of samples) needles.addVector(vector)
  for (const [person] of people.entries())
    needles.add(new TextEncoder().encode(`${name(person)} of the demo`))
  const { files, bytes, hits } = await scanFolder(folder, needles)
  const planted = people[0]?.[0] as Float32Array
  const control = needles.count(new Uint8Array(planted.buffer, planted.byteOffset, planted.byteLength))
  return {
    step: 'scan',
    what: `${files} files, ${(bytes / 1e6).toFixed(1)} MB, for every vector of ${people.length} people`,
    result: `${hits} pieces found; in a file with one planted vector ${control}`,
    figures: { files, bytes, hits, control },
    expected: hits === 0 && control > 0,
  }
}

function request(person: number, vector: Float32Array): EnrollRequest {
  return {
    subject: name(person),
    basis: basis(),
    embedding: embedding(vector, MODEL),
    [allowUnattestedCapture]: true,
  }
}

function name(person: number): string {
  return `person-${person}`
}

function basis(): Basis {
  const nowMs = systemClock.nowMs()
  return {
    kind: 'consent',
    purpose: PURPOSE,
    grantedAt: new Date(nowMs),
    expiresAt: new Date(nowMs + 365 * 86_400_000),
    noticeVersion: 'demo-1',
    evidence: new Uint8Array(32).fill(1),
    separateConsent: true,
  }
}
