/** Errors of templates (SPEC §6). @module */

import { GuiseError } from '../base/errors.ts'

/**
 * - `ERR_TEMPLATE_BITS`: the number of stored bits is not one of those allowed
 * - `ERR_TEMPLATE_OVERCOMPLETE`: more bits than dimensions were asked for without saying so
 * - `ERR_TEMPLATE_EXPORT`: a probe was about to be serialised
 */
export type TemplateErrorCode = 'ERR_TEMPLATE_BITS' | 'ERR_TEMPLATE_OVERCOMPLETE' | 'ERR_TEMPLATE_EXPORT'

/** A template that must not be made as asked. Never retryable. */
export class TemplateError extends GuiseError {
  readonly code: TemplateErrorCode

  constructor(code: TemplateErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
