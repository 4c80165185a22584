/** The probes of a request: one, or two of one capture under the vault's two models (SPEC §11.14). @module */

import { isAttestedCapture } from '../capture/attested.ts'
import { embeddingModel, isEmbedding } from '../embedding/embedding.ts'
import type { StateRow } from '../record/state-row.ts'
import type { VaultContext } from './context.ts'
import { rejectInput } from './errors.ts'
import {
  disposeReachable,
  type RequestSamples,
  readRequest,
  SAMPLE_FIELDS,
  type Taken,
  withSample,
} from './sample.ts'

/** A probe, and the side of the vault that has its model. */
export interface Probe extends Taken {
  readonly ctx: VaultContext
}

/** One for each model. */
export type Probes = readonly [Probe, ...Probe[]]

/** Takes both samples as `withSample` takes one: whatever happens, their embeddings are disposed. */
export async function withProbes<Result>(
  ctx: VaultContext,
  samples: RequestSamples & { readonly also: unknown },
  subject: unknown,
  use: (probes: Probes) => Promise<Result>,
): Promise<Result> {
  const { also } = samples
  const own = sideOf(ctx, samples)
  if (also === undefined) {
    return await withSample(own, samples, subject, (taken) => use([{ ...taken, ctx: own }]))
  }
  try {
    return await withSample(own, samples, subject, async (taken) => {
      const second = readRequest(also, SAMPLE_FIELDS)
      const other = sideOf(ctx, second)
      if (other === own) throw rejectInput("also must be of the vault's other model")
      return await withSample(other, second, subject, (others) =>
        use([
          { ...taken, ctx: own },
          { ...others, ctx: other },
        ]),
      )
    })
  } finally {
    disposeReachable(also)
  }
}

/** The side that has the model of a sample. What is of no model of the vault's is refused where the sample is checked. */
export function sideOf(ctx: VaultContext, request: unknown): VaultContext {
  if (ctx.other === undefined) return ctx
  try {
    const { embedding, capture } = request as Pick<RequestSamples, 'embedding' | 'capture'>
    const model = isAttestedCapture(capture)
      ? capture.model
      : isEmbedding(embedding)
        ? embeddingModel(embedding).id
        : undefined
    return (model === undefined ? undefined : ctx.forModel(model)) ?? ctx
  } catch {
    // Refused where it is read.
    return ctx
  }
}

/**
 * The probe that may be compared with a template: of its model, unless that has ended. A vault of one model finds out by the rows
 * themselves that a template is not its own.
 */
export function probeFor(ctx: VaultContext, probes: Probes, { model }: StateRow): Probe | undefined {
  if (ctx.models.hasEnded(model, ctx.now().nowMs)) return undefined
  if (ctx.other === undefined) return probes[0]
  return probes.find((probe) => probe.ctx.settings.profile.model === model)
}
