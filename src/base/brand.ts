/** Branded values: plain values go in, branded values come out of a check (SPEC §2). @module */

declare const brand: unique symbol

/** A `Base` that passed the check its name stands for; a plain `Base` is not assignable to it. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Where templates live and may be compared (ISO/IEC 24745 "domain"); templates never link across realms. */
export type Realm = Brand<string, 'Realm'>

/** Who a template belongs to (ISO/IEC 24745 "identity reference"): a pseudonym, never a name. */
export type SubjectId = Brand<string, 'SubjectId'>

/** One record of one subject in one realm. */
export type RecordId = Brand<string, 'RecordId'>

/** The model an embedding came from, with its version: `arcface-r100@1`. */
export type ModelId = Brand<string, 'ModelId'>

/** The suite that turned an embedding into a template. */
export type TransformId = Brand<string, 'TransformId'>

/** Epoch of a wrap key: 1, 2, 3 … */
export type Epoch = Brand<number, 'Epoch'>

/** Generation of a subject's template: 1, 2, 3 …; a reissue makes the next. */
export type Generation = Brand<number, 'Generation'>

/** Milliseconds since 1970-01-01T00:00:00Z, a non-negative integer. */
export type Millis = Brand<number, 'Millis'>
