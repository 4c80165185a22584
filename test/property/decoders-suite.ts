/** Every decoder: any bytes are read or refused, typed and at once, and in one encoding only (SPEC §9, §14, §20). @module */
import { beforeAll, describe, expect, test } from 'vitest'
import { decodeEntry, encodeEntry } from '../../src/audit/entry.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { auditDecoders, slowDecoders } from '../support/audit-decoders.ts'
import { captureDecoders } from '../support/capture-decoders.ts'
import { type Decoder, rowDecoders } from '../support/decoders.ts'
import { type FuzzTally, fuzz, fuzzLater } from '../support/fuzz-run.ts'
import { galleryDecoders } from '../support/gallery-decoders.ts'
import { numbers } from '../support/vault.ts'

/** One alteration in so many goes to decoders that verify signatures or whole logs. */
const LATER = 200
const MEMORY_BYTES = 64 * 2 ** 20
const TURN = 20_000
/** Memory counts from so early a part of the run on. */
const WARM = 10

/**
 * Registers the tests.
 *
 * @param count alterations, shared out evenly
 */
export function decoderTests(count: number, seed: number): void {
  const tallies: FuzzTally[] = []
  let decoders: readonly (readonly [string, Decoder])[] = []

  beforeAll(async () => {
    await cryptoReady()
    decoders = Object.entries({
      ...rowDecoders(),
      ...galleryDecoders(),
      ...captureDecoders(),
      ...(await auditDecoders()),
    })
  })

  describe(`${count} alterations`, () => {
    test('are read or refused by every decoder', { timeout: 7_200_000 }, () => {
      const share = Math.ceil(count / decoders.length)
      const draws = decoders.map((_, at) => numbers(seed + at))
      let warm = 0
      for (let done = 0; done < share; done += TURN) {
        for (const [at, [name, decoder]] of decoders.entries()) {
          tallies.push(fuzz(name, decoder, Math.min(TURN, share - done), draws[at] as () => number))
        }
        // What the compilers take in the beginning is not what decoders keep.
        if (done < share / WARM) warm = process.memoryUsage().rss
      }
      const grown = process.memoryUsage().rss - warm
      const tried = tallies.reduce((sum, tally) => sum + tally.tried, 0)
      const read = tallies.reduce((sum, tally) => sum + tally.read, 0)
      console.info(`seed ${seed}: ${tried} tried, ${read} read, ${Math.round(grown / 2 ** 20)} MiB more`)
      expect(tallies.flatMap(({ name, faults }) => faults.map((fault) => `${name}: ${fault}`))).toEqual([])
      expect(tried).toBeGreaterThanOrEqual(count)
      // Each is met with what it reads, not only with what it refuses.
      for (const [name] of decoders) {
        const own = tallies.filter((tally) => tally.name === name)
        expect([name, own.some((tally) => tally.read > 0)]).toEqual([name, true])
      }
      expect(grown).toBeLessThan(MEMORY_BYTES)
    })

    test('are read or refused by those that verify', { timeout: 7_200_000 }, async () => {
      const slow = Object.entries(await slowDecoders())
      const share = Math.ceil(count / LATER / slow.length)
      for (const [at, [name, decoder]] of slow.entries()) {
        const tally = await fuzzLater(name, decoder, share, numbers(seed + 100 + at))
        console.info(`${name}: ${tally.tried} tried, ${tally.read} read`)
        expect(tally.faults).toEqual([])
      }
    })
  })

  describe('a decoder is caught', () => {
    const entry = (): Decoder =>
      (decoders.find(([name]) => name === 'entry') as readonly [string, Decoder])[1]
    const planted: Readonly<Record<string, (good: Decoder) => Partial<Decoder>>> = {
      'that takes what follows the end': ({ seed: row }) => ({
        decode: (given) => decodeEntry(given.length > row.length ? given.subarray(0, row.length) : given),
        encode: (value: Parameters<typeof encodeEntry>[0]) => encodeEntry(value),
      }),
      'that fails on a field of another kind': () => ({
        decode: (given) => new TextDecoder('utf-8', { fatal: true }).decode(given),
      }),
      'that takes as long as a head says': () => ({
        decode: (given) => {
          const end = performance.now() + (given[0] === 0x9b || given[1] === 0x9b ? 60 : 0)
          let turns = 0
          // As one would that believes a length.
          while (performance.now() < end) turns++
          return turns
        },
      }),
    }
    test.each(Object.keys(planted))('%s', (what) => {
      const bad = { ...entry(), ...planted[what]?.(entry()) }
      const { faults } = fuzz(what, bad, 20_000, numbers(seed + 50))
      expect(faults.length).toBeGreaterThan(0)
    })
  })
}
