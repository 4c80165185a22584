/** The member that an enrolment or a reissue adds, and whether the person is one already (SPEC §16.3, §16.8). @module */

import { checkOneOf } from '../base/check.ts'
import { GalleryError } from '../gallery/errors.ts'
import { type IdentificationPoint, identificationPointId } from '../gallery/identification-point.ts'
import type { StoredBasis } from '../policy/basis.ts'
import type { RecordName } from '../record/place.ts'
import type { StoreStep } from '../store/store.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import type { Gallery } from './gallery.ts'
import {
  arrivalSteps,
  arrive,
  departureSteps,
  endArrival,
  findDeparture,
  forgetDeparture,
  memberOf,
} from './gallery-change.ts'
import { foundCheck, type Search, search, spendSearch } from './gallery-search.ts'
import type { GalleryMoment } from './gallery-sync.ts'
import { requireGallery } from './identify.ts'
import { type Provenance, policyText } from './provenance.ts'

/** What a new template brings to the gallery; nothing where the vault declares none and nobody has to go. */
export interface NewMember {
  /** Borrows the record secret. */
  make(recordSecret: Uint8Array, createdMs: number): void
  /** What is written. Needs loaded keys; does not wait. */
  steps(): readonly StoreStep[]
  /** The steps are durable. */
  settled(): void
  /** Wipes the shard's key. */
  end(): void
}

/** What an enrolment asks of the gallery. */
export interface Uniqueness {
  readonly gallery: Gallery
  readonly point: IdentificationPoint
  readonly provenance: Provenance
  /** Enrols all the same. */
  readonly flag: boolean
}

/** Whose ground is another than the gallery's does not come into it (GALLERY-3). */
export function requireGalleryBasis(ctx: VaultContext, { kind }: StoredBasis): void {
  if (ctx.gallery === undefined || ctx.gallery.settings.basis === kind) return
  throw new GalleryError(
    'ERR_GALLERY_BASIS',
    'the basis is of another kind than the gallery was declared for',
  )
}

/** Runs an insertion when those of this process into the same shard have ended; without a gallery at once. */
export function inTurn<Result>(
  ctx: VaultContext,
  turn: string,
  task: () => Promise<Result>,
): Promise<Result> {
  return ctx.gallery === undefined ? task() : ctx.gallery.places.run(turn, task, ctx.signal)
}

/** Finds a slot, and the member of before. */
export async function prepareMember(
  ctx: VaultContext,
  name: RecordName,
  call: {
    readonly integers: Int32Array
    readonly place: number
    readonly seen?: GalleryMoment | undefined
  },
): Promise<NewMember> {
  const { gallery } = ctx
  const departure = await findDeparture(ctx, name.handle)
  const settled = (): void => forgetDeparture(ctx, departure)
  if (gallery === undefined) {
    const steps = (): readonly StoreStep[] => (departure === undefined ? [] : departureSteps(ctx, departure))
    return { make: () => undefined, steps, settled, end: () => undefined }
  }
  const arrival = await arrive(ctx, gallery, name, { place: call.place, seen: call.seen, departure })
  let row: Uint8Array | undefined
  return {
    make: (recordSecret, createdMs) => {
      row = memberOf(gallery, arrival, name, { integers: call.integers, recordSecret, createdMs })
    },
    steps: () => arrivalSteps(ctx, gallery, arrival, row as Uint8Array, departure),
    settled,
    end: () => endArrival(arrival),
  }
}

/** Reads what the request asks, and counts the search. */
export async function askUnique(
  ctx: VaultContext,
  value: unknown,
  probeClass: string,
  provenance: Provenance,
): Promise<Uniqueness | undefined> {
  if (value === undefined) return undefined
  if (value !== true) checkOneOf(value as string, 'unique', ['flag'], rejectInput)
  const gallery = requireGallery(ctx)
  const point = gallery.point(probeClass)
  if ((await spendSearch(ctx, gallery)) !== undefined) {
    throw new GalleryError('ERR_GALLERY_THROTTLED', 'the searches of this hour are used up', {
      retryable: true,
    })
  }
  return { gallery, point, provenance, flag: value === 'flag' }
}

/** Searches for the person; throws when somebody is found, unless that is only to be flagged. */
export async function requireUnique(
  ctx: VaultContext,
  { gallery, point, provenance, flag }: Uniqueness,
  { integers }: { readonly integers: Int32Array },
  ring: StoreStep,
): Promise<Search> {
  const result = await search(ctx, gallery, { integers, point, among: 'kept' })
  if (result.moment.unreadable > 0) {
    throw new GalleryError('ERR_GALLERY_DAMAGED', 'members of the gallery cannot be read')
  }
  if (flag || result.found.length === 0) return result
  const id = `${gallery.settings.profile.purpose}/${identificationPointId(point)}`
  const policy = policyText(id, provenance)
  const checks = result.found.map((one) => foundCheck(ctx, one))
  await ctx.ring.load()
  const event = { action: 'enroll', outcome: 'refused', basis: gallery.settings.basis, ...policy } as const
  await ctx.commitLogged([ring, ...checks], event)
  throw new GalleryError('ERR_GALLERY_DUPLICATE', 'the person resembles a member of the gallery')
}
