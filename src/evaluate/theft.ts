/** Templates that were stolen with their keys, and what is made of each (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import { encodeReference } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import { DoubleRotation } from './double-rotation.ts'
import { InformedThief, type Posterior } from './informed-preimage.ts'
import type { People } from './people.ts'
import type { Population } from './population.ts'
import { unmask } from './preimage.ts'
import { seededKey } from './random.ts'
import type { BitGroup } from './scores.ts'

/** The stolen code of one sample and its key. Codes of fewer bits are its beginning, as their rotation is the same. */
export interface Theft {
  readonly sample: number
  readonly rotation: DoubleRotation
  readonly signs: Float64Array
  readonly posteriors: ReadonlyMap<Bits, Posterior>
  /** What this key makes of a code that is not its own. */
  readonly misread: ReadonlyMap<Bits, Posterior>
}

/** What keys are drawn for. */
export const KEY_USES = { stolen: 1, reissued: 2, fresh: 3 } as const

/** Steals from a vault that stores the samples of `people`, each under a key of its own. */
export class Thefts {
  readonly #people: People
  readonly #population: Population
  readonly #suite: Suite
  readonly #seed: string
  readonly #held = new Map<string, Theft>()

  constructor(people: People, population: Population, suite: Suite, seed: string) {
    this.#people = people
    this.#population = population
    this.#suite = suite
    this.#seed = seed
  }

  /** @param foreign a sample whose code this key misreads */
  take(sample: number, group: BitGroup, foreign?: number): Theft {
    const name = `${group.n} ${sample}`
    const known = this.#held.get(name)
    if (known !== undefined) return known
    const { n, bits } = group
    const rotation = new DoubleRotation(this.#suite, this.#keyOf(sample, n), n)
    const thief = new InformedThief(this.#population, rotation, bits)
    const signs = this.#signsOf(sample, group)
    const read = (code: Float64Array): ReadonlyMap<Bits, Posterior> =>
      new Map(bits.map((m) => [m, thief.posterior(code.subarray(0, m))]))
    const theft = {
      sample,
      rotation,
      signs,
      posteriors: read(signs),
      misread: foreign === undefined ? new Map() : read(this.#signsOf(foreign, group)),
    }
    thief.wipe()
    this.#held.set(name, theft)
    return theft
  }

  /** Overwrites everything that was stolen. */
  wipe(): void {
    for (const { rotation, signs, posteriors, misread } of this.#held.values()) {
      rotation.wipe()
      wipe(signs)
      for (const { face, sites } of [...posteriors.values(), ...misread.values()]) wipe(face, sites)
    }
    this.#held.clear()
  }

  #signsOf(sample: number, { n, bits }: BitGroup): Float64Array {
    const { dimensions, integers } = this.#people
    const most = bits.at(-1) as Bits
    const key = this.#keyOf(sample, n)
    const z = integers.subarray(sample * dimensions, (sample + 1) * dimensions)
    const code = encodeReference(z, this.#suite, most, key)
    const signs = unmask(code, key, this.#suite, n)
    wipe(code, key)
    return signs
  }

  #keyOf(sample: number, n: number): Uint8Array {
    return seededKey(this.#seed, KEY_USES.stolen, n, sample)
  }
}
