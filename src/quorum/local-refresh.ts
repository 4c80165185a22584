/** A refresh by files, in steps that can be taken again after a crash (SPEC §13.2, §13.8). @module */
/// <reference types="node" />

import { concatBytes, equalBytes, readU32be, u32be, wipe } from '../base/bytes.ts'
import { asArray, asBytes, asUint, decodeCbor, encodeCbor } from '../base/cbor.ts'
import { malformed, rejectInput } from './errors.ts'
import { epochOf, FORMAT, MAX_EPOCH, MAX_KEY_BYTES, requireKind } from './key.ts'
import type { HolderFolder } from './local-holder.ts'
import { type ResumableRefresh, resumableRefresh } from './refresh.ts'
import type { QuorumShare } from './share.ts'

const KIND = 39
const NAME = 'refresh'
const LENGTH_BYTES = 4
const MOST_OPENINGS = 16
const MAX_OPENING_BYTES = 2 * MAX_KEY_BYTES
const MAX_HEADER_BYTES = MOST_OPENINGS * MAX_OPENING_BYTES + 64

interface Begun {
  readonly epoch: number
  readonly refresh: number
  readonly openings: readonly Uint8Array[]
  /** As `ResumableRefresh.save` gave it. */
  readonly saved: Uint8Array
}

/** The own opening, for everybody: of the refresh that was begun, or of a new one of the newest share. */
export function beginRefresh(folder: HolderFolder): Uint8Array {
  return withShares(folder, (shares) => {
    const begun = readBegun(folder)
    if (begun !== undefined) {
      try {
        using refresh = resumableRefresh(shareOf(shares, begun), begun.saved)
        return refresh.opening
      } finally {
        wipe(begun.saved)
      }
    }
    const share = shares.at(-1)
    if (share === undefined) throw rejectInput('the folder has no share')
    using refresh = resumableRefresh(share)
    keep(folder, share, refresh)
    return refresh.opening
  })
}

/** A package for each other holder, by index, as secret as a share; the caller wipes them. Throws `ERR_QUORUM_ROUND`. */
export function dealRefresh(
  folder: HolderFolder,
  openings: readonly Uint8Array[],
): ReadonlyMap<number, Uint8Array> {
  return withShares(folder, (shares) => {
    const begun = neededBegun(folder)
    try {
      const share = shareOf(shares, begun)
      using refresh = resumableRefresh(share, begun.saved)
      const packages = refresh.deal(openings)
      if (begun.openings.length === 0) keep(folder, share, refresh)
      else if (!same(begun.openings, refresh.openings))
        throw rejectInput('packages were made for other openings')
      return packages
    } finally {
      wipe(begun.saved)
    }
  })
}

/** The new share, which the folder keeps from then on; the caller disposes of it. Throws `ERR_QUORUM_ROUND`. */
export function applyRefresh(folder: HolderFolder, packages: readonly Uint8Array[]): QuorumShare {
  return withShares(folder, (shares) => {
    const begun = neededBegun(folder)
    try {
      const { epoch, refresh: from } = begun
      const made = shares.find(({ key }) => key.epoch === epoch && key.refresh === from + 1)
      if (made === undefined && begun.openings.length === 0) throw rejectInput('no packages were made')
      const share = made?.copy() ?? finish(shareOf(shares, begun), begun, packages)
      if (made === undefined) folder.writeShare(share)
      folder.remove(NAME)
      return share
    } finally {
      wipe(begun.saved)
    }
  })
}

/** Forgets a refresh that somebody spoilt. Packages that were given out are worth nothing then. */
export function abandonRefresh(folder: HolderFolder): void {
  folder.remove(NAME)
}

function finish(share: QuorumShare, begun: Begun, packages: readonly Uint8Array[]): QuorumShare {
  using refresh = resumableRefresh(share, begun.saved)
  wipe(...refresh.deal(begun.openings).values())
  return refresh.finish(packages)
}

function keep(folder: HolderFolder, { key }: QuorumShare, refresh: ResumableRefresh): void {
  const header = encodeCbor([FORMAT, KIND, key.epoch, key.refresh, [...refresh.openings]])
  const saved = refresh.save()
  const content = concatBytes(u32be(header.length), header, saved)
  try {
    folder.write(NAME, content)
  } finally {
    wipe(saved, content)
  }
}

function neededBegun(folder: HolderFolder): Begun {
  const begun = readBegun(folder)
  if (begun === undefined) throw rejectInput('no refresh was begun')
  return begun
}

function readBegun(folder: HolderFolder): Begun | undefined {
  const content = folder.read(NAME)
  if (content === undefined) return undefined
  try {
    if (content.length < LENGTH_BYTES) throw malformed('the refresh is too short')
    const end = LENGTH_BYTES + readU32be(content)
    const header = content.subarray(LENGTH_BYTES, end)
    const items = asArray(decodeCbor(header, MAX_HEADER_BYTES, malformed), 5, malformed)
    const [format, kind, epoch, refresh, openings] = items
    requireKind(format, kind, KIND)
    const length = Array.isArray(openings) ? Math.min(openings.length, MOST_OPENINGS) : 0
    return {
      epoch: epochOf(epoch),
      refresh: asUint(refresh, MAX_EPOCH, malformed),
      openings: asArray(openings, length, malformed).map((one) =>
        asBytes(one, [0, MAX_OPENING_BYTES], malformed),
      ),
      saved: concatBytes(content.subarray(end)),
    }
  } finally {
    wipe(content)
  }
}

function shareOf(shares: readonly QuorumShare[], { epoch, refresh }: Begun): QuorumShare {
  const share = shares.find(({ key }) => key.epoch === epoch && key.refresh === refresh)
  if (share === undefined) throw rejectInput('the share that is being refreshed is gone')
  return share
}

function withShares<Result>(folder: HolderFolder, task: (shares: readonly QuorumShare[]) => Result): Result {
  const shares = folder.shares()
  try {
    return task(shares)
  } finally {
    for (const share of shares) share.dispose()
  }
}

function same(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => equalBytes(bytes, b[i] ?? new Uint8Array(0)))
}
