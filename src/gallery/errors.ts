/** Errors of galleries (SPEC §16). @module */

import { GuiseError } from '../base/errors.ts'

export type GalleryErrorCode =
  /** The declaration is not whole, or not the one that the realm has. */
  | 'ERR_GALLERY_DECLARATION'
  /** Galleries exist under custody `operator` only. */
  | 'ERR_GALLERY_CUSTODY'
  /** Template and member code together would store more bits than the embedding has dimensions. */
  | 'ERR_GALLERY_BITS'
  /** An identification point does not fit, or does not show a low enough rate. */
  | 'ERR_GALLERY_POINT'
  /** The vault was opened without a gallery. */
  | 'ERR_GALLERY_UNDECLARED'
  /** The person's basis is of another kind than the gallery's. */
  | 'ERR_GALLERY_BASIS'
  /** The gallery has as many members as it was declared for. */
  | 'ERR_GALLERY_FULL'
  /** The gallery is larger than the one that the identification point was measured with. */
  | 'ERR_GALLERY_TOO_LARGE'
  /** The searches of this hour are used up; retryable. */
  | 'ERR_GALLERY_THROTTLED'
  /** A unique enrolment resembles a member. */
  | 'ERR_GALLERY_DUPLICATE'
  /** A member's rows cannot be read, so nobody can tell whether a person is unique. */
  | 'ERR_GALLERY_DAMAGED'
  /** A part of the gallery did not answer, or what came is no question or answer of it; retryable. */
  | 'ERR_GALLERY_PART'

/** What a gallery refuses. */
export class GalleryError extends GuiseError {
  readonly code: GalleryErrorCode

  constructor(
    code: GalleryErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryable?: boolean } = {},
  ) {
    super(message, options)
    this.code = code
  }
}

/** For the checks of a declaration. */
export function rejectDeclaration(why: string): GalleryError {
  return new GalleryError('ERR_GALLERY_DECLARATION', why)
}

/** For whatever keeps a part from being asked, or from answering. */
export function partFailure(why: string, cause?: unknown): GalleryError {
  const options = { retryable: true, ...(cause === undefined ? {} : { cause }) }
  return new GalleryError('ERR_GALLERY_PART', `a part of the gallery: ${why}`, options)
}

/** For the checks of identification points. */
export function rejectPoint(why: string): GalleryError {
  return new GalleryError('ERR_GALLERY_POINT', why)
}
