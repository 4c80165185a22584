/** What a typed array really is, whatever its class says (SPEC §3). @module */

/** The kinds of typed array that vectors and their encodings come in. */
export type ViewKind = 'Float32Array' | 'Float64Array' | 'Uint8Array'

/** A typed array as the engine knows it; `undefined` for anything else, a proxy of one included. */
export interface View {
  readonly kind: ViewKind
  /** In elements; 0 when the buffer is detached. */
  readonly length: number
}

type Getter = (this: unknown) => unknown
interface Accessor {
  readonly get?: Getter
}

// A subclass may override `length`, `buffer` or an iterator, and its instances may shadow them. These getters are
// the engine's own: they read the internal slots, and throw or return undefined for what is not a typed array.
const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const kindOf = getterOf(typedArray, Symbol.toStringTag) as Getter
const lengthOf = getterOf(typedArray, 'length') as Getter
const bufferOf = getterOf(typedArray, 'buffer') as Getter
const byteLengthOf = getterOf(ArrayBuffer.prototype, 'byteLength') as Getter
/** Absent in engines that have no resizable buffers. */
const resizableOf = getterOf(ArrayBuffer.prototype, 'resizable')

/**
 * Looks at a value without running any code of the caller's.
 *
 * `undefined` when it is no typed array of an accepted kind, or when its memory could change under the copy in
 * ways that a copy cannot bound: shared with other threads, or resizable.
 */
export function viewOf(value: unknown): View | undefined {
  const kind = kindOf.call(value)
  if (kind !== 'Float32Array' && kind !== 'Float64Array' && kind !== 'Uint8Array') return undefined
  const buffer = bufferOf.call(value)
  return isFixed(buffer) ? { kind, length: lengthOf.call(value) as number } : undefined
}

/** True for an ArrayBuffer that is neither shared nor resizable. */
function isFixed(buffer: unknown): boolean {
  try {
    byteLengthOf.call(buffer) // throws for a SharedArrayBuffer
  } catch {
    return false
  }
  return resizableOf?.call(buffer) !== true
}

function getterOf(prototype: object, name: PropertyKey): Getter | undefined {
  const accessor: Accessor | undefined = Object.getOwnPropertyDescriptor(prototype, name)
  return accessor?.get
}
