/** Errors of embeddings and models (SPEC §3). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_EMBEDDING_TYPE`: the vector is of a kind that is not accepted, shared, resizable, sparse or not readable
 * - `ERR_EMBEDDING_FORMAT`: base64 or .npy bytes are malformed
 * - `ERR_EMBEDDING_LENGTH`: the vector does not have the model's number of dimensions; nothing was given to fuse
 * - `ERR_EMBEDDING_RANGE`: a value is not a finite number, or above 2^60 in magnitude
 * - `ERR_EMBEDDING_NORM`: the vector, or the sum of several, is too short or too long to have a direction
 * - `ERR_EMBEDDING_MODEL`: the model is malformed or of a kind that templates cannot be made for
 * - `ERR_EMBEDDING_MISMATCH`: embeddings of different models or means were to be fused
 * - `ERR_EMBEDDING_DISPOSED`: the embedding was wiped, by its owner or by the verb that took it
 * - `ERR_EMBEDDING_EXPORT`: an embedding was about to be serialised
 */
export type EmbeddingErrorCode =
  | 'ERR_EMBEDDING_TYPE'
  | 'ERR_EMBEDDING_FORMAT'
  | 'ERR_EMBEDDING_LENGTH'
  | 'ERR_EMBEDDING_RANGE'
  | 'ERR_EMBEDDING_NORM'
  | 'ERR_EMBEDDING_MODEL'
  | 'ERR_EMBEDDING_MISMATCH'
  | 'ERR_EMBEDDING_DISPOSED'
  | 'ERR_EMBEDDING_EXPORT'

/** A vector, model or embedding that is refused. Never retryable; says nothing of the values. */
export class EmbeddingError extends GuiseError {
  readonly code: EmbeddingErrorCode

  constructor(code: EmbeddingErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
