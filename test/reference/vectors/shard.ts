/** The gallery and the shard that vectors and testkit are about. @module */
import { meanHash } from '../embedding.ts'
import type * as gallery from '../gallery.ts'
import { bytesFor } from '../inputs.ts'
import * as person from './person.ts'

export const D = 128
export const G = 64
export const GALLERY: gallery.Gallery = {
  realm: person.REALM,
  purpose: 'one-record',
  model: person.MODEL,
  meanHash: meanHash(D, undefined),
  d: D,
  g: G,
}
export const SHARD: gallery.Shard = { number: 3, created: person.CREATED, w: 1, epoch: 2, since: 1 }
export const K: Uint8Array = bytesFor('shard rotation key', 32)
export const KEYS: { readonly custodyIkm: Uint8Array; readonly epochKey: Uint8Array } = {
  custodyIkm: person.ikmFor('operator'),
  epochKey: person.epochKey(2),
}
