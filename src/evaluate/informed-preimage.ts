/** What a thief of code and key makes of them who knows the population (SPEC §15.6). @module */

import { wipe } from '../base/bytes.ts'
import type { DoubleRotation } from './double-rotation.ts'
import {
  solveTridiagonal,
  type Tridiagonal,
  timesVector,
  traceOfInverse,
  tridiagonalise,
  turnIn,
  turnOut,
} from './linear-algebra.ts'
import type { Population } from './population.ts'

/** What the signs of one code tell: a face, and the normal observations that stand for the signs. */
export interface Posterior {
  /** The mean of the faces that have these signs; of no particular length. */
  readonly face: Float64Array
  /** Each sign is as good as a reading of its coordinate, sites[j] ÷ precision, with variance 1 ÷ precision. */
  readonly sites: Float64Array
  readonly precision: number
}

/** Normal knowledge of the space that is searched: that of faces for m = n, else that of the m coordinates. */
interface Space {
  readonly mean: Float64Array
  readonly reduced: Tridiagonal
}

const MOST_STEPS = 60
/** How much of each step is taken: without it some runs swing. */
const DAMPING = 0.7
const CONVERGED = 1e-5
/** Signs that no face has, read with a wrong key, drive the precision up without end: beyond this the estimate tells nothing. */
const SHARPEST = 1e6

/** One rotation key, and what its codes tell of a population. */
export class InformedThief {
  readonly #population: Population
  readonly #rotation: DoubleRotation
  readonly #coordinates: ReadonlyMap<number, Space>

  /** Borrows the rotation. `bits`: the lengths of codes that will be asked about. */
  constructor(population: Population, rotation: DoubleRotation, bits: readonly number[]) {
    this.#population = population
    this.#rotation = rotation
    const narrow = bits.filter((m) => m < rotation.n)
    this.#coordinates = narrow.length === 0 ? new Map() : coordinatesOf(population, rotation, narrow)
  }

  /**
   * Expectation propagation with one precision for all signs (generalised vector approximate message passing): signs take turns with
   * the population until the estimate stays.
   *
   * @param signs the code without its mask, as −1 and 1
   */
  posterior(signs: Float64Array): Posterior {
    const m = signs.length
    const rotation = m === this.#rotation.n ? this.#rotation : undefined
    const { population, coordinates } = { population: this.#population, coordinates: this.#coordinates }
    const space = rotation === undefined ? (coordinates.get(m) as Space) : population
    const size = space.mean.length
    const held = new Float64Array(m)
    held.set(space.mean)
    rotation?.turn(held)
    const expected = held.slice()
    let variance = space.reduced.diagonal.reduce((sum, value) => sum + value, 0) / m
    const most = SHARPEST / variance
    let precision = 0
    const sites = new Float64Array(m)
    const estimate = new Float64Array(size)
    const rest = new Float64Array(size)
    for (let step = 0, moved = 1; step < MOST_STEPS && moved > CONVERGED; step++) {
      const damping = step === 0 ? 1 : DAMPING
      const told = observe(signs, expected, variance, { sites, damping, most })
      if (told === undefined) break
      precision += damping * (told - precision)
      held.set(sites)
      rotation?.turnBack(held)
      moved = meet(space, held, precision, { estimate, rest })
      const spread = (size - traceOfInverse(space.reduced, 1, precision).trace) / (precision * m)
      held.fill(0)
      held.set(estimate)
      rotation?.turn(held)
      variance = 1 / (1 / spread - precision)
      for (let j = 0; j < m; j++) {
        expected[j] = ((held[j] as number) / spread - (sites[j] as number)) * variance
      }
    }
    wipe(held, expected)
    const face = rotation === undefined ? this.#faceOf(rest, precision) : estimate
    if (face !== estimate) wipe(estimate)
    return { face, sites, precision }
  }

  wipe(): void {
    for (const { mean, reduced } of this.#coordinates.values()) {
      wipe(mean, reduced.reflections, reduced.diagonal, reduced.beside)
    }
  }

  /** μ + ΣWᵀ · precision · rest. */
  #faceOf(rest: Float64Array, precision: number): Float64Array {
    const { mean, covariance, dimensions } = this.#population
    const values = new Float64Array(this.#rotation.n)
    values.set(rest)
    this.#rotation.turnBack(values)
    const face = new Float64Array(new ArrayBuffer(8 * dimensions))
    timesVector(covariance, dimensions, values, face)
    for (let i = 0; i < dimensions; i++) face[i] = (mean[i] as number) + precision * (face[i] as number)
    wipe(values)
    return face
  }
}

/** Mean Wμ and covariance WΣWᵀ of the first m coordinates, for each m. */
function coordinatesOf(
  { dimensions, covariance, mean }: Population,
  rotation: DoubleRotation,
  bits: readonly number[],
): ReadonlyMap<number, Space> {
  const { n } = rotation
  const most = Math.max(...bits)
  const half = new Float64Array(most * n)
  const values = new Float64Array(n)
  for (let i = 0; i < dimensions; i++) {
    values.fill(0)
    values.set(covariance.subarray(i * dimensions, (i + 1) * dimensions))
    rotation.turn(values)
    for (let j = 0; j < most; j++) half[j * n + i] = values[j] as number
  }
  for (let j = 0; j < most; j++) rotation.turn(half.subarray(j * n, (j + 1) * n))
  values.fill(0)
  values.set(mean)
  rotation.turn(values)
  const found = bits.map((m): [number, Space] => [
    m,
    { mean: values.slice(0, m), reduced: tridiagonalise(half, m, n) },
  ])
  wipe(half, values)
  return new Map(found)
}

/**
 * Moves the sites towards what the signs tell of coordinates N(expected, variance); returns the precision of that, or `undefined` when
 * it is no positive number or more than `most`; then the sites stay.
 */
function observe(
  signs: Float64Array,
  expected: Float64Array,
  variance: number,
  { sites, damping, most }: { readonly sites: Float64Array; readonly damping: number; readonly most: number },
): number | undefined {
  const deviation = Math.sqrt(variance)
  const means = new Float64Array(signs.length)
  let left = 0
  for (let j = 0; j < signs.length; j++) {
    const sign = signs[j] as number
    const place = (sign * (expected[j] as number)) / deviation
    const ratio = inverseMills(place)
    means[j] = (expected[j] as number) + sign * deviation * ratio
    left += 1 - ratio * (place + ratio)
  }
  const seen = (variance * left) / signs.length
  const told = 1 / seen - 1 / variance
  if (!(told > 0 && told <= most)) return undefined
  for (let j = 0; j < signs.length; j++) {
    const site = (means[j] as number) / seen - (expected[j] as number) / variance
    sites[j] = (sites[j] as number) + damping * (site - (sites[j] as number))
  }
  wipe(means)
  return told
}

/**
 * With δ = sites ÷ precision − mean: `rest` = (I + precision · Σ)⁻¹δ and `estimate` = mean + δ − rest, the mean given the sites.
 * Returns how far the estimate moved, by its length.
 */
function meet(
  { mean, reduced }: Space,
  sites: Float64Array,
  precision: number,
  { estimate, rest }: { readonly estimate: Float64Array; readonly rest: Float64Array },
): number {
  for (let i = 0; i < rest.length; i++) rest[i] = (sites[i] as number) / precision - (mean[i] as number)
  turnIn(reduced, rest)
  solveTridiagonal(reduced, 1, precision, rest)
  turnOut(reduced, rest)
  let change = 0
  let square = 0
  for (let i = 0; i < rest.length; i++) {
    const value = (sites[i] as number) / precision - (rest[i] as number)
    change += (value - (estimate[i] as number)) ** 2
    square += value * value
    estimate[i] = value
  }
  return Math.sqrt(change / square)
}

/** φ(z)/Φ(z): below −3 by a continued fraction, else with Φ by the error function of Abramowitz and Stegun 7.1.26. */
function inverseMills(z: number): number {
  if (z < -3) {
    let below = -z
    for (let k = 24; k >= 1; k--) below = -z + k / below
    return below
  }
  const bell = Math.exp(-0.5 * z * z)
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2)
  const poly =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const tail = 0.5 * poly * bell
  return bell / Math.sqrt(2 * Math.PI) / (z > 0 ? 1 - tail : tail)
}
