/** One draw of a gallery: the searches of the library, and the same ones in unprotected vectors (SPEC §16.5). @module */

import { readU32be, u32be, wipe } from '../base/bytes.ts'
import { score, similarity } from '../compare/score.ts'
import { GALLERY_SUITE, shardCapacity } from '../gallery/declaration.ts'
import { scanTable } from '../gallery/scan.ts'
import { GalleryTable } from '../gallery/table.ts'
import type { Bits } from '../policy/operating-point.ts'
import { encodeProbe, encodeReference } from '../template/template.ts'
import type { Suite } from '../transform/suite.ts'
import type { Pace } from './pace.ts'
import type { People } from './people.ts'
import { seededKey } from './random.ts'

/**
 * Ways to search: `cosine` compares every unit vector, without protection; `identify` is what a vault does; `scan` ranks by the
 * codes of the gallery alone, and `sum` by both similarities together.
 */
export const WAYS = ['cosine', 'identify', 'scan', 'confirmation'] as const
export type Way = (typeof WAYS)[number]

/** Similarities of the person who was searched for, and of the best other; −1 where the search did not find them. */
export interface Standing {
  readonly mate: number
  readonly other: number
}

/** What one search showed. */
export interface SearchOutcome {
  readonly ways: Readonly<Record<Way, Standing>>
  /** Similarities of the scan, the greatest first: at most 64. */
  readonly scanned: readonly number[]
  /** That of the mate; −1 when it is not among them. */
  readonly mateScanned: number
}

export interface TrialOptions {
  readonly suite: Suite
  readonly bits: Bits
  readonly galleryBits: Bits
  /** Of the scan, in ten-thousandths. */
  readonly scanThreshold: number
  readonly seed: string
  readonly draw: number
  readonly signal?: AbortSignal | undefined
}

/** Numbers that tell what a key is for. */
const SHARD_KEY = 4
const RECORD_KEY = 5
/** Members between two looks at the clock. */
const CHUNK = 128

/** Samples of different people, in shards of the library's size with a key each, and as records with a key each. */
export class GalleryTrial {
  readonly #people: People
  readonly #enrolled: Uint32Array
  readonly #options: TrialOptions
  readonly #table: GalleryTable
  /** Codes of the records, side by side. */
  readonly #codes: Uint8Array

  private constructor(people: People, enrolled: Uint32Array, options: TrialOptions) {
    this.#people = people
    this.#enrolled = enrolled
    this.#options = options
    this.#table = new GalleryTable(shardCapacity(people.dimensions, options.galleryBits), options.galleryBits)
    this.#codes = new Uint8Array((enrolled.length * options.bits) / 8)
  }

  /** @param enrolled samples, in the order in which they take their slots */
  static async open(
    people: People,
    enrolled: Uint32Array,
    options: TrialOptions,
    pace: Pace,
  ): Promise<GalleryTrial> {
    const trial = new GalleryTrial(people, enrolled, options)
    for (let start = 0; start < enrolled.length; start += CHUNK) {
      const end = Math.min(enrolled.length, start + CHUNK)
      for (let member = start; member < end; member++) trial.#enroll(member)
      await pace.step(end - start)
    }
    return trial
  }

  /** Searches for a sample; its subject may be enrolled with another one. */
  async search(sample: number): Promise<SearchOutcome> {
    const { subjectOf } = this.#people
    const subject = subjectOf[sample] as number
    const isMate = (member: number): boolean => subjectOf[this.#enrolled[member] as number] === subject
    const { galleryBits, scanThreshold, signal } = this.#options
    const integers = this.#integers(sample)
    const question = { integers, bits: galleryBits, threshold: scanThreshold, signal }
    const hits = await scanTable(this.#table, question)
    const scan = new Best()
    const identify = new Best()
    const confirmation = new Best()
    for (const { handle, rank } of hits) {
      const member = memberOf(handle)
      const scanned = rank / Math.sqrt(galleryBits)
      const confirmed = this.#confirm(integers, member)
      scan.add(isMate(member), scanned)
      confirmation.add(isMate(member), confirmed)
      identify.add(isMate(member), (scanned + confirmed) / 2)
    }
    return {
      ways: { cosine: this.#exhaust(sample, isMate), identify, scan, confirmation },
      scanned: hits.map(({ rank }) => rank / Math.sqrt(galleryBits)),
      mateScanned: scan.mate,
    }
  }

  async dispose(): Promise<void> {
    wipe(this.#codes)
    await this.#table.wipe()
  }

  #enroll(member: number): void {
    const { suite, bits, galleryBits } = this.#options
    const z = this.#integers(this.#enrolled[member] as number)
    const capacity = shardCapacity(this.#people.dimensions, galleryBits)
    const number = 1 + Math.floor(member / capacity)
    const shardKey = this.#key(SHARD_KEY, number)
    if (number > this.#table.shards) this.#table.addShard(shardKey)
    const code = encodeReference(z, GALLERY_SUITE, galleryBits, shardKey)
    this.#table.addSlot(number, { handle: handleOf(member), code })
    const reference = encodeReference(z, suite, bits, this.#key(RECORD_KEY, member))
    this.#codes.set(reference, (member * bits) / 8)
    wipe(code, reference, shardKey)
  }

  /** Similarity under the record's own key. */
  #confirm(integers: Int32Array, member: number): number {
    const { suite, bits } = this.#options
    const probe = encodeProbe(integers, suite, bits, this.#key(RECORD_KEY, member))
    const { sum, energy } = score(this.#codes.subarray((member * bits) / 8, ((member + 1) * bits) / 8), probe)
    probe.wipe()
    return similarity(sum, energy, bits)
  }

  #exhaust(sample: number, isMate: (member: number) => boolean): Standing {
    const { dimensions, units } = this.#people
    const best = new Best()
    for (let member = 0; member < this.#enrolled.length; member++) {
      let cosine = 0
      const end = (sample + 1) * dimensions
      for (
        let i = sample * dimensions, j = (this.#enrolled[member] as number) * dimensions;
        i < end;
        i++, j++
      ) {
        cosine += (units[i] as number) * (units[j] as number)
      }
      best.add(isMate(member), cosine)
    }
    return best
  }

  #integers(sample: number): Int32Array {
    const { dimensions, integers } = this.#people
    return integers.subarray(sample * dimensions, (sample + 1) * dimensions)
  }

  #key(use: number, number: number): Uint8Array {
    return seededKey(this.#options.seed, this.#options.draw, use, number)
  }
}

class Best implements Standing {
  mate = -1
  other = -1

  add(isMate: boolean, value: number): void {
    if (isMate) this.mate = Math.max(this.mate, value)
    else this.other = Math.max(this.other, value)
  }
}

/** Never sixteen zeros, which mean a hole. */
function handleOf(member: number): Uint8Array {
  const handle = new Uint8Array(16)
  handle.set(u32be(member + 1))
  return handle
}

function memberOf(handle: Uint8Array): number {
  return readU32be(handle) - 1
}
