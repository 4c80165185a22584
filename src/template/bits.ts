/** How many bits a template may store (SPEC §6). @module */

import type { Bits } from '../policy/operating-point.ts'
import { BITS, isBits } from '../transform/suite.ts'
import { TemplateError } from './errors.ts'

/** Beyond it accuracy hardly grows, and what a thief of code and key learns does. */
const MOST_BY_DEFAULT = 512

/** The default: the largest allowed number of bits that is at most min(dimensions, 512). */
export function defaultBits(dimensions: number): Bits {
  const most = Math.min(dimensions, MOST_BY_DEFAULT)
  const bits = BITS.findLast((candidate) => candidate <= most)
  if (bits === undefined) throw new TemplateError('ERR_TEMPLATE_BITS', 'too few dimensions for a template')
  return bits
}

/**
 * Accepts an allowed number of bits that is at most `dimensions`.
 *
 * @param overcomplete true when the caller said that more bits than dimensions are wanted: such a template holds
 * practically the embedding for whoever has its key
 */
export function checkBits(dimensions: number, bits: unknown, overcomplete: boolean): Bits {
  if (!isBits(bits)) throw new TemplateError('ERR_TEMPLATE_BITS', `bits must be one of ${BITS.join(', ')}`)
  if (bits > dimensions && !overcomplete) {
    throw new TemplateError(
      'ERR_TEMPLATE_OVERCOMPLETE',
      'a template must not store more bits than dimensions',
    )
  }
  return bits
}
