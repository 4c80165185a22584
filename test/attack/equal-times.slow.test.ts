/** Does the time of a comparison of two tags tell how far they agree? (SPEC §8, §20; I-34.) @module */
/// <reference types="node" />

import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { compareTimes } from './refusal-times.ts'

const SAMPLES = Number(process.env['GUISE_EQUAL_SAMPLES'] ?? 1_000_000)
const WARM = 20_000
const LENGTH = 32
/** Comparisons in a sample: one alone is shorter than a tick of the clock. */
const AT_ONCE = 16

type Equal = (a: Uint8Array, b: Uint8Array) => boolean

/** What ends at the first byte that differs: the harness must see it. */
function early(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < LENGTH; i++) if (a[i] !== b[i]) return false
  return true
}

/** Nanoseconds of comparisons with what differs in the byte at `first`, or at `second`, in a random order. */
function timesOf(equal: Equal, first: number, second: number): readonly [Float64Array, Float64Array] {
  const tag = Uint8Array.from(randomBytes(LENGTH))
  // Equal objects in equal places: only the byte that differs is another.
  const other = Uint8Array.from(tag)
  const kept = [new Float64Array(SAMPLES), new Float64Array(SAMPLES)] as const
  const counts: [number, number] = [0, 0]
  const coins = randomBytes(SAMPLES + WARM)
  let agreed = 0
  for (let i = -WARM; i < SAMPLES; i++) {
    const which = ((coins[i + WARM] as number) & 1) as 0 | 1
    const place = which === 0 ? first : second
    other[place] = (tag[place] as number) ^ 1
    const begun = process.hrtime.bigint()
    for (let turn = 0; turn < AT_ONCE; turn++) if (equal(tag, other)) agreed++
    const ns = Number(process.hrtime.bigint() - begun)
    other[place] = tag[place] as number
    if (i >= 0) kept[which][counts[which]++] = ns
  }
  expect(agreed).toBe(0)
  return [kept[0].subarray(0, counts[0]), kept[1].subarray(0, counts[1])]
}

function told(equal: Equal, first: number, second: number): { readonly t: number; readonly effect: number } {
  const [a, b] = timesOf(equal, first, second)
  return compareTimes([...a], [...b])
}

test(`SEAL-2 the time of ${SAMPLES} comparisons does not tell how far two tags agree`, {
  timeout: 600_000,
}, () => {
  const found = {
    control: told(early, 0, LENGTH - 1),
    same: told(equalBytes, 0, 0),
    ends: told(equalBytes, 0, LENGTH - 1),
    middle: told(equalBytes, LENGTH / 2, LENGTH - 1),
  }
  for (const [name, { t, effect }] of Object.entries(found)) {
    process.stdout.write(`${name}: t ${t.toFixed(2)}, effect ${(100 * effect).toFixed(3)} %\n`)
  }
  expect(Math.abs(found.control.t)).toBeGreaterThan(4.5)
  for (const { t, effect } of [found.same, found.ends, found.middle]) {
    expect(Math.abs(t) < 4.5 || Math.abs(effect) < 0.001).toBe(true)
  }
})
