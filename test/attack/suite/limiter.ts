/** B14 and B15 against a whole vault: its limiter, and what each custody opens to a thief (SPEC §12.3, §15.7). @module */

import {
  allowUnattestedCapture,
  type Embedding,
  embedding,
  type Model,
  memoryStore,
  type ShareSource,
} from 'guise'
import type { Bits } from '../../../src/policy/operating-point.ts'
import { basis, manualClock, point, type TestVault, testVault } from '../../support/vault.ts'
import { row } from '../matrix.ts'
import { cosine, facesOf } from './faces.ts'
import { directionOf, type Halves, halvesOf, spread, type Target } from './halves.ts'
import { type Figure, meanOf, plain, type Scenario, shareOf } from './measure.ts'
import { walk } from './walk.ts'

const DELAY_MS = 30_000

export const limited: Scenario = {
  attack: 'B14',
  title: 'the same walk against a vault with its limiter on; whoever walks waits out every delay',
  ofPeople: true,
  run: async (circumstances) => {
    const halves = await halvesOf(circumstances)
    const targets = spread(halves.targets, circumstances.tier === 'smoke' ? 12 : 100)
    const figures: Figure[] = []
    for (const [consecutive, total] of [
      [5, 50],
      [10, 100],
    ] as const) {
      const trips = await tripsOf(halves, targets[0] as Target, { consecutive, total })
      const name = `limits ${consecutive} and ${total}`
      figures.push(
        plain(`${name}: failures before a delay`, trips.before, 1),
        plain(`${name}: failures before no answer comes`, trips.inAll, 1),
      )
    }
    return [...figures, ...(await walks(halves, targets))]
  },
}

/** Shows strangers until nothing is answered, waiting out each delay. */
async function tripsOf(
  halves: Halves,
  target: Target,
  attempts: { readonly consecutive: number; readonly total: number },
): Promise<{ readonly before: number; readonly inAll: number }> {
  const clock = manualClock()
  const { vault } = await vaultFor(halves, { clock, attempts })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sampleOf(halves, target.enrolled) })
  let failures = 0
  let before = -1
  for (let refusals = 0; refusals < 2; ) {
    const decision = await vault.verify({
      subject: 'anna',
      ...sampleOf(halves, halves.known[failures] as number),
    })
    if (decision.outcome === 'match') continue
    if (decision.outcome === 'nonmatch') {
      failures++
      refusals = 0
      continue
    }
    if (before < 0) before = failures
    refusals++
    clock.advance(DELAY_MS)
  }
  return { before, inAll: failures }
}

async function walks(halves: Halves, targets: readonly Target[]): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const [name, queries, careful] of [
    ['at most 100 queries', 100, false],
    ['one refusal for an end, until no answer comes', 10_000, true],
  ] as const) {
    const gains: number[] = []
    const answers: number[] = []
    for (const [index, target] of (careful ? spread(targets, 5) : targets).entries()) {
      const { gain, answered } = await walkOne(halves, target, { queries, careful, first: 31 * index })
      gains.push(gain)
      answers.push(answered)
    }
    figures.push(meanOf(`vault, ${name}: cosine gained`, gains), meanOf(`vault, ${name}: answers`, answers))
  }
  return figures
}

async function walkOne(
  halves: Halves,
  target: Target,
  plan: { readonly queries: number; readonly careful: boolean; readonly first: number },
): Promise<{ readonly gain: number; readonly answered: number }> {
  const clock = manualClock()
  const { vault } = await vaultFor(halves, { clock })
  await vault.enroll({ subject: 'anna', basis: basis(), ...sampleOf(halves, target.enrolled) })
  const faces = facesOf(halves.people, [target.enrolled, target.other])
  const [face, start] = [row(faces, 0), row(faces, 1)]
  let end = start
  let answered = 0
  const ask = async (vector: Float64Array): Promise<boolean | undefined> => {
    for (let tries = 0; tries < 2; tries++) {
      const given = { embedding: embedding(vector, modelOf(halves)), [allowUnattestedCapture]: true } as const
      const { outcome } = await vault.verify({ subject: 'anna', ...given })
      if (outcome !== 'refused') {
        answered++
        return outcome === 'match'
      }
      clock.advance(DELAY_MS)
    }
    return undefined
  }
  await walk(start, {
    ask,
    queries: plan.queries,
    careful: plan.careful,
    direction: (turn) => directionOf(halves, plan.first + turn),
    step: (_, at) => {
      end = at
    },
  })
  return { gain: cosine(end, face) - cosine(start, face), answered }
}

export const custody: Scenario = {
  attack: 'B15',
  title: 'all rows and the key provider are stolen: who opens with the face itself, by custody',
  ofPeople: true,
  run: async (circumstances) => {
    const halves = await halvesOf(circumstances)
    const targets = spread(halves.targets, circumstances.tier === 'smoke' ? 20 : 100)
    const figures: Figure[] = []
    for (const [name, profile, share] of [
      ['operator', 'operator', undefined],
      ['holder, no share', 'holder', undefined],
      ['holder, another’s share', 'holder', 'another'],
      ['holder, with the share', 'holder', 'own'],
    ] as const) {
      const stolen = await vaultFor(halves, { custody: { profile } })
      for (const [index, target] of targets.entries()) {
        await stolen.vault.enroll({
          subject: `subject-${index}`,
          basis: basis(),
          ...sampleOf(halves, target.enrolled),
          ...(profile === 'holder' ? { holderShare: shareFor(index) } : {}),
        })
      }
      let opened = 0
      for (const [index, target] of targets.entries()) {
        const holderShare = share === undefined ? undefined : shareFor(share === 'own' ? index : index + 1000)
        const decision = await stolen.vault
          .verify({
            subject: `subject-${index}`,
            ...sampleOf(halves, target.enrolled),
            ...(holderShare === undefined ? {} : { holderShare }),
          })
          .catch(() => undefined)
        opened += Number(decision?.outcome === 'match')
      }
      figures.push(shareOf(`${name}: opened by the face itself`, opened, targets.length))
    }
    return figures
  },
}

function shareFor(index: number): ShareSource {
  return async () => new Uint8Array(32).fill(0).map((_, i) => (index * 31 + i * 7 + 1) & 255)
}

function modelOf({ people }: Halves): Model {
  return { id: 'attack@1', dimensions: people.dimensions, metric: 'cosine' }
}

function sampleOf(
  halves: Halves,
  sample: number,
): { readonly embedding: Embedding; readonly [allowUnattestedCapture]: true } {
  const face = row(facesOf(halves.people, [sample]), 0)
  return { embedding: embedding(face, modelOf(halves)), [allowUnattestedCapture]: true }
}

function vaultFor(halves: Halves, options: Parameters<typeof testVault>[0]): Promise<TestVault> {
  const bits = halves.bits.at(-1) as Bits
  const model = modelOf(halves)
  return testVault({
    model,
    bits,
    store: memoryStore(),
    operatingPoints: [point(model, bits, halves.of(bits)['1e-4'])],
    ...options,
  })
}
