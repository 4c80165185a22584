/** Weakened templates for the linkers to see through, and people to make them of (SPEC §15.5). @module */

import { syntheticPeople } from '../../src/dataset/synthetic.ts'
import { guessedKeys } from '../../src/evaluate/linkage-preimages.ts'
import { type LinkageScheme, realScheme } from '../../src/evaluate/linkage-scheme.ts'
import { signsOf } from '../../src/evaluate/linkers.ts'
import { loadPeople, type People } from '../../src/evaluate/people.ts'
import { seededKey } from '../../src/evaluate/random.ts'
import type { Bits } from '../../src/policy/operating-point.ts'
import { encodeReference } from '../../src/template/template.ts'
import { keyStream, streamMask } from '../../src/transform/stream.ts'
import { rotationSize } from '../../src/transform/suite.ts'

export async function somePeople(
  subjects: number,
  samples: number,
  dimensions: number,
  seed = 'linkage',
): Promise<People> {
  const dataset = syntheticPeople({ seed, subjects, samples, dimensions })
  return loadPeople(dataset, { model: { id: 'synthetic@1', dimensions, metric: 'cosine' } })
}

const SUITE = 'B4'

/** The library's code without its mask. */
function unmasked(z: Int32Array, bits: Bits, key: Uint8Array): Uint8Array {
  const stream = keyStream(SUITE, key, rotationSize(z.length, bits), bits)
  const mask = streamMask(stream, bits)
  return encodeReference(z, SUITE, bits, key).map((byte, i) => byte ^ (mask[i] as number))
}

/** Signs of H·D·x: one round, no exchanges, no mask. */
function oneRound(z: Int32Array, bits: Bits, key: Uint8Array): Uint8Array {
  const signs = signsOf(keyStream(SUITE, key, bits, bits).subarray(0, bits / 8), new Float64Array(bits))
  const values = signs.map((sign, i) => sign * (z[i] ?? 0))
  for (let h = 1; h < bits; h *= 2) {
    for (let i = 0; i < bits; i++) {
      if ((i & h) !== 0) continue
      const [a, b] = [values[i] as number, values[i + h] as number]
      values[i] = a + b
      values[i + h] = a - b
    }
  }
  const code = new Uint8Array(bits / 8)
  for (const [j, value] of values.entries())
    if (value >= 0) code[j >> 3] = (code[j >> 3] as number) | (1 << (j & 7))
  return code
}

/** By name: schemes that a thief without keys sees through. */
export function weakened(seed: string, bits: Bits): Readonly<Record<string, LinkageScheme>> {
  const real = realScheme({ suite: SUITE, bits, seed })
  return {
    'one key for a pair, no mask': {
      keyOf: ({ setting, pair }) => seededKey(seed, setting, pair),
      encode: (z, key) => unmasked(z, bits, key),
    },
    'one round, no exchanges, no mask': {
      keyOf: real.keyOf,
      encode: (z, key) => oneRound(z, bits, key),
    },
    'one key for a realm': { keyOf: ({ setting }) => seededKey(seed, setting), encode: real.encode },
    'a generator with four states': {
      keyOf: (place) => seededKey('state', (real.keyOf(place)[0] as number) & 3),
      encode: real.encode,
    },
    'the keys that the thief guesses': {
      keyOf: ({ pair, side }) => guessedKeys(seed)(pair)[side].slice(),
      encode: real.encode,
    },
  }
}
