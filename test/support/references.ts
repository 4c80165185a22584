/** Vaults whose subjects have several references, for tests. @module */
import {
  type AddReferenceRequest,
  allowUnattestedCapture,
  embedding,
  type Model,
  type OperatingPoint,
  type ReferenceSample,
  type Store,
  secondFactorConfirmed,
  type UnattestedSample,
  type Vault,
  type VaultOptions,
} from 'guise'
import { fsck } from 'guise/node'
import { strict } from './models.ts'
import { rowsOf } from './rows.ts'
import { face, faceOf, point, type TestVault, testVault } from './vault.ts'

/** Eight templates of `BITS` have room. */
export const WIDE: Model = { id: 'wide@1', dimensions: 2048, metric: 'cosine' }
export const BITS = 256
export const CLASSES = ['masked', 'glasses', 'desk', 'phone'] as const

export function pointOf(probeClass: string, threshold = 4500, model: Model = WIDE): OperatingPoint {
  return { ...point(model, BITS, threshold), probeClass }
}

export function strictOf(probeClass: string, threshold = 5200, model: Model = WIDE): OperatingPoint {
  return { ...strict(model, BITS, threshold), probeClass }
}

/** What opens a vault of every class. */
export function wide(model: Model = WIDE, strictAt = 5200, verifyAt = 4500): Partial<VaultOptions> {
  const classes = ['any', ...CLASSES]
  return {
    model,
    bits: BITS,
    operatingPoints: classes.map((probeClass) => pointOf(probeClass, verifyAt, model)),
    referencePoints: CLASSES.map((probeClass) => pointOf(probeClass, verifyAt, model)),
    adaptation: { operatingPoints: classes.map((probeClass) => strictOf(probeClass, strictAt, model)) },
  }
}

export async function referenceWorld(options: Parameters<typeof testVault>[0] = {}): Promise<TestVault> {
  return await testVault({ ...wide(), ...options })
}

/** A sample of a class; of class `any` without one. */
export function shot(person: number, probeClass = 'any', index = 0, model: Model = WIDE): UnattestedSample {
  return { embedding: faceOf(person, index, model), [allowUnattestedCapture]: true, probeClass }
}

export function addition(
  subject: string,
  person: number,
  probeClass: string,
  index = 1,
): AddReferenceRequest {
  return { subject, ...shot(person, probeClass, index), [secondFactorConfirmed]: true }
}

/** A picture that is as like one person as another. */
export function blend(person: number, other: number, probeClass: string): UnattestedSample {
  const [one, two] = [face(person, 0, WIDE.dimensions), face(other, 0, WIDE.dimensions)]
  const mixed = one.map((value, i) => value + (two[i] as number))
  return { embedding: embedding(mixed, WIDE), [allowUnattestedCapture]: true, probeClass }
}

/** References of other people's faces, so that a test sees which one was compared: class i is of person 100 + i. */
export function strangers(number = 2): readonly ReferenceSample[] {
  return CLASSES.slice(0, number).map((probeClass, i) => shot(100 + i, probeClass))
}

/** How a probe of the class ends. */
export async function outcome(
  vault: Vault,
  person: number,
  probeClass = 'any',
  subject = 'ada',
): Promise<string> {
  return (await vault.verify({ subject, ...shot(person, probeClass, 1) })).outcome
}

/** Codes and wraps in the stores; notes are not counted. */
export async function templates(store: Store, secrets: Store = store): Promise<readonly [number, number]> {
  const wraps = (await rowsOf(secrets, 'secrets')).filter(({ key }) => key.length === 7 + 36)
  return [(await rowsOf(store, 'references')).length, wraps.length]
}

export async function faultsOf(world: TestVault, secrets?: Store): Promise<readonly string[]> {
  const { keyring, store } = world
  const faults: string[] = []
  for await (const { kind, table } of fsck({
    keyring,
    store,
    ...(secrets === undefined ? {} : { secrets }),
  })) {
    faults.push(`${kind} ${table}`)
  }
  return faults
}
