/** `node bench/dist/identify-cold.js`: a sealed gallery on LMDB, opened by a fresh process, loaded and searched. @module */

import { fork } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { allowUnattestedCapture, embedding, openVault } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { faceOf, galleryOptions } from './gallery.ts'
import { enrollRequest, modelOf } from './people.ts'

const USAGE = `node bench/dist/identify-cold.js --folder DIR [options]
  --members N    of the gallery (default 1000000; 2000 with --quick)
  --keep         leaves the store, and takes one that is there as it is
  --threads N    that search (default: as the library chooses)
  --cache        keeps key streams
  --quick        a small gallery: shows that it works, measures nothing
`
const SEARCHES = 20
const MIB = 2 ** 20

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      members: { type: 'string' },
      keep: { type: 'boolean', default: false },
      threads: { type: 'string' },
      cache: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      load: { type: 'boolean', default: false },
    },
  })
  if (values.folder === undefined) throw new RangeError(USAGE)
  const path = join(values.folder, 'gallery')
  const members = Number(values.members ?? (values.quick ? 2000 : 1_000_000))
  const threads = values.threads === undefined ? {} : { threads: Number(values.threads) }
  if (values.load) return await search(path, members, { ...threads, cacheKeyStreams: values.cache })
  if (!existsSync(path)) await build(path, members)
  // A process of its own: what the building left in memory is not measured.
  const child = fork(new URL(import.meta.url), [...process.argv.slice(2), '--load'])
  process.exitCode = await new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
  if (!values.keep) rmSync(path, { recursive: true, force: true })
}

async function build(path: string, members: number): Promise<void> {
  mkdirSync(path, { recursive: true })
  const store = await lmdbStore({ path })
  const vault = await openVault(await galleryOptions(store, 'create', {}))
  const requests = function* () {
    for (let person = 0; person < members; person++) {
      yield enrollRequest({ subject: `person-${person}`, vector: faceOf(person) })
    }
  }
  const begin = performance.now()
  let done = 0
  for await (const result of vault.enrollMany(requests())) {
    if (!result.ok) throw result.error
    done += 1
    if (done % 10_000 === 0) progress(`enrolled ${done} of ${members}`, begin)
  }
  await vault.close()
  await store.close()
}

async function search(path: string, members: number, gallery: object): Promise<void> {
  const store = await lmdbStore({ path })
  const vault = await openVault(await galleryOptions(store, 'open', gallery))
  const begin = performance.now()
  const used = process.cpuUsage()
  let told = 0
  const loaded = await vault.loadGallery({
    onProgress: (at) => {
      if (at.members < told + 100_000) return
      told = at.members
      progress(`loaded ${at.members} of ${members}`, begin)
    },
  })
  const loadMs = performance.now() - begin
  const { user, system } = process.cpuUsage(used)
  if (loaded.members !== members || loaded.unreadable !== 0) throw new Error('members are missing')
  const peakRssMiB = process.resourceUsage().maxRSS / 1024
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const times: number[] = []
  for (let turn = 0; turn < SEARCHES; turn++) {
    const person = Math.floor((turn * members) / SEARCHES)
    const probe = embedding(faceOf(person, 1), modelOf(faceOf(person).length))
    const from = performance.now()
    const decision = await vault.identify({ embedding: probe, limit: 1, [allowUnattestedCapture]: true })
    times.push(performance.now() - from)
    if (decision.outcome !== 'candidates') throw new Error(`${decision.outcome} for a member`)
  }
  delay.disable()
  const sorted = times.toSorted((a, b) => a - b)
  const figures = {
    members,
    ...gallery,
    loadMs: Math.round(loadMs),
    microsecondsAMember: Number(((loadMs * 1000) / members).toFixed(2)),
    // On a machine that others use, too: what the process itself was at work.
    processorMicrosecondsAMember: Number(((user + system) / members).toFixed(2)),
    peakRssMiB: Math.round(peakRssMiB),
    rssMiB: Math.round(process.memoryUsage.rss() / MIB),
    identifyMs: {
      min: sorted[0],
      median: sorted[SEARCHES / 2],
      max: sorted.at(-1),
    },
    // The histogram counts from one tick of its timer to the next: a millisecond of it is the timer's own.
    longestTurnMs: delay.max / 1e6,
  }
  process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
  await vault.close()
  await store.close()
}

function progress(what: string, begin: number): void {
  process.stderr.write(`${what}, ${((performance.now() - begin) / 1000).toFixed(1)} s\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof RangeError ? error.message : String((error as Error).stack)}\n`)
  process.exitCode = 1
})
