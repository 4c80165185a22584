/** What a measurement is: a question, who answers it, and what is claimed. @module */

/** How much is measured. */
export interface Plan {
  readonly seed: string
  /** Timed batches of a variant in one process. */
  readonly batches: number
  /** Length of a batch, by which its number of calls is chosen. */
  readonly batchMs: number
  readonly warmMs: number
  /** Calls that are timed one by one, where each waits for a disk. */
  readonly calls: number
  readonly people: number
  /** An existing folder on the disk that durable scenarios write to. */
  readonly folder: string
}

export type Unit = 'µs' | 'ms' | 's' | 'bytes' | 'MiB' | 'per second'

/** Values of one quantity, in the order in which they were taken. */
export interface Series {
  readonly name: string
  readonly unit: Unit
  readonly values: readonly number[]
}

export interface Variant {
  readonly name: string
  /** `again` runs the same code as `ours`: what differs between the two is noise. */
  readonly role: 'ours' | 'again' | 'peer'
  /** Options of Node for its process. */
  readonly nodeOptions?: readonly string[]
  /** The first series is the headline. */
  run(plan: Plan): Promise<readonly Series[]>
}

/** What the figures must show: a series of ours at most, or at least, so large, alone or as a multiple of a peer's. */
export type Claim = {
  readonly series: string
  readonly over?: { readonly variant: string; readonly series: string }
} & ({ readonly most: number } | { readonly least: number })

export interface Scenario {
  readonly name: string
  readonly question: string
  readonly notes: readonly string[]
  /** False where nothing varies between runs. */
  readonly repeats: boolean
  readonly variants: readonly Variant[]
  readonly claims: readonly Claim[]
}

/** Ours twice: the second one is the control of the first. */
export function oursTwice(run: Variant['run']): readonly [Variant, Variant] {
  return [
    { name: 'guise', role: 'ours', run },
    { name: 'guise again', role: 'again', run },
  ]
}
