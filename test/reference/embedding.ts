/** From a vector to integers (SPEC §3). @module */
import { concat, float32le, lp, Refused, u32be } from './bytes.ts'
import { sha256 } from './hashes.ts'

/** `meanHash`; an absent mean hashes as d times +0.0. */
export function meanHash(d: number, mean: readonly number[] | undefined): Uint8Array {
  const values = mean ?? new Array<number>(d).fill(0)
  return sha256(concat(lp('guise/v1/mean'), u32be(d), float32le(values)))
}

export interface Unit {
  /** y = x − mean. */
  readonly centred: readonly number[]
  readonly norm: number
  readonly u: readonly number[]
}

/** Procedure `unit(x)`. */
export function unit(x: readonly number[], d: number, mean?: readonly number[]): Unit {
  if (!Number.isInteger(d) || d < 64 || d > 4096) throw new Refused('ERR_EMBEDDING_MODEL', 'd')
  if (x.length !== d) throw new Refused('ERR_EMBEDDING_LENGTH', 'not the model’s d')
  if (mean !== undefined && (mean.length !== d || !mean.every(Number.isFinite)))
    throw new Refused('ERR_EMBEDDING_MODEL', 'a mean of another length, or not finite')
  for (const value of x)
    if (!Number.isFinite(value) || Math.abs(value) > 2 ** 60)
      throw new Refused('ERR_EMBEDDING_RANGE', 'value')

  const centred = x.map((value, i) => value - (mean === undefined ? 0 : (mean[i] as number)))
  const norm = normOf(centred)
  if (norm < 2 ** -20 || norm > 2 ** 60) throw new Refused('ERR_EMBEDDING_NORM', 'norm')
  return { centred, norm, u: centred.map((value) => value / norm) }
}

/** Step 2 of `unit`: one sum, ascending, in doubles. */
function normOf(y: readonly number[]): number {
  let t = 0
  for (const value of y) t = t + value * value
  return Math.sqrt(t)
}

/** Procedure `fuse(u^1 … u^K)`; for K = 1 the identity. */
export function fuse(units: readonly (readonly number[])[]): readonly number[] {
  const first = units[0]
  if (first === undefined) throw new RangeError('fuse')
  if (units.length === 1) return first
  const f = first.map((value, i) => {
    let sum = value
    for (let k = 1; k < units.length; k++) sum = sum + ((units[k] as readonly number[])[i] as number)
    return sum
  })
  const norm = normOf(f)
  if (norm < units.length * 2 ** -10) throw new Refused('ERR_EMBEDDING_NORM', 'samples that cancel out')
  return f.map((value) => value / norm)
}

/** Procedure `integers(u)`. */
export function integers(u: readonly number[]): number[] {
  return u.map((value) => {
    const magnitude = Math.floor(Math.abs(value) * 2 ** 20 + 0.5)
    return value < 0 && magnitude !== 0 ? -magnitude : magnitude
  })
}
