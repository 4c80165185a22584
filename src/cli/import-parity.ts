/** `guise import --parity`: the decisions before and after, as a table. @module */
/// <reference types="node" />

import type { Dataset } from '../dataset/dataset.ts'
import type { Model } from '../embedding/model.ts'
import { type ParityCounts, parityReport } from '../evaluate/parity.ts'
import type { OperatingPoint } from '../policy/operating-point.ts'
import { count, exitCode, type Io, Progress, percent, table, UsageError } from './io.ts'

/** Compares and prints; `cosine` is what follows `--parity`. */
export async function compareDecisions(
  io: Io,
  {
    dataset,
    model,
    point,
  }: { readonly dataset: Dataset; readonly model: Model; readonly point: OperatingPoint },
  cosine: string,
  { json }: { readonly json: boolean },
): Promise<number> {
  const cosineThreshold = Number(cosine)
  if (!(cosineThreshold > 0 && cosineThreshold <= 1))
    throw new UsageError('--parity takes a cosine above 0 and at most 1')
  const progress = new Progress(io, 'comparing decisions')
  const report = await parityReport(dataset, {
    model,
    cosineThreshold,
    operatingPoint: point,
    onProgress: (done, total) => progress.update(done, total),
  }).finally(() => progress.finish())
  if (json) {
    io.out(`${JSON.stringify({ cosineThreshold, threshold: point.threshold, ...report })}\n`)
    return exitCode.ok
  }
  const share = (n: number, counts: ParityCounts): string =>
    counts.pairs === 0 ? '–' : percent(n / counts.pairs, 3)
  const row = (name: string, counts: ParityCounts): readonly string[] => {
    const { pairs, bothAccept, bothReject, onlyBefore, onlyAfter } = counts
    return [
      name,
      count(pairs),
      ...[bothAccept, bothReject, onlyBefore, onlyAfter].map((n) => share(n, counts)),
    ]
  }
  io.out(
    table([
      ['pairs', 'n', 'both accept', 'both reject', 'only before', 'only after'],
      row('of one person', report.mated),
      row('of two people', report.nonMated),
    ]),
  )
  return exitCode.ok
}
