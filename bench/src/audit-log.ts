/** What does a long log cost: appending, proofs, verification, opening, memory? @module */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { LastChanges } from '../../dist/audit/last-change.js'
import { storedLog, verifyInclusion } from '../../dist/audit.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { bytesAt, LongLog, numbersOf } from './audit-log-build.ts'
import type { LogTask, LogTook } from './audit-log-worker.ts'
import { quantile } from './figures.ts'
import { withFolder } from './people.ts'
import type { Plan, Scenario, Series } from './scenario.ts'

const LENGTH = 1_000_000
const QUICK_LENGTH = 20_000
const SMALL = 1000
const RECORDS = 1_000_000
const INCLUSION = 'inclusion proof from the store'
const VERIFIED = 'verification of the exported bytes'
const MAP = 'last change of a record, in memory'

export const auditLogScenario: Scenario = {
  name: 'audit-log',
  question: `a log of ${LENGTH.toLocaleString('en')} entries on LMDB`,
  notes: [
    `entries are written, integrated and kept as a vault does it, ${QUICK_LENGTH.toLocaleString('en')} with --quick; ten to a subject, ${SMALL} in the small log`,
    'opening and verification each in a fresh process; peak: the largest resident memory of that process',
  ],
  repeats: false,
  claims: [
    { series: INCLUSION, most: 2 },
    { series: `${INCLUSION}, 99th of 100`, most: 2 },
    { series: VERIFIED, most: 60 },
    { series: MAP, most: 48 },
  ],
  variants: [{ name: 'guise', role: 'ours', run: ours }],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const length = plan.calls >= 100 ? LENGTH : QUICK_LENGTH
    const path = `${folder}/log`
    const small = `${folder}/small`
    const grown = await build(path, plan, length)
    await build(small, plan, SMALL)
    const proofs = await proveAll(path, plan)
    const exported = [await exportTo(path, `${folder}/log.bin`), await exportTo(small, `${folder}/small.bin`)]
    const snapshot = await inProcess({ task: 'open', path, snapshot: true, length })
    const whole = await inProcess({ task: 'open', path, snapshot: false, length })
    const verified = await inProcess({ task: 'verify', path: `${folder}/log.bin`, length })
    const little = await inProcess({ task: 'verify', path: `${folder}/small.bin`, length: SMALL })
    return [
      ...grown,
      ...proofs,
      single('exported bytes', 'MiB', (exported[0] ?? 0) / 2 ** 20),
      single(VERIFIED, 's', verified.ms / 1000),
      single(`${VERIFIED}, peak`, 'MiB', verified.peakMiB),
      single(`${VERIFIED}, peak with ${SMALL} entries`, 'MiB', little.peakMiB),
      single('opening with the snapshot', 's', snapshot.ms / 1000),
      single('opening with the snapshot, peak', 'MiB', snapshot.peakMiB),
      single('opening without a snapshot', 's', whole.ms / 1000),
      single('opening without a snapshot, peak', 'MiB', whole.peakMiB),
      lastChanges(plan),
    ]
  })
}

function single(name: string, unit: Series['unit'], value: number): Series {
  return { name, unit, values: [value] }
}

/** Builds the log and measures, whenever it is ten times as long, what an entry costs. */
async function build(path: string, plan: Plan, length: number): Promise<readonly Series[]> {
  const log = await LongLog.open(path, plan.seed)
  const series: Series[] = []
  const begin = performance.now()
  for (let mark = SMALL; mark < length; mark *= 10) {
    await log.growTo(mark)
    series.push(...(await log.measure(plan.calls)))
  }
  await log.growTo(length)
  series.push(...(await log.measure(plan.calls)))
  await log.close()
  series.push(single('building the whole log', 's', (performance.now() - begin) / 1000))
  return series
}

async function proveAll(path: string, plan: Plan): Promise<readonly Series[]> {
  const store = await lmdbStore({ path })
  const log = storedLog(store, LongLog.realm)
  const size = (await log.checkpoint())?.size ?? 0
  const pick = numbersOf(plan.seed)
  const logKey = await LongLog.verifierKey()
  const found: number[] = []
  const consistent: number[] = []
  const checked: number[] = []
  const calls = 5 * plan.calls
  for (let turn = -calls / 5; turn < calls; turn++) {
    const index = Math.floor(pick() * size)
    const begin = performance.now()
    const proof = await log.inclusion(index)
    const proved = performance.now()
    await log.consistency(1 + Math.floor(pick() * (size - 1)), size)
    const both = performance.now()
    const entry = await log.entry(index)
    const read = performance.now()
    verifyInclusion(entry, proof, logKey)
    const end = performance.now()
    if (turn < 0) continue
    found.push(proved - begin)
    consistent.push(both - proved)
    checked.push(end - read)
  }
  await store.close()
  const late = (values: readonly number[]): number =>
    quantile(
      values.toSorted((a, b) => a - b),
      0.99,
    )
  return [
    { name: INCLUSION, unit: 'ms', values: found },
    single(`${INCLUSION}, 99th of 100`, 'ms', late(found)),
    { name: 'inclusion proof verified, with its signature', unit: 'ms', values: checked },
    { name: 'consistency proof from the store', unit: 'ms', values: consistent },
    single('consistency proof from the store, 99th of 100', 'ms', late(consistent)),
  ]
}

/** How many bytes there are. */
async function exportTo(path: string, file: string): Promise<number> {
  const store = await lmdbStore({ path })
  await pipeline(Readable.from(storedLog(store, LongLog.realm).export()), createWriteStream(file))
  await store.close()
  return statSync(file).size
}

async function inProcess(task: LogTask): Promise<LogTook> {
  const child = fork(new URL('./audit-log-worker.js', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const answer = Promise.race([once(child, 'message'), once(child, 'exit')])
  child.send(task)
  const [took] = (await answer) as [LogTook | number | null]
  if (took === null || typeof took === 'number') throw new Error(`${task.task}: the process failed`)
  if (child.exitCode === null) await once(child, 'exit')
  return took
}

/** Bytes of the tables for each record: the same number in MB for a million of them. */
function lastChanges(plan: Plan): Series {
  const changes = new LastChanges()
  for (let i = 0; i < RECORDS; i++) {
    const handle = bytesAt(plan.seed, i)
    changes.set(handle, 'state', handle)
    changes.set(handle, 'attempts', handle)
  }
  return single(MAP, 'bytes', changes.bytes / changes.size)
}
