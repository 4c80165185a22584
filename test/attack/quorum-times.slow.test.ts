/** Does the time of a multiplication tell the share? Two classes of scalars, blinded and not (SPEC §13.3). @module */
/// <reference types="node" />

import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import {
  type Element,
  giveTable,
  hashToElement,
  multiplyBlinded,
  randomScalar,
} from '../../src/crypto/ristretto.ts'

const ROUNDS = Number(process.env['GUISE_TIMES_ROUNDS'] ?? 6000)
const WARM = 500
const element = hashToElement(new Uint8Array(8), utf8('guise times') as Uint8Array)
/** As a holder multiplies. */
const tabled = hashToElement(new Uint8Array(8), utf8('guise times') as Uint8Array)
giveTable(tabled, 'once')
/** A scalar that a multiplication by digits finds light: one bit. */
const LIGHT = 1n << 200n
const HEAVY = randomScalar()

/** Nanoseconds of `work` for two scalars in a random order. */
function timesOf(
  work: (scalar: bigint) => Element,
  classes: readonly [bigint, bigint],
): readonly [number[], number[]] {
  const times: [number[], number[]] = [[], []]
  let sink = 0
  for (let round = -WARM; round < ROUNDS; round++) {
    const which = randomInt(2) as 0 | 1
    const scalar = classes[which]
    const begun = process.hrtime.bigint()
    const product = work(scalar)
    const ns = Number(process.hrtime.bigint() - begun)
    sink ^= product.is0() ? 1 : 0
    if (round >= 0) times[which].push(ns)
  }
  expect(sink).toBe(0)
  return times
}

/** Welch's t and the difference in parts of the mean, over the faster half: the rest is mostly the machine’s. */
function compare([a, b]: readonly [number[], number[]]): { readonly t: number; readonly effect: number } {
  const limit = [...a, ...b].sort((x, y) => x - y)[Math.floor(0.5 * (a.length + b.length))] as number
  const [first, second] = [a, b].map((times) => {
    const kept = times.filter((ns) => ns <= limit)
    const mean = kept.reduce((sum, ns) => sum + ns, 0) / kept.length
    const spread = kept.reduce((sum, ns) => sum + (ns - mean) ** 2, 0) / (kept.length - 1)
    return { mean, error: spread / kept.length }
  }) as [{ mean: number; error: number }, { mean: number; error: number }]
  const difference = second.mean - first.mean
  return { t: difference / Math.sqrt(first.error + second.error), effect: Math.abs(difference) / first.mean }
}

test('QUORUM-6 the time of a blinded multiplication does not tell one scalar from another', {
  timeout: 3_600_000,
}, () => {
  const blinded = (scalar: bigint): Element => multiplyBlinded(element, scalar)
  const byTable = (scalar: bigint): Element => multiplyBlinded(tabled, scalar)
  // What a multiplication that skips zero digits gives away: the harness must see it.
  const skipping = (scalar: bigint): Element => element.multiplyUnsafe(scalar)
  const control = compare(timesOf(skipping, [HEAVY, LIGHT]))
  const plain = compare(timesOf((scalar) => element.multiply(scalar), [HEAVY, LIGHT]))
  const same = compare(timesOf(blinded, [HEAVY, HEAVY]))
  const found = compare(timesOf(blinded, [HEAVY, LIGHT]))
  const table = compare(timesOf(byTable, [HEAVY, LIGHT]))
  const told = Object.entries({ control, plain, same, found, table }).map(
    ([name, { t, effect }]) => `${name}: t ${t.toFixed(2)}, effect ${(100 * effect).toFixed(3)} %`,
  )
  process.stdout.write(`${told.join('\n')}\n`)
  expect(Math.abs(control.t)).toBeGreaterThan(4.5)
  for (const { t, effect } of [same, found, table]) expect(Math.abs(t) < 4.5 || effect < 0.001).toBe(true)
})
