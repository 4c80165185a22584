/** Faces of people who are issued again: each generation has one of its own, so that an answer tells which was meant. @module */

/** So high that no face passes for another in a million tries at 64 bits, as at 5,000 one of 80,000 does; a face passes for itself. */
export const FACE_THRESHOLD = 6500
const GENERATIONS = 100_000

/** The number of the face of a person's generation. */
export function faceOf(person: number, generation: number): number {
  return person * GENERATIONS + generation
}
