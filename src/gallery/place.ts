/** Where the rows of a gallery lie (SPEC §16). @module */

import type { Realm } from '../base/brand.ts'
import { joinBytes, u32be } from '../base/bytes.ts'
import { realmPrefix } from '../base/identifier.ts'

const HEAD: Uint8Array = Uint8Array.of(0)
const SHARD: Uint8Array = Uint8Array.of(1)
const MEMBER: Uint8Array = Uint8Array.of(2)
const BUDGET: Uint8Array = Uint8Array.of(3)

export function galleryHeadKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), HEAD)
}

/** @param number from 1 */
export function shardKey(realm: Realm, number: number): Uint8Array {
  return joinBytes(realmPrefix(realm), SHARD, u32be(number))
}

/** Where shards begin. */
export function shardStart(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), SHARD)
}

/** @param handle 16 bytes */
export function memberKey(realm: Realm, handle: Uint8Array): Uint8Array {
  return joinBytes(realmPrefix(realm), MEMBER, handle)
}

export function budgetKey(realm: Realm): Uint8Array {
  return joinBytes(realmPrefix(realm), BUDGET)
}
