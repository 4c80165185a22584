/** `node bench/dist/linkage.js`: can templates under different keys be linked? On labelled embeddings of your own. @module */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type LinkageReport, type LinkerFigures, linkageReport } from '../../dist/evaluate.js'
import type { Bits } from '../../dist/index.js'
import { openDataset } from '../../dist/node.js'

const USAGE = `node bench/dist/linkage.js --data DIR [options]
  --data DIR       folder with embeddings.f32 and labels.csv
  --set NAMES      folders below it, separated by commas
  --bits M         default: that of templates
  --samples N      of a person (default 20)
  --pairs N        mated pairs at most (default 20000)
  --permutations N of each linker's null (default 4999)
  --seed TEXT      default "linkage"
  --json           prints the figures as JSON
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      set: { type: 'string', default: '.' },
      bits: { type: 'string' },
      samples: { type: 'string', default: '20' },
      pairs: { type: 'string', default: '20000' },
      permutations: { type: 'string', default: '4999' },
      seed: { type: 'string', default: 'linkage' },
      json: { type: 'boolean', default: false },
    },
  })
  const { data, bits } = values
  if (data === undefined) throw new RangeError(USAGE)
  const reports: LinkageReport[] = []
  for (const set of values.set.split(',')) {
    const before = process.cpuUsage()
    const dataset = await openDataset(join(data, set))
    const report = await linkageReport(dataset, {
      model: { id: 'measured@1', dimensions: dataset.dimensions, metric: 'cosine' },
      samplesPerSubject: Number(values.samples),
      matedPairs: Number(values.pairs),
      permutations: Number(values.permutations),
      seed: values.seed,
      ...(bits !== undefined && { bits: Number(bits) as Bits }),
    })
    reports.push(report)
    const { user, system } = process.cpuUsage(before)
    if (!values.json) process.stdout.write(`${textOf(report, (user + system) / 1e6)}\n`)
  }
  process.stdout.write(values.json ? `${JSON.stringify(reports, undefined, 2)}\n` : `${together(reports)}\n`)
}

function textOf(report: LinkageReport, seconds: number): string {
  const { family, rowBytes, diversity } = report
  return [
    `## ${report.dataset}: d = ${report.dimensions}, m = ${report.bits}, ${report.subjects} people, ${report.samples} samples, seed "${report.seed}"; ${seconds.toFixed(0)} s of processor time`,
    ...report.linkers.map(lineOf),
    `   keys unknown: ${family.above} of ${family.linkers} linkers above the 95 % quantile (chance lets ${family.expected.toFixed(1)}); least p after Holm ${family.holm.toFixed(3)}: ${family.linked ? 'LINKED' : 'not linked'}`,
    ...Object.entries(report.highest).map(
      ([setting, { linker, system, quantile95 }]) =>
        `   highest in ${setting}: ${linker} ${system.toFixed(4)} (q95 ${quantile95.toFixed(4)})`,
    ),
    `   row bytes ${JSON.stringify(rowBytes)}`,
    `   ${diversity.reissues} reissues: mean ${diversity.mean.toFixed(3)} (${diversity.expected} ± ${diversity.tolerance.toFixed(3)}), variance ratio ${diversity.varianceRatio.toFixed(4)}, KS p ${diversity.shape.p.toFixed(3)}, nearest ${diversity.nearest}: ${diversity.diverse ? 'diverse' : 'NOT diverse'}`,
  ].join('\n')
}

function lineOf({ setting, linker, linkability, auc, holm }: LinkerFigures): string {
  const { system, chance, unlinkable, mated, nonMated } = linkability
  const verdict = unlinkable === undefined ? 'no claim' : unlinkable ? 'unlinkable' : 'above'
  return [
    `   ${setting.padEnd(11)} ${linker.padEnd(10)}`,
    `D_sys ${system.toFixed(4)} q95 ${chance.quantile95.toFixed(4)} p ${chance.p.toFixed(4)} Holm ${holm?.toFixed(3) ?? '–    '}`,
    `${verdict.padEnd(10)} AUC ${auc.value.toFixed(4)} [${auc.low.toFixed(4)}, ${auc.high.toFixed(4)}] by subject [${auc.bySubject.low.toFixed(4)}, ${auc.bySubject.high.toFixed(4)}]`,
    `${mated} + ${nonMated}`,
  ].join(' ')
}

/** Holm's rule once more, over the linkers with keys unknown of all sets; only the least counts for the verdict. */
function together(reports: readonly LinkageReport[]): string {
  const unknown = reports.flatMap(({ linkers }) => linkers.filter(({ keys }) => keys === 'unknown'))
  const least = Math.min(...unknown.map(({ linkability }) => linkability.chance.p))
  const above = unknown.filter(({ linkability: { system, chance } }) => system > chance.quantile95)
  const claims = unknown.filter(({ linkability }) => linkability.unlinkable !== undefined)
  const off = unknown.map(({ auc }) => Math.abs(auc.value - 0.5))
  return [
    `## all sets: ${unknown.length} linkers with keys unknown, ${above.length} above the 95 % quantile (chance lets ${(unknown.length / 20).toFixed(1)}); least p ${least.toFixed(4)}, after Holm over all ${Math.min(1, unknown.length * least).toFixed(3)}`,
    `   with 5,000 mated pairs: ${claims.length}, of them above ${claims.filter(({ linkability }) => !linkability.unlinkable).length}; farthest AUC from .5: ${Math.max(...off).toFixed(4)}`,
  ].join('\n')
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
