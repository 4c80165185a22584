/** The arrays that the rows of a gallery are made of, field by field in their order (SPEC §16). @module */
import { lp } from './bytes.ts'
import type { Value } from './cbor.ts'
import {
  bytes,
  type Check,
  type Fields,
  kind,
  listOf,
  model,
  realm,
  type Shape,
  text,
  uint,
  upTo,
  VERSION,
} from './shapes.ts'
import { SIZES } from './transform.ts'

const purpose: Check = (value) => typeof value === 'string' && value.length <= 40
const most = 10_000_000

/** Of every row: how codes are made. */
const made: Shape = [
  ['model', model],
  ['meanHash', bytes(32)],
  ['d', upTo(4096)],
  ['g', (value) => typeof value === 'number' && SIZES.includes(value)],
  ['suite', (value) => value === 'B6', VERSION],
]

const orHole: Check = (value) => value === null || bytes(16)(value)

/** §16.1. */
export const headBody: Shape = [
  ...kind(15),
  ['realm', realm],
  ['version', uint],
  ['purpose', purpose],
  ['basis', upTo(3)],
  ['limit', upTo(most)],
  ...made,
  ['created', uint],
  ['count', uint],
  ['open', listOf(uint, 16, 16)],
  ['v', uint],
]

/** §16.2. */
export const shardBody: Shape = [
  ...kind(16),
  ['realm', realm],
  ['number', uint],
  ['version', uint],
  ['purpose', purpose],
  ...made,
  ['created', uint],
  ['epoch', uint],
  ['since', uint],
  ['w', uint],
  ['wrap', bytes(176)],
  ['slots', listOf(orHole, 32, 1)],
  ['v', uint],
]

/** §16.3. */
export const galleryMemberHeader: Shape = [
  ...kind(17),
  ['realm', realm],
  ['use', text],
  ['handle', bytes(16)],
  ['record', bytes(16)],
  ['generation', bytes(20)],
  ['purpose', purpose],
  ...made,
  ['number', uint],
  ['slot', upTo(31)],
  ['created', uint],
]

/** §16.7. */
export const budgetBody: Shape = [
  ...kind(20),
  ['realm', realm],
  ['version', uint],
  ['count', uint],
  ['time', uint],
  ['origin', bytes(16)],
  ['steady', uint],
  ['v', uint],
]

export const HEAD_CONTEXT: Uint8Array = lp('guise/v1/gallery')
export const SHARD_CONTEXT: Uint8Array = lp('guise/v1/gallery-shard')
export const BUDGET_CONTEXT: Uint8Array = lp('guise/v1/gallery-budget')

/** What no single field shows: the shards that are open exist, and a shard takes no more than its key may serve. */
export function fitsTogether(fields: Fields): boolean {
  const { open, count, slots, d } = fields
  if (Array.isArray(open)) return open.every((number: Value) => (number as number) <= (count as number))
  if (Array.isArray(slots)) return slots.length <= Math.floor((d as number) / 8)
  return true
}
