/** Linkers that turn a code back by a key, guessed or stolen, and look at what comes out (SPEC §15.5). @module */

import { wipe } from '../base/bytes.ts'
import { score, similarity } from '../compare/score.ts'
import { encodeProbe, encodeReference } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import type { LinkageScheme, PairCodes, Setting } from './linkage-scheme.ts'
import { sampleAt } from './linkage-scheme.ts'
import { hammingScore } from './linkers.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import { integersOf, linearPreimage } from './preimage.ts'
import { seededKey } from './random.ts'

/** `recoded`: agreement of the second code with the code that the first one's preimage has under the second key. */
export interface PreimageScores {
  readonly preimage: Float64Array
  readonly probe: Float64Array
  readonly recoded: Float64Array
}

/** Keys of both codes of a pair, borrowed until the next pair. */
type KeysOf = (pair: number) => readonly [first: Uint8Array, second: Uint8Array]

/** Before the first number of guessed keys: no setting has it. */
const GUESSED = 9

/** The same two keys for every pair. With one key for both, the cosine would be the Hamming distance again. */
export function guessedKeys(seed: string): KeysOf {
  const keys = [seededKey(seed, GUESSED, 0), seededKey(seed, GUESSED, 1)] as const
  return () => keys
}

/** The keys that the codes were made by. */
export function stolenKeys(
  people: People,
  codes: PairCodes,
  { scheme, setting }: { readonly scheme: LinkageScheme; readonly setting: Setting },
): KeysOf {
  const keyOf = (pair: number, side: 0 | 1): Uint8Array => {
    const subject = people.subjectOf[sampleAt(codes.pairs, pair, side)] as number
    return scheme.keyOf({ setting, pair, side, subject })
  }
  return (pair) => [keyOf(pair, 0), keyOf(pair, 1)]
}

export async function scorePreimages(
  people: People,
  codes: PairCodes,
  { suite, keysOf, pace }: { readonly suite: Suite; readonly keysOf: KeysOf; readonly pace: Pace },
): Promise<PreimageScores> {
  const { count } = codes.pairs
  const { bits } = codes
  const { dimensions } = people
  const model = { id: people.model, dimensions, metric: 'cosine' } as const
  const scores = {
    preimage: new Float64Array(count),
    probe: new Float64Array(count),
    recoded: new Float64Array(count),
  }
  for (let pair = 0; pair < count; pair++) {
    const [firstKey, secondKey] = keysOf(pair)
    const second = codes.code(pair, 1)
    const a = linearPreimage(codes.code(pair, 0), firstKey, { suite, dimensions })
    const b = linearPreimage(second, secondKey, { suite, dimensions })
    scores.preimage[pair] = cosine(a, b)
    const z = integersOf(a, model)
    const recoded = encodeReference(z, suite, bits, secondKey)
    scores.recoded[pair] = hammingScore(recoded, second)
    const probe = encodeProbe(z, suite, bits, secondKey)
    const { sum, energy } = score(second, probe)
    scores.probe[pair] = similarity(sum, energy, bits)
    probe.wipe()
    wipe(a, b, z, recoded)
    await pace.step(1)
  }
  return scores
}

function cosine(a: Float64Array, b: Float64Array): number {
  let [product, squaresA, squaresB] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number
    const y = b[i] as number
    product += x * y
    squaresA += x * x
    squaresB += y * y
  }
  const spread = squaresA * squaresB
  return spread > 0 ? product / Math.sqrt(spread) : 0
}
