/** What a realm declares of its gallery, and what every row of it repeats (SPEC §16.1). @module */

import type { ModelId, Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkBoolean, checkFunction, checkInteger, checkOneOf, checkText } from '../base/check.ts'
import { BASIS_KINDS, type BasisKind } from '../policy/basis.ts'
import { readFields, readList } from '../policy/fields.ts'
import type { Bits } from '../policy/operating-point.ts'
import { BITS } from '../transform/suite.ts'
import { GalleryError, rejectDeclaration } from './errors.ts'
import { fitIdentificationPoints, type IdentificationPoint } from './identification-point.ts'
import { type GalleryPart, MOST_PARTS } from './part-place.ts'

/** Declares the realm's gallery; the same by every vault that searches or fills it. */
export interface GalleryOptions {
  /** What people are looked for: 1 to 40 characters under the rule for realms. Stands in every row and log entry. */
  readonly purpose: string
  /** The legal ground; who is enrolled must have one of this kind. */
  readonly basis: BasisKind
  /** The most members at once, 1 to 10,000,000. */
  readonly limit: number
  readonly points: readonly IdentificationPoint[]
  /** Stored bits of a member. Default: the largest allowed value ≤ min(dimensions − bits of a template, 512). */
  readonly bits?: Bits
  /** Searches an hour, all processes together, 1 to 1,000,000. Default 1,000. */
  readonly queriesPerHour?: number
  /**
   * Threads of this process that search, the caller's included, 1 to 8; others exist under Node only. Default 2, or 1 where there is
   * one processor. No part of what the realm declares, as is the next.
   */
  readonly threads?: number
  /**
   * Keeps the key stream of every shard in memory, in place of making it anew for each search: a search takes about three quarters of the
   * time, and a million members of 512 bits 68 MB more. Default false.
   */
  readonly cacheKeyStreams?: boolean
  /**
   * The parts that keep the gallery (`openGalleryPart`), part 0 first, at most 64: then this vault has no index, and asks all of them.
   * Of this vault, not of the declaration.
   */
  readonly parts?: readonly GalleryPart[]
  /** How long all of them together may take to answer, in milliseconds, 1 to 600,000. Default 10,000. */
  readonly partTimeoutMs?: number
}

/** What every row of a gallery says of how its codes were made. */
export interface GalleryProfile {
  readonly realm: Realm
  readonly purpose: string
  readonly model: string
  /** 32 bytes. */
  readonly meanHash: Uint8Array
  readonly dimensions: number
  readonly bits: Bits
}

/** A checked declaration. */
export interface GallerySettings {
  readonly profile: GalleryProfile
  readonly basis: BasisKind
  readonly limit: number
  readonly points: ReadonlyMap<string, IdentificationPoint>
  readonly queriesPerHour: number
  /** `undefined`: as many as suit the processors. */
  readonly threads: number | undefined
  readonly cacheKeyStreams: boolean
  readonly parts: readonly GalleryPart[] | undefined
  readonly partTimeoutMs: number
}

/** What the vault says of its templates. */
export interface VaultTemplates {
  readonly realm: Realm
  readonly model: string
  readonly meanHash: Uint8Array
  readonly dimensions: number
  readonly bits: Bits
}

/** Member codes share a rotation key: six rounds (TRANSFORM-2). */
export const GALLERY_SUITE = 'B6'
export const MOST_MEMBERS = 10_000_000
/** No more threads search, the caller's included. */
export const MOST_THREADS = 8
const MOST_PURPOSE_BYTES = 40
const MOST_IN_SHARD = 32
const MOST_IN_SHARD_OF_LONG_CODES = 24
const MOST_BY_DEFAULT = 512
const MOST_QUERIES = 1_000_000
const DEFAULT_QUERIES = 1000
const LONGEST_MS = 600_000
const DEFAULT_MS = 10_000
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$/
const FIELDS = [
  'purpose',
  'basis',
  'limit',
  'points',
  'bits',
  'queriesPerHour',
  'threads',
  'cacheKeyStreams',
  'parts',
  'partTimeoutMs',
] as const

/** How many insertions a shard's key serves in its life (GALLERY-4): fewer where each code tells more of a face. */
export function shardCapacity(dimensions: number, bits: number): number {
  return Math.min(2 * bits > dimensions ? MOST_IN_SHARD_OF_LONG_CODES : MOST_IN_SHARD, dimensions >> 3)
}

/** A checked copy. Throws `ERR_GALLERY_*`. */
export function checkGallery(
  value: unknown,
  templates: VaultTemplates,
  allowed: { readonly overcomplete: boolean; readonly highRate: boolean },
): GallerySettings {
  const given = readFields(value, 'gallery', FIELDS, rejectDeclaration)
  const { realm, model, meanHash, dimensions } = templates
  const purpose = checkText(
    given.purpose,
    'gallery.purpose',
    { maxBytes: MOST_PURPOSE_BYTES, pattern: NAME },
    rejectDeclaration,
  )
  const bits = galleryBits(given.bits, templates, allowed.overcomplete)
  return {
    profile: { realm, purpose, model, meanHash, dimensions, bits },
    basis: checkOneOf(given.basis, 'gallery.basis', BASIS_KINDS, rejectDeclaration),
    limit: checkInteger(given.limit, 'gallery.limit', [1, MOST_MEMBERS], rejectDeclaration),
    points: fitIdentificationPoints(
      given.points,
      { model: model as ModelId, meanHash, bits: templates.bits, galleryBits: bits },
      allowed.highRate,
    ),
    queriesPerHour: checkInteger(
      given.queriesPerHour ?? DEFAULT_QUERIES,
      'gallery.queriesPerHour',
      [1, MOST_QUERIES],
      rejectDeclaration,
    ),
    threads:
      given.threads === undefined
        ? undefined
        : checkInteger(given.threads, 'gallery.threads', [1, MOST_THREADS], rejectDeclaration),
    cacheKeyStreams: checkBoolean(
      given.cacheKeyStreams ?? false,
      'gallery.cacheKeyStreams',
      rejectDeclaration,
    ),
    parts: checkParts(given.parts),
    partTimeoutMs: checkInteger(
      given.partTimeoutMs ?? DEFAULT_MS,
      'gallery.partTimeoutMs',
      [1, LONGEST_MS],
      rejectDeclaration,
    ),
  }
}

function checkParts(given: unknown): readonly GalleryPart[] | undefined {
  if (given === undefined) return undefined
  const parts = readList(given, 'gallery.parts', MOST_PARTS, rejectDeclaration)
  if (parts.length === 0) throw rejectDeclaration('gallery.parts must name at least one part')
  for (const part of parts) checkFunction(part, 'a part', rejectDeclaration)
  return parts as readonly GalleryPart[]
}

/** Template and member code of one face add up: together they stay below what practically is the embedding. */
function galleryBits(given: unknown, { dimensions, bits }: VaultTemplates, overcomplete: boolean): Bits {
  const room = dimensions - bits
  if (given === undefined) {
    const chosen = BITS.findLast((candidate) => candidate <= Math.min(room, MOST_BY_DEFAULT))
    if (chosen !== undefined) return chosen
    throw new GalleryError('ERR_GALLERY_BITS', 'no bits are left for a gallery: give templates fewer')
  }
  const chosen = checkOneOf(given as number, 'gallery.bits', BITS as readonly number[], rejectDeclaration)
  if (chosen > room && !overcomplete) {
    throw new GalleryError(
      'ERR_GALLERY_BITS',
      'template and member code must not store more bits than dimensions',
    )
  }
  return chosen as Bits
}

/** True when codes of both were made alike and for the same purpose. */
export function sameProfile(a: GalleryProfile, b: GalleryProfile): boolean {
  return (
    a.realm === b.realm &&
    a.purpose === b.purpose &&
    a.model === b.model &&
    equalBytes(a.meanHash, b.meanHash) &&
    a.dimensions === b.dimensions &&
    a.bits === b.bits
  )
}
