/** Faces of people who are issued again: each generation has one of its own, so that an answer tells which was meant. @module */

const GENERATIONS = 100_000

/** The number of the face of a person's generation. */
export function faceOf(person: number, generation: number): number {
  return person * GENERATIONS + generation
}
