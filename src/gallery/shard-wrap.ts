/** Wrapping a shard's rotation key: custody inside, epoch outside (SPEC §16.2). @module */

import { wipe } from '../base/bytes.ts'
import { committingOpenPrepared, committingSealPrepared } from '../crypto/committing.ts'
import { packSealed, unpackSealed } from '../keys/sealed.ts'
import { sealFailure } from '../seal/errors.ts'
import { type ShardName, type ShardRow, shardInnerHeader, shardOuterHeader } from './shard-row.ts'

const INNER = 'guise/v1/shard-inner'
const OUTER = 'guise/v1/shard-outer'
const KEY_BYTES = 32

/** Both keys are prepared (`hkdfPrepare`) and borrowed. */
export interface ShardWrapKeys {
  readonly custody: Uint8Array
  readonly epoch: Uint8Array
}

/** The wrap of a new rotation key, 32 bytes, borrowed. */
export function wrapShardKey(
  rotationKey: Uint8Array,
  name: ShardName,
  epoch: number,
  keys: ShardWrapKeys,
): Uint8Array {
  const inner = packSealed(committingSealPrepared(keys.custody, INNER, shardInnerHeader(name), rotationKey))
  const header = shardOuterHeader(name, epoch, epoch)
  return packSealed(committingSealPrepared(keys.epoch, OUTER, header, inner))
}

/** The rotation key, off the heap; the caller wipes it. Throws `ERR_SEAL_OPEN`. */
export function openShardKey(row: ShardRow, keys: ShardWrapKeys): Uint8Array {
  const inner = openOuter(row, keys.epoch)
  try {
    const opened = committingOpenPrepared(keys.custody, INNER, shardInnerHeader(row), unpackSealed(inner))
    if (opened?.length !== KEY_BYTES) throw sealFailure()
    return opened
  } finally {
    wipe(inner)
  }
}

/** The same inner wrap under another epoch. Never learns the rotation key. Throws `ERR_SEAL_OPEN`. */
export function rewrapShardKey(
  row: ShardRow,
  from: Uint8Array,
  to: { readonly epoch: number; readonly prepared: Uint8Array },
): Uint8Array {
  const inner = openOuter(row, from)
  try {
    const header = shardOuterHeader(row, to.epoch, row.since)
    return packSealed(committingSealPrepared(to.prepared, OUTER, header, inner))
  } finally {
    wipe(inner)
  }
}

function openOuter(row: ShardRow, prepared: Uint8Array): Uint8Array {
  const header = shardOuterHeader(row, row.epoch, row.since)
  const inner = committingOpenPrepared(prepared, OUTER, header, unpackSealed(row.wrap))
  if (inner === undefined) throw sealFailure()
  return inner
}
