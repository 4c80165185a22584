/** The attacks on stolen templates and the controls beside them (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import type { Model } from '../embedding/model.ts'
import type { Bits } from '../policy/operating-point.ts'
import type { Suite } from '../transform/suite.ts'
import type { InversionFigures } from './figures.ts'
import {
  acceptedAt,
  cosineFigures,
  cosineShares,
  drawSubjects,
  mean,
  type SubjectDraws,
  worstKey,
} from './inversion-figures.ts'
import type { Target, Thresholds } from './inversion-plan.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import { cosineTo, integersOf } from './preimage.ts'
import { type Acceptance, type Acceptances, type Presented, present } from './presentation.ts'
import { SeededRandom, seededKey } from './random.ts'
import type { BitGroup } from './scores.ts'
import { KEY_USES, type Theft, type Thefts } from './theft.ts'

export interface AttackOptions {
  readonly suite: Suite
  readonly seed: string
  readonly keys: number
  readonly replicates: number
}

const DISCLOSED = {
  none: 'nothing',
  code: 'code',
  linear: 'code+key',
  prior: 'code+key',
  face: 'face',
} as const satisfies Record<string, InversionFigures['disclosed']>

type AttackName = keyof typeof DISCLOSED

/** Preimages of all targets by one attack, as presented; cosines to the stolen and to the other capture. */
interface Preimages extends Presented {
  readonly name: AttackName
  readonly cosines: ReadonlyMap<Bits, { readonly own: Float64Array; readonly other: Float64Array }>
  wipe(): void
}

/** Steals every target's template in turn and presents what comes of it, for numbers of bits that share a rotation. */
export async function measureInversions(
  people: People,
  targets: readonly Target[],
  group: BitGroup,
  { thefts, thresholds }: { readonly thefts: Thefts; readonly thresholds: Thresholds },
  options: AttackOptions,
  pace: Pace,
): Promise<readonly InversionFigures[]> {
  const { suite, seed, keys, replicates } = options
  const attacks = await makePreimages(people, targets, group, thefts, seed, pace)
  try {
    const common = { suite, group, thresholds: thresholds.byBits }
    const at = (kind: keyof Target) => (target: number) => (targets[target] as Target)[kind]
    const same = await present(
      people,
      targets.length,
      attacks,
      {
        ...common,
        keys: 1,
        keyOf: (target) => seededKey(seed, KEY_USES.stolen, group.n, at('sample')(target)),
        referenceOf: at('sample'),
      },
      pace,
    )
    const reissued = await present(
      people,
      targets.length,
      attacks,
      {
        ...common,
        keys: 1,
        keyOf: (target) => seededKey(seed, KEY_USES.reissued, group.n, target),
        referenceOf: at('other'),
      },
      pace,
    )
    const fresh = await present(
      people,
      targets.length,
      attacks,
      {
        ...common,
        keys,
        keyOf: (_, key) => seededKey(seed, KEY_USES.fresh, key),
        referenceOf: at('other'),
      },
      pace,
    )
    const draws = drawSubjects(
      targets.map(({ sample }) => people.subjectOf[sample] as number),
      replicates,
      seed,
    )
    return group.bits.flatMap((bits) =>
      attacks.map((attack) =>
        figuresOf(attack, bits, { same, reissued, fresh }, { thresholds, draws, keys }),
      ),
    )
  } finally {
    for (const attack of attacks) attack.wipe()
  }
}

function figuresOf(
  { name, cosines }: Preimages,
  bits: Bits,
  found: Readonly<Record<'same' | 'reissued' | 'fresh', Acceptances>>,
  {
    thresholds,
    draws,
    keys,
  }: { readonly thresholds: Thresholds; readonly draws: SubjectDraws; readonly keys: number },
): InversionFigures {
  const own = thresholds.byBits.get(bits) ?? []
  const of = (kind: keyof typeof found): Acceptance => found[kind].get(name)?.get(bits) as Acceptance
  const cosine = cosines.get(bits) as { own: Float64Array; other: Float64Array }
  return {
    bits,
    attack: name,
    disclosed: DISCLOSED[name],
    targets: draws.subjectOf.length,
    subjects: draws.subjects,
    cosine: cosineFigures(cosine.own),
    cosineToOther: mean(cosine.other),
    sar: {
      I: acceptedAt(of('same').shares, own, draws),
      II: acceptedAt(of('reissued').shares, own, draws),
      III: acceptedAt(cosineShares(cosine.other, thresholds.cosine), thresholds.cosine, draws),
    },
    prar: {
      keys,
      mean: acceptedAt(of('fresh').shares, own, draws),
      worst: worstKey(of('fresh'), own, draws.subjectOf.length),
    },
  }
}

async function makePreimages(
  people: People,
  targets: readonly Target[],
  group: BitGroup,
  thefts: Thefts,
  seed: string,
  pace: Pace,
): Promise<readonly Preimages[]> {
  const keeper = new Keeper(people, targets, group)
  const random = new SeededRandom(seed, 'inversion-strangers')
  for (const [target, { sample }] of targets.entries()) {
    // The key of the next target is as wrong a key as any.
    const before = (target + targets.length - 1) % targets.length
    const theft = thefts.take(sample, group, targets[before]?.sample)
    for (const m of group.bits) {
      keeper.keep('linear', target, m, linearOf(theft, m, people.dimensions))
      keeper.keep('prior', target, m, theft.posteriors.get(m)?.face)
      keeper.keep('code', before, m, theft.misread.get(m)?.face)
    }
    await pace.step(1)
  }
  const stranger = targets.map((target) => {
    for (;;) {
      const other = targets[random.below(targets.length)] as Target
      if (people.subjectOf[other.sample] !== people.subjectOf[target.sample]) return other.sample
    }
  })
  return [
    keeper.samples('none', stranger),
    keeper.preimages('code'),
    keeper.preimages('linear'),
    keeper.preimages('prior'),
    keeper.samples(
      'face',
      targets.map(({ sample }) => sample),
    ),
  ]
}

function linearOf({ rotation, signs }: Theft, bits: number, dimensions: number): Float64Array {
  const values = new Float64Array(new ArrayBuffer(8 * rotation.n))
  values.set(signs.subarray(0, bits))
  rotation.turnBack(values)
  return values.subarray(0, dimensions)
}

/** Preimages as they are presented, with their cosines. */
class Keeper {
  readonly #people: People
  readonly #targets: readonly Target[]
  readonly #group: BitGroup
  readonly #model: Model
  readonly #integers = new Map<string, Int32Array>()
  readonly #cosines = new Map<string, { readonly own: Float64Array; readonly other: Float64Array }>()

  constructor(people: People, targets: readonly Target[], group: BitGroup) {
    this.#people = people
    this.#targets = targets
    this.#group = group
    this.#model = { id: people.model, dimensions: people.dimensions, metric: 'cosine' }
  }

  keep(name: AttackName, target: number, bits: Bits, preimage: Float64Array | undefined): void {
    if (preimage === undefined) return
    this.#integers.set(`${name} ${bits} ${target}`, integersOf(preimage, this.#model))
    this.#measure(name, target, bits, preimage)
  }

  preimages(name: AttackName): Preimages {
    const kept = (target: number, bits: Bits): Int32Array =>
      this.#integers.get(`${name} ${bits} ${target}`) as Int32Array
    const clear = (): void => {
      for (const z of this.#integers.values()) wipe(z)
    }
    return { name, at: kept, byBits: true, cosines: this.#cosinesOf(name), wipe: clear }
  }

  /** Captures in place of preimages. */
  samples(name: AttackName, samples: readonly number[]): Preimages {
    const { dimensions, integers, units } = this.#people
    const first = this.#group.bits[0] as Bits
    for (const [target, sample] of samples.entries()) {
      const from = sample * dimensions
      this.#measure(name, target, first, Float64Array.from(units.subarray(from, from + dimensions)))
    }
    const cosines = this.#cosinesOf(name).get(first)
    const at = (target: number): Int32Array => {
      const from = (samples[target] as number) * dimensions
      return integers.subarray(from, from + dimensions)
    }
    const all = new Map(this.#group.bits.map((m) => [m, cosines as NonNullable<typeof cosines>]))
    return { name, at, byBits: false, cosines: all, wipe: () => undefined }
  }

  #cosinesOf(name: AttackName): Preimages['cosines'] {
    const found = this.#group.bits.flatMap((m) => {
      const cosines = this.#cosines.get(`${name} ${m}`)
      return cosines === undefined ? [] : [[m, cosines] as const]
    })
    return new Map(found)
  }

  #measure(name: AttackName, target: number, bits: Bits, vector: Float64Array): void {
    const key = `${name} ${bits}`
    const count = this.#targets.length
    const cosines = this.#cosines.get(key) ?? { own: new Float64Array(count), other: new Float64Array(count) }
    this.#cosines.set(key, cosines)
    const { sample, other } = this.#targets[target] as Target
    cosines.own[target] = cosineTo(this.#people, sample, vector)
    cosines.other[target] = cosineTo(this.#people, other, vector)
  }
}
