/** Parts of a gallery: which shards are whose, and how a part is reached (SPEC §16.9). @module */

/** One of several parts: those shards whose number is `index` modulo `of`. */
export interface PartPlace {
  /** From 0. */
  readonly index: number
  readonly of: number
}

/**
 * Brings a question to a part and its answer back, by whatever way: both are sealed, and refused when altered. Rejects when the part
 * cannot be reached; `signal` ends the waiting.
 */
export type GalleryPart = (
  question: Uint8Array,
  options: { readonly signal: AbortSignal },
) => Promise<Uint8Array>

export const MOST_PARTS = 64

/** Whether a shard belongs to a part. */
export function isOwn({ index, of }: PartPlace, number: number): boolean {
  return number % of === index
}

/** A part counts its shards from 1, as the undivided gallery does. */
export function positionOf({ index, of }: PartPlace, number: number): number {
  return Math.floor((number - 1 - ((index + of - 1) % of)) / of) + 1
}

/** The other way round. */
export function numberOf({ index, of }: PartPlace, position: number): number {
  return 1 + ((index + of - 1) % of) + of * (position - 1)
}

/** How many of the shards from 1 to `count` are a part's: as many as the position of the last of them. */
export function ownShards(place: PartPlace, count: number): number {
  return positionOf(place, count)
}
