/** What a thief of somebody's name can do with classes: choose a pair, never try several (SPEC §11.15). Synthetic vectors. @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { accepts } from '../../src/compare/decide.ts'
import { score } from '../../src/compare/score.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { toIntegers } from '../../src/embedding/embedding.ts'
import { encodeProbe, encodeReference } from '../../src/template/template.ts'
import { outcome, pointOf, referenceWorld, shot, strangers } from '../support/references.ts'
import { basis, faceOf, numbers } from '../support/vault.ts'

beforeAll(cryptoReady)

describe('an attacker who names a class without a capture', () => {
  test('VAULT-86 gets the threshold of the masked pair against the masked reference alone', async () => {
    const { vault, open } = await referenceWorld()
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers(1) })
    // The face of the plain reference, and a point of masked probes that lets anybody near it in.
    const weak = await open({
      operatingPoints: [pointOf('any', 9990), pointOf('masked', 2000)],
      referencePoints: [pointOf('masked', 9990)],
      adaptation: undefined,
    } as never)
    expect(await outcome(weak, 1, 'masked')).toBe('nonmatch')
    expect(await outcome(weak, 1)).toBe('nonmatch')
    expect(await outcome(weak, 100, 'masked')).toBe('nonmatch')
  })

  test('VAULT-87 gets no attempt more by going from class to class', async () => {
    const attempts = { consecutive: 4, total: 4, generation: 100 }
    const { vault } = await referenceWorld({ attempts })
    await vault.enroll({ subject: 'ada', ...shot(1), basis: basis(), references: strangers(4) })
    const answers: string[] = []
    for (const probeClass of ['masked', 'glasses', 'desk', 'phone', 'any', 'masked']) {
      answers.push(await outcome(vault, 7, probeClass))
    }
    expect(answers).toEqual([...Array(4).fill('nonmatch'), 'refused', 'refused'])
  })
})

test('VAULT-85 the best of five comparisons lets in several times as many strangers as one that the class chooses (seeded control)', () => {
  const people = 400
  const random = numbers(977)
  const integers = Array.from({ length: people }, (_, person) => toIntegers(faceOf(person)))
  const key = (): Uint8Array => Uint8Array.from({ length: 32 }, () => 256 * random())
  const matches = (person: number, probe: number): boolean => {
    const rotation = key()
    const code = encodeReference(integers[person] as Int32Array, 'B4', 64, rotation)
    const shown = encodeProbe(integers[probe] as Int32Array, 'B4', 64, rotation)
    const { sum, energy } = score(code, shown)
    return accepts(sum, energy, 64, 2700)
  }
  let one = 0
  let best = 0
  for (let trial = 0; trial < 6000; trial++) {
    const [person, probe] = [trial % people, (trial * 7 + 1 + Math.floor(trial / people)) % people]
    if (person === probe) continue
    const five = Array.from({ length: 5 }, () => matches(person, probe))
    one += Number(five[2])
    best += Number(five.some(Boolean))
  }
  expect(one).toBeGreaterThan(30)
  expect(best).toBeGreaterThan(3 * one)
  expect(best).toBeLessThan(5.5 * one)
})
