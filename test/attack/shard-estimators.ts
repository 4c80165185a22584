/** From known pairs under an unknown shared key, and one more code, to the face behind it. @module */
import { combine, dot, type Matrix, matrix, row, solver, timesTransposed } from './matrix.ts'

/** What a thief knows of the population: from faces of others. */
export interface Prior {
  readonly mean: Float64Array
  /** The covariance times each known face. */
  readonly spread: Matrix
  /** The probit fit is tried with this prior too. */
  readonly fitted: boolean
}

/** Preimages by name of the estimator; those with a prior once for each shrinkage. */
export type Preimages = ReadonlyMap<string, Float64Array>

/** The fit takes time with the square of the pairs. */
const MOST_FITTED = 64
const NEWTON_STEPS = 5

/**
 * Prepares the attack on one key: `faces` are the known unit vectors, `codes` their codes as −1 and 1. Masks need no care: a bit that
 * is always turned is a row of the rotation that points the other way.
 *
 * - `preimage`: the rotation by least squares from faces to codes, and the signs of the code turned back through it
 * - `regression`: least squares from codes to faces
 * - `prior`: the linear estimate of least error for a Gaussian population: the share of agreeing bits tells the angle to each known
 *   face (sin(π/2 · agreement)), up to a variance of (π/2)²/m, or a part of it
 * - `probit`: the most likely face under that prior when each bit is a coin whose bias the bits of the known codes tell
 */
export function shardAttack(
  faces: Matrix,
  codes: Matrix,
  priors: ReadonlyMap<string, Prior>,
): (code: Float64Array) => Preimages {
  const bits = codes.columns
  const gram = timesTransposed(faces, faces)
  const turnBack = solver(gram, 1e-2)
  const regress = solver(scaled(timesTransposed(codes, codes), 1 / bits), 0.1)
  const informed = [...priors].map(([name, prior]) => ({
    name,
    ...informedAttack(faces, codes, gram, prior),
  }))
  return (code) => {
    const agreement = Float64Array.from({ length: codes.rows }, (_, i) => dot(row(codes, i), code) / bits)
    return new Map([
      ['preimage', combine(faces, turnBack(agreement))],
      ['regression', combine(faces, regress(agreement))],
      ...informed.flatMap(({ name, linear, probit }): [string, Float64Array][] => {
        const found = NOISES.map((noise): [string, Float64Array] => [
          `prior ${name}, noise ${noise}`,
          linear(agreement, noise).face,
        ])
        if (probit !== undefined) {
          found.push([`probit ${name}`, probit(code, linear(agreement, 1).inner)])
        }
        return found
      }),
    ])
  }
}

/** Part of the expected noise that is believed: a prior from few people misses variance that new faces have. */
type Noise = (typeof NOISES)[number]
const NOISES = [1, 0.15] as const

interface Informed {
  linear(agreement: Float64Array, noise: Noise): { readonly face: Float64Array; readonly inner: Float64Array }
  readonly probit: ((code: Float64Array, start: Float64Array) => Float64Array) | undefined
}

function informedAttack(
  faces: Matrix,
  codes: Matrix,
  gram: Matrix,
  { mean, spread, fitted }: Prior,
): Informed {
  const bits = codes.columns
  const count = faces.rows
  // XΣXᵀ and Xμ.
  const inner = timesTransposed(spread, faces)
  const expected = Float64Array.from({ length: count }, (_, i) => dot(row(faces, i), mean))
  const solvers = new Map(NOISES.map((noise) => [noise, solver(inner, (noise * (Math.PI / 2) ** 2) / bits)]))
  const solveInner = solver(inner, 1e-4)
  const toFace = (weights: Float64Array): Float64Array =>
    combine(spread, weights).map((value, i) => value + (mean[i] as number))
  const linear: Informed['linear'] = (agreement, noise) => {
    const angles = agreement.map((value, i) => Math.sin((Math.PI / 2) * value) - (expected[i] as number))
    const solve = solvers.get(noise) as ReturnType<typeof solver>
    const face = toFace(solve(angles))
    return { face, inner: Float64Array.from({ length: count }, (_, i) => dot(row(faces, i), face)) }
  }
  if (!fitted || count > MOST_FITTED) return { linear, probit: undefined }
  // Signs of two normal values with correlation r agree in the mean by (2/π) arcsin r.
  const signs = matrix(
    count,
    count,
    (i, j) => (2 / Math.PI) * Math.asin(Math.max(-1, Math.min(1, gram.data[i * count + j] as number))),
  )
  const solveSigns = solver(signs, 1e-3)
  const predictors = Array.from({ length: bits }, (_, bit) => {
    const column = Float64Array.from({ length: count }, (_, i) => codes.data[i * bits + bit] as number)
    return solveSigns(column).map((value) => value * Math.sqrt(2 / Math.PI))
  })
  const precision = matrix(count, count)
  for (let j = 0; j < count; j++) {
    const unit = new Float64Array(count)
    unit[j] = 1
    solveInner(unit).forEach((value, i) => {
      precision.data[i * count + j] = value
    })
  }
  const probit: NonNullable<Informed['probit']> = (code, start) => {
    const explained = (2 / Math.PI) * dot(start, solveSigns(start))
    const deviation = Math.sqrt(Math.max(0.1, 1 - explained))
    let now = start
    for (let step = 0; step < NEWTON_STEPS; step++)
      now = newtonStep(now, { code, predictors, deviation, precision, expected })
    return toFace(solveInner(now.map((value, i) => value - (expected[i] as number))))
  }
  return { linear, probit }
}

/** One step towards the maximum of Σ log Φ(±uᵀp/τ) − ½ (u − e)ᵀ P (u − e). */
function newtonStep(
  now: Float64Array,
  fit: {
    readonly code: Float64Array
    readonly predictors: readonly Float64Array[]
    readonly deviation: number
    readonly precision: Matrix
    readonly expected: Float64Array
  },
): Float64Array {
  const count = now.length
  const { code, predictors, deviation, precision, expected } = fit
  const off = now.map((value, i) => value - (expected[i] as number))
  const gradient = Float64Array.from({ length: count }, (_, i) => -dot(row(precision, i), off))
  const curvature = { ...precision, data: precision.data.slice() }
  predictors.forEach((predictor, bit) => {
    const sign = code[bit] as number
    const z = (sign * dot(predictor, now)) / deviation
    const ratio = inverseMills(z)
    const slope = (sign * ratio) / deviation
    const bend = (ratio * (z + ratio)) / deviation ** 2
    for (let i = 0; i < count; i++) {
      const value = predictor[i] as number
      gradient[i] = (gradient[i] as number) + slope * value
      const weighted = bend * value
      const from = i * count
      for (let j = 0; j <= i; j++) {
        curvature.data[from + j] = (curvature.data[from + j] as number) + weighted * (predictor[j] as number)
      }
    }
  })
  const move = solver(curvature, 0)(gradient)
  return now.map((value, i) => value + (move[i] as number))
}

/** φ(z)/Φ(z), with Φ by the error function of Abramowitz and Stegun 7.1.26. */
function inverseMills(z: number): number {
  if (z < -5) return -z
  const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI)
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const upper = 0.5 * poly * Math.exp(-x * x)
  return density / Math.max(1e-7, z > 0 ? 1 - upper : upper)
}

function scaled(values: Matrix, factor: number): Matrix {
  return { ...values, data: values.data.map((value) => value * factor) }
}
