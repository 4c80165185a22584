/** The kernel in WebAssembly: four values at a time (SPEC §5, §6). @module */

import { fromBase64, wipe } from '../base/bytes.ts'
import { KERNEL } from './kernel.generated.ts'
import type { Kernel, Workspace } from './kernel.ts'

/** What kernel.as exports; places are byte offsets in its memory. */
interface Exports {
  readonly memory: WebAssembly.Memory
  rotate(values: number, stream: number, levels: number, rounds: number): void
  quantize(values: number, out: number, count: number, step: number): void
  signs(values: number, out: number, count: number): void
}

/**
 * Places in its two pages of memory, which never grow. The first is lent as workspace; what lies elsewhere is copied to
 * the second and back. 4096 values take 16,384 bytes; the longest key stream with its mask, 21,632.
 */
const STREAM_AT = 16_384
const RESULT_AT = 49_152
const GUEST_AT = 65_536

/** What `checksum` gives for every kernel. */
const CHECKSUM = 488_248_190

/**
 * The kernel of a module, compiled at once, which browsers allow below 4 KiB.
 *
 * @returns `undefined` where there is no WebAssembly, none with 128-bit vectors, none that the page's policy allows, no
 * memory for it, or where it does not compute the right integers
 */
export function assemblyKernel(module: string = KERNEL): Kernel | undefined {
  try {
    const own = startModule(module)
    return checksum(own) === CHECKSUM ? own : undefined
  } catch {
    return undefined
  }
}

/** Throws whatever the runtime has against the module, which nobody has checked yet. */
export function startModule(module: string): Kernel {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fromBase64(module) as BufferSource))
  return new AssemblyKernel(exports as unknown as Exports)
}

/**
 * A digest of what a kernel makes of fixed integers. A wrong byte order or engine must not make templates: nobody would
 * notice before other machines do not match them.
 */
export function checksum(kernel: Kernel): number {
  const { values, stream } = kernel.workspace(512, 1408)
  values.forEach((_, i) => {
    values[i] = Math.imul(i + 1, 0x9e37_79b1) >> 14
  })
  stream.forEach((_, i) => {
    stream[i] = Math.imul(i + 1, 0x85eb_ca6b) >>> 24
  })
  const q = new Int8Array(512)
  const bits = new Uint8Array(64)
  kernel.rotate(values, 4, stream)
  kernel.quantize(values, 15_524, q)
  kernel.signs(values, bits)
  let sum = 0
  for (const view of [values, q, bits]) for (const value of view) sum = (Math.imul(sum, 31) + value) | 0
  wipe(values, stream)
  return sum
}

/** What it copies into its memory it wipes before a call returns or throws; a workspace is wiped by whoever has it. */
class AssemblyKernel implements Kernel {
  readonly #exports: Exports
  readonly #memory: ArrayBuffer

  constructor(exports: Exports) {
    this.#exports = exports
    this.#memory = exports.memory.buffer
  }

  workspace(n: number, streamLength: number): Workspace {
    return {
      values: new Int32Array(this.#memory, 0, n),
      stream: new Uint8Array(this.#memory, STREAM_AT, streamLength),
    }
  }

  rotate(values: Int32Array, rounds: number, stream: Uint8Array): void {
    const levels = 31 - Math.clz32(values.length)
    const streamLength = rounds * ((values.length >> 4) * levels + (values.length >> 3))
    const own = this.#guest(values)
    const ownStream =
      stream.buffer === this.#memory
        ? undefined
        : new Uint8Array(this.#memory, GUEST_AT + STREAM_AT, streamLength)
    try {
      own?.set(values)
      ownStream?.set(stream.subarray(0, streamLength))
      this.#exports.rotate((own ?? values).byteOffset, (ownStream ?? stream).byteOffset, levels, rounds)
      if (own !== undefined) values.set(own)
    } finally {
      wipe(own, ownStream)
    }
  }

  quantize(values: Int32Array, step: number, q: Int8Array): void {
    const own = this.#guest(values)
    const result = new Int8Array(this.#memory, RESULT_AT, q.length)
    try {
      own?.set(values)
      this.#exports.quantize((own ?? values).byteOffset, RESULT_AT, q.length, step)
      q.set(result)
    } finally {
      wipe(own, result)
    }
  }

  signs(values: Int32Array, bits: Uint8Array): void {
    const own = this.#guest(values)
    const result = new Uint8Array(this.#memory, RESULT_AT, bits.length)
    try {
      own?.set(values)
      this.#exports.signs((own ?? values).byteOffset, RESULT_AT, 8 * bits.length)
      bits.set(result)
    } finally {
      wipe(own, result)
    }
  }

  /** Room for values that lie outside the memory; `undefined` for those in it. */
  #guest(values: Int32Array): Int32Array | undefined {
    return values.buffer === this.#memory ? undefined : new Int32Array(this.#memory, GUEST_AT, values.length)
  }
}
