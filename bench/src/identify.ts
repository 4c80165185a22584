/** How long does a search of a gallery take? @module */

import { GALLERY_SUITE } from '../../dist/gallery/declaration.js'
import type { ScanEngine } from '../../dist/gallery/engine.js'
import { scanPortable, scanTable } from '../../dist/gallery/scan.js'
import type { GalleryTable } from '../../dist/gallery/table.js'
import type { Suite } from '../../dist/transform/suite.js'
import { BITS, DIMENSIONS, filledTable, integersOf, THRESHOLD } from './gallery.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'

const MEMBERS = 1_000_000
const FEW_MEMBERS = 100_000
/** Searches of each kind in a process, after two that are not counted. */
const SEARCHES = 12
const KINDS = {
  'B6, kept streams, one thread': { cached: true, threads: 1, suite: 'B6' },
  'B6, kept streams, two threads': { cached: true, threads: 2, suite: 'B6' },
  'B6, one thread': { cached: false, threads: 1, suite: 'B6' },
  'B6, two threads': { cached: false, threads: 2, suite: 'B6' },
  'B4, kept streams, one thread': { cached: true, threads: 1, suite: 'B4' },
  'B4, kept streams, two threads': { cached: true, threads: 2, suite: 'B4' },
  'B4, one thread': { cached: false, threads: 1, suite: 'B4' },
  'B4, two threads': { cached: false, threads: 2, suite: 'B4' },
} as const satisfies Record<string, { cached: boolean; threads: number; suite: Suite }>

export const identifyScenario: Scenario = {
  name: 'identify',
  question: `the best of ${MEMBERS} synthetic members of ${BITS} bits in shards of 32, candidates of the scan only`,
  notes: [
    'the first series is a whole scan as a vault runs it: suite B6, every shard rotated under its own key',
    'kept streams: cacheKeyStreams, 68 MB more; without it each search makes them anew from the keys',
    'B4 beside it is no gallery: it shows what six rounds cost over four',
    'parts: one thread, milliseconds for all shards; rotation is what is left of a scan of shards with one member, streams what making them adds',
    `with --quick ${FEW_MEMBERS} members, times scaled to ${MEMBERS}`,
  ],
  repeats: true,
  claims: [
    { series: 'B6, kept streams, one thread', most: 120 },
    { series: 'B6, kept streams, two threads', most: 65 },
    { series: 'B6, one thread', most: 160 },
    { series: 'B6, two threads', most: 85 },
  ],
  variants: [...oursTwice(ours), { name: 'plain JavaScript', role: 'peer', run: portable }],
}

function membersOf(plan: Plan): number {
  return plan.people < 100 ? FEW_MEMBERS : MEMBERS
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const members = membersOf(plan)
  const series: Series[] = []
  for (const cached of [true, false]) {
    for (const threads of [1, 2]) {
      const table = await filledTable(members, { threads, cacheStreams: cached ? DIMENSIONS : undefined })
      for (const [name, kind] of Object.entries(KINDS)) {
        if (kind.cached !== cached || kind.threads !== threads) continue
        series.push({ name, unit: 'ms', values: await timeScans(table, kind.suite, members) })
      }
      if (threads === 1 && cached) series.push(...(await timeParts(table, members)))
      await table.wipe()
    }
  }
  return series
}

/** Key streams that are kept are those of B6: a scan of suite B4 takes the first two thirds of them. */
async function timeScans(table: GalleryTable, suite: Suite, members: number): Promise<readonly number[]> {
  const values: number[] = []
  for (let turn = -2; turn < SEARCHES; turn++) {
    const integers = integersOf(turn + 2)
    const begin = performance.now()
    if (suite === GALLERY_SUITE) await scanTable(table, { integers, bits: BITS, threshold: THRESHOLD })
    else await engineOf(table).search({ integers, threshold: THRESHOLD, suite, shards: table.shards })
    if (turn >= 0) values.push(((performance.now() - begin) * MEMBERS) / members)
  }
  return values
}

/** A scan of the same shards with one member each: what is left is rotation and planes; the rest is scoring. */
async function timeParts(table: GalleryTable, members: number): Promise<readonly Series[]> {
  const whole = await timeScans(table, GALLERY_SUITE, members)
  for (let number = 1; number <= table.shards; number++) {
    for (let slot = 1; slot < table.fill(number); slot++) table.clear(number, slot)
  }
  const rotation = await timeScans(table, GALLERY_SUITE, members)
  const scoring = whole.map((value, i) => value - (rotation[i] as number))
  return [
    { name: 'part: rotation and quantiser', unit: 'ms', values: rotation },
    { name: 'part: scores', unit: 'ms', values: scoring },
  ]
}

function engineOf(table: GalleryTable): ScanEngine {
  const { engine } = table
  if (engine === undefined) throw new Error('this machine does not run the kernel')
  return engine
}

async function portable(plan: Plan): Promise<readonly Series[]> {
  const members = Math.min(membersOf(plan), FEW_MEMBERS)
  const table = await filledTable(members, {})
  const values: number[] = []
  for (let turn = -1; turn < 3; turn++) {
    const integers = integersOf(turn + 1)
    const begin = performance.now()
    await scanPortable(table, { integers, bits: BITS, threshold: THRESHOLD })
    if (turn >= 0) values.push(((performance.now() - begin) * MEMBERS) / members)
  }
  await table.wipe()
  return [{ name: 'B6, plain JavaScript', unit: 'ms', values }]
}
