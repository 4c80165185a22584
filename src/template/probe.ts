/** What is presented for one comparison and never stored (SPEC §6). @module */

import { wipe } from '../base/bytes.ts'
import { TemplateError } from './errors.ts'

/** The quantised coordinates of a fresh sample and the mask of the reference they are compared with. */
export class Probe {
  static {
    // Node's inspector would list the coordinates; it asks this symbol first.
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(Probe.prototype, inspect, { value: () => '[Probe]' })
  }

  /** m steps from −7 to 7. */
  readonly q: Int8Array
  /** m/8 bytes. */
  readonly mask: Uint8Array

  /** Takes ownership of both arrays, which lie off the heap. */
  constructor(q: Int8Array, mask: Uint8Array) {
    this.q = q
    this.mask = mask
  }

  /** Overwrites coordinates and mask; afterwards the probe compares as all zeros. */
  wipe(): void {
    wipe(this.q, this.mask)
  }

  toString(): string {
    return '[Probe]'
  }

  toJSON(): never {
    throw new TemplateError('ERR_TEMPLATE_EXPORT', 'a probe has no JSON form')
  }
}
