/** The templates that linkers compare: two for each pair, each under a key of its own (SPEC §15.5). @module */

import { wipe } from '../base/bytes.ts'
import type { Bits } from '../policy/operating-point.ts'
import { encodeReference } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import type { LinkagePairs } from './linkage-pairs.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import { seededKey } from './random.ts'

/** 0: two generations of one realm. 1: two realms. */
export type Setting = 0 | 1

/** Number of the reissues of one face, beside the settings. */
export const REISSUES = 2

/** One of the two templates of a pair. */
export interface TemplatePlace {
  readonly setting: Setting | typeof REISSUES
  readonly pair: number
  readonly side: 0 | 1
  readonly subject: number
}

/**
 * How templates come about: a key for each place, and the code under it. A measurement of the library takes `realScheme`; tests put
 * weakened ones in its place, so that it is seen which linker finds what.
 */
export interface LinkageScheme {
  /** 32 bytes, owned by the caller. */
  keyOf(place: TemplatePlace): Uint8Array
  /** m/8 bytes as they are stored, owned by the caller. */
  encode(z: Int32Array, key: Uint8Array): Uint8Array
}

/** As a vault does, but for keys that can be drawn again: no two places share one. */
export function realScheme({
  suite,
  bits,
  seed,
}: {
  readonly suite: Suite
  readonly bits: Bits
  readonly seed: string
}): LinkageScheme {
  return {
    keyOf: ({ setting, pair, side }) => seededKey(seed, setting, pair, side),
    encode: (z, key) => encodeReference(z, suite, bits, key),
  }
}

/** Both codes of every pair in one setting. They are those of faces: `dispose` wipes them. */
export class PairCodes {
  readonly pairs: LinkagePairs
  readonly bits: Bits
  readonly #bytes: Uint8Array

  constructor(pairs: LinkagePairs, bits: Bits) {
    this.pairs = pairs
    this.bits = bits
    this.#bytes = new Uint8Array((pairs.count * 2 * bits) / 8)
  }

  /** A view. */
  code(pair: number, side: 0 | 1): Uint8Array {
    const length = this.bits / 8
    return this.#bytes.subarray((2 * pair + side) * length, (2 * pair + side + 1) * length)
  }

  dispose(): void {
    wipe(this.#bytes)
  }
}

/** Makes both templates of every pair. */
export async function encodePairs(
  people: People,
  codes: PairCodes,
  {
    setting,
    scheme,
    pace,
  }: { readonly setting: Setting; readonly scheme: LinkageScheme; readonly pace: Pace },
): Promise<void> {
  const { pairs } = codes
  for (let pair = 0; pair < pairs.count; pair++) {
    for (const side of [0, 1] as const) {
      const sample = sampleAt(pairs, pair, side)
      const key = scheme.keyOf({ setting, pair, side, subject: people.subjectOf[sample] as number })
      const code = scheme.encode(integersAt(people, sample), key)
      codes.code(pair, side).set(code)
      wipe(key, code)
    }
    await pace.step(1)
  }
}

/** The sample of a side. */
export function sampleAt(pairs: LinkagePairs, pair: number, side: 0 | 1): number {
  return (side === 0 ? pairs.first : pairs.second)[pair] as number
}

/** A view of a sample's integers. */
export function integersAt({ dimensions, integers }: People, sample: number): Int32Array {
  return integers.subarray(sample * dimensions, (sample + 1) * dimensions)
}
