/** What does a verify cost that two of three share holders have to agree to? @module */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { logSigner, openVault, type Vault } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { httpsPeer, selfSignedCertificate } from '../../dist/node.js'
import { dealQuorum, type Quorum, quorumOf } from '../../dist/quorum.js'
import { enrollRequest, makePeople, pick, vaultOptions, verifyRequest, withFolder } from './people.ts'
import type { HolderTask, HolderTold } from './quorum-worker.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeCalls } from './timing.ts'

const SHAPE = { bits: 512, dimensions: 512 } as const
const PEOPLE = 32
const TICK_MS = 1
const MATCH = 'match, one after the other'
const DELAY = 'event loop, 99 % turn within'

export const quorumVerifyScenario: Scenario = {
  name: 'quorum-verify',
  question: 'vault.verify under custody quorum, two of three holders over HTTPS on this machine, all on LMDB',
  notes: [
    'two commits of the vault and one of each holder, whose state is anchored in a file before it answers',
    'p50 and p99 of single calls; event loop: what a timer of 1 ms waits in the process of the vault, 99 % of turns',
    'the peer is the same vault under custody operator',
  ],
  repeats: true,
  claims: [
    { series: 'p50', most: 25 },
    { series: 'p99', most: 60 },
    { series: DELAY, most: 10 },
  ],
  variants: [...oursTwice(ours), { name: 'custody operator', role: 'peer', run: alone }],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    // The one of `vaultOptions`.
    const { verifierKey } = await logSigner('bench.example/guise', new Uint8Array(32).fill(3))
    const world = await openQuorum(folder, verifierKey)
    try {
      return await measure(plan, folder, world.quorum)
    } finally {
      world.end()
    }
  })
}

function alone(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, (folder) => measure(plan, folder, undefined))
}

async function measure(plan: Plan, folder: string, quorum: Quorum | undefined): Promise<readonly Series[]> {
  const path = join(folder, 'vault')
  mkdirSync(path)
  const store = await lmdbStore({ path })
  const options = await vaultOptions(store, { ...SHAPE, custody: 'operator' })
  const vault = await openVault(
    quorum === undefined ? options : { ...options, custody: { profile: 'quorum', quorum } },
  )
  const people = await makePeople(plan.seed, PEOPLE)
  for (const person of people) await vault.enroll(enrollRequest(person))
  const mate = (turn: number): ReturnType<typeof verifyRequest> =>
    verifyRequest(pick(people, turn).subject, pick(people, turn))
  const delay = monitorEventLoopDelay({ resolution: TICK_MS })
  delay.enable()
  const single = await timeCalls(MATCH, plan.calls, mate, (request) => expectMatch(vault, request))
  delay.disable()
  await vault.close()
  await store.close()
  const sorted = single.values.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? 0
  return [
    single,
    { name: 'p50', unit: 'ms', values: [at(0.5) / 1000] },
    { name: 'p99', unit: 'ms', values: [at(0.99) / 1000] },
    { name: DELAY, unit: 'ms', values: [delay.percentile(99) / 1e6] },
  ]
}

async function expectMatch(vault: Vault, request: ReturnType<typeof verifyRequest>): Promise<void> {
  const { outcome } = await vault.verify(request)
  if (outcome !== 'match') throw new Error(`${outcome} instead of match`)
}

/** Three holders, each a process of its own. */
async function openQuorum(folder: string, logKey: string): Promise<{ readonly quorum: Quorum; end(): void }> {
  const identity = selfSignedCertificate('vault.example', 30)
  const { key, shares } = dealQuorum({ realm: 'bench', epoch: 1, threshold: 2, holders: 3 })
  const children: ChildProcess[] = []
  const holders = await Promise.all(
    shares.map(async (share) => {
      mkdirSync(join(folder, `holder-${share.index}`))
      const child = fork(new URL('./quorum-worker.js', import.meta.url), { serialization: 'advanced' })
      children.push(child)
      const task: HolderTask = {
        folder,
        share: share.encode(),
        logKey,
        clientPin: identity.pin,
      }
      child.send(task)
      const [told] = (await once(child, 'message')) as [HolderTold]
      const { index, verifierKey, port, pin } = told
      const url = `https://127.0.0.1:${port}`
      return { index, verifierKey, peer: httpsPeer({ url, identity, server: { pins: [pin] } }) }
    }),
  )
  return {
    quorum: quorumOf({ keys: [key], holders, logKey }),
    end: () => {
      for (const { peer } of holders) peer.close()
      for (const child of children) child.disconnect()
    },
  }
}
