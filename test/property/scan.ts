/** Random galleries to the scan of a kernel and to the portable one, which must find the same (SPEC §16.5). @module */
import type { Bits } from 'guise'
import { type ScanModule, startScan } from '../../src/gallery/assembly.ts'
import { type Hit, scanPortable, scanTable } from '../../src/gallery/scan.ts'
import { GalleryTable } from '../../src/gallery/table.ts'
import * as reference from '../reference/gallery.ts'
import { Words } from './kernels.ts'

/** Dimensions and bits: every size of a rotation, every number of bits. */
const SIZES: readonly (readonly [dimensions: number, bits: Bits])[] = [
  ...([64, 128, 256, 512, 1024] as const).map((bits) => [bits, bits] as const),
  ...([64, 128, 256, 512, 1024] as const).map((bits) => [96, bits] as const),
  ...([64, 512, 1024] as const).flatMap((bits) => [1024, 2048, 4096].map((d) => [d, bits] as const)),
]
const THRESHOLDS = [1, 1, 1, 37, 400, 1500, 5000, 10_000] as const
const NORM = 2 ** 20

export interface Sizes {
  readonly searches: number
  readonly first: number
  readonly referenceEvery: number
}

export interface Searched {
  /** Searches whose hits differ in number, slot, handle or rank. */
  readonly differing: number
  /** Comparisons of a probe with a code. */
  readonly comparisons: number
  readonly hits: number
  readonly referenced: number
  /** Every combination of dimensions, bits, kept key streams and threshold that occurred. */
  readonly seen: ReadonlySet<string>
}

/** Searches random galleries so small that nearly every hit is listed: its rank says S and Q to the last bit. */
export async function compareScans(
  { searches, first, referenceEvery }: Sizes,
  start: () => ScanModule | undefined = startScan,
): Promise<Searched> {
  const seen = new Set<string>()
  let [differing, comparisons, hits, referenced] = [0, 0, 0, 0]
  for (let i = first; i < first + searches; i++) {
    const words = new Words(i)
    const [dimensions, bits] = words.pick(SIZES)
    const kept = words.pick([true, false])
    const threshold = words.pick(THRESHOLDS)
    const table = randomTable(words, { dimensions, bits, kept, start })
    const question = { integers: randomIntegers(words, dimensions), bits, threshold }
    const found = await scanTable(table, question)
    const expected = await scanPortable(table, question)
    let same = textOf(found) === textOf(expected)
    if (i % referenceEvery === 0) {
      same &&=
        namesOf(found) === reference.scan([...question.integers], bits, loaded(table), threshold).join()
      referenced++
    }
    if (!same) differing++
    comparisons += table.members
    hits += found.length
    seen.add(`${dimensions} ${bits} ${kept} ${threshold}`)
    await table.wipe()
  }
  return { differing, comparisons, hits, referenced, seen }
}

/** One to four shards, with holes at the end and within, the last often not full. */
function randomTable(
  words: Words,
  made: {
    readonly dimensions: number
    readonly bits: Bits
    readonly kept: boolean
    readonly start: () => ScanModule | undefined
  },
): GalleryTable {
  const { dimensions, bits, kept, start } = made
  const capacity = Math.min(32, dimensions >> 3)
  const cacheStreams = kept ? dimensions : undefined
  const table = new GalleryTable(capacity, bits, { cacheStreams, start, blockShards: 2 })
  const shards = 1 + (words.next() % 4)
  const [key, code, handle] = [new Uint8Array(32), new Uint8Array(bits / 8), new Uint8Array(16)]
  for (let number = 1; number <= shards; number++) {
    words.fillBytes(key)
    table.addShard(key)
    const fill = words.pick([capacity, capacity, words.next() % (capacity + 1)])
    for (let slot = 0; slot < fill; slot++) {
      words.fillBytes(code)
      words.fillBytes(handle)
      table.addSlot(number, words.next() % 16 === 0 ? undefined : { handle, code })
    }
    for (let slot = 0; slot < fill; slot++) if (words.next() % 32 === 0) table.clear(number, slot)
  }
  return table
}

/** Near the norm that embeddings have; one in eight has a few coordinates only. */
function randomIntegers(words: Words, dimensions: number): Int32Array {
  const integers = new Int32Array(dimensions)
  words.fillBytes(new Uint8Array(integers.buffer))
  const some = words.next() % 8 === 0 ? 3 : dimensions
  const each = (NORM * 1.7) / Math.sqrt(some)
  integers.forEach((word, j) => {
    integers[j] = j < some ? Math.trunc((word / 2 ** 31) * each) : 0
  })
  return integers
}

function loaded(table: GalleryTable): readonly reference.LoadedShard[] {
  return Array.from({ length: table.shards }, (_, i) => {
    const { key, fill, code } = table.view(i + 1)
    const slots = Array.from({ length: fill }, (__, slot) => {
      const [handle, bytes] = [table.handle(i + 1, slot), code(slot)]
      return handle === undefined || bytes === undefined ? null : { handle, code: Uint8Array.from(bytes) }
    })
    return { rotationKey: Uint8Array.from(key), slots }
  })
}

function namesOf(hits: readonly Hit[]): string {
  return hits.map(({ handle }) => Buffer.from(handle).toString('hex')).join()
}

function textOf(hits: readonly Hit[]): string {
  const places = hits.map(({ number, slot, rank }) => `${number}:${slot}:${rank}`).join()
  return `${places} ${namesOf(hits)}`
}

const SCAN = 'src/gallery/scan.as'
const KECCAK = 'src/gallery/keccak.as'
const ROTATION = 'src/transform/kernel.as'

/** Faults to plant: the file, what it says, and what it must not say. */
export const FAULTS: readonly (readonly [name: string, part: string, text: string, replacement: string])[] = [
  ['a plane of the wrong weight', SCAN, '2 * popcnt(bits & load', '3 * popcnt(bits & load'],
  ['a threshold that nobody meets exactly', SCAN, '* 1e8 >= least', '* 1e8 > 1.01 * least'],
  ['a step too wide', SCAN, 'three = i32x4.splat(3 * step)', 'three = i32x4.splat(3 * step + 9)'],
  ['an energy without a product', SCAN, ' + 8 * popcnt(a & c)', ''],
  ['the stream of the other shard', SCAN, '? FIRST_STREAM : SECOND_STREAM', '? FIRST_STREAM : FIRST_STREAM'],
  ['the mask left out', SCAN, ' ^ load<u16>(mask + (i >> 3))', ''],
  ['equal ones turned round', SCAN, 'load<f64>(at - 16) < rank', 'load<f64>(at - 16) <= rank'],
  [
    'a hole that is searched',
    SCAN,
    'const occupied = load<u32>(',
    'const occupied: u32 = -1 & load<u32>(4 + ',
  ],
  ['a lane that turns too little', KECCAK, ', 44)', ', 43)'],
  ['a round constant of another round', KECCAK, '0x800000000000008b', '0x800000000000808b'],
  [
    'a shift of another round',
    ROTATION,
    '(((round - 1) * levels) >> 1)',
    '(((round - 1) * levels + 1) >> 1)',
  ],
]
