/** What a process keeps of its realm's gallery (SPEC §16.4). @module */

import { KeyedMutex } from '../base/mutex.ts'
import { Turns } from '../base/turns.ts'
import { type GallerySettings, shardCapacity } from '../gallery/declaration.ts'
import { GalleryError, rejectDeclaration } from '../gallery/errors.ts'
import type { IdentificationPoint } from '../gallery/identification-point.ts'
import { BLOCK_SHARDS, layoutOf, mostShards } from '../gallery/layout.ts'
import { isOwn, type PartPlace, positionOf } from '../gallery/part-place.ts'
import { GalleryTable } from '../gallery/table.ts'
import { defaultThreads } from '../gallery/threads.ts'

/** All shards. */
const WHOLE: PartPlace = { index: 0, of: 1 }

/** The part of a vault that belongs to its gallery. */
export class Gallery {
  readonly settings: GallerySettings
  readonly capacity: number
  /** Which shards this process keeps. */
  readonly place: PartPlace
  /** One insertion at a time and place in this process; between processes the store decides. */
  readonly places: KeyedMutex = new KeyedMutex()
  /** What a scan reads. */
  readonly table: GalleryTable
  /** Versions of the shards that take members, as they were integrated. */
  versions: Map<number, string> = new Map()
  /** Versions of the full ones as they were read last: while they have these, no member has gone. */
  readonly full: Map<number, string> = new Map()
  /** Of the head as it was read last: no older one is believed. */
  headVersion = 0
  /** `number:slot` of members whose rows cannot be read. */
  readonly unreadable: Set<string> = new Set()
  readonly turns: Turns = new Turns()
  /** When holes were last looked for, on the steady clock. */
  sweptMs: number = Number.NEGATIVE_INFINITY

  constructor(settings: GallerySettings, place: PartPlace = WHOLE) {
    this.settings = settings
    this.place = place
    this.capacity = shardCapacity(settings.profile.dimensions, settings.profile.bits)
    const { bits, dimensions } = settings.profile
    const kept = settings.cacheKeyStreams ? dimensions : undefined
    const own = settings.parts === undefined ? settings.limit / place.of : 0
    if (own > this.capacity * mostShards(layoutOf(this.capacity, bits, BLOCK_SHARDS, kept))) {
      throw rejectDeclaration('the index of so large a gallery cannot keep its key streams')
    }
    this.table = new GalleryTable(this.capacity, bits, {
      threads: settings.threads ?? defaultThreads(),
      cacheStreams: kept,
    })
  }

  /** The point of a probe class. */
  point(probeClass: string): IdentificationPoint {
    const point = this.settings.points.get(probeClass)
    if (point !== undefined) return point
    throw new GalleryError(
      'ERR_GALLERY_POINT',
      'the gallery has no identification point for this probe class',
    )
  }

  /** Wipes the slot of a member that has gone. */
  drop(number: number, slot: number): void {
    if (isOwn(this.place, number)) this.table.clear(positionOf(this.place, number), slot)
    this.unreadable.delete(`${number}:${slot}`)
  }

  async dispose(): Promise<void> {
    this.versions.clear()
    this.full.clear()
    await this.table.wipe()
  }
}
