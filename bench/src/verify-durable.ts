/** What does an answer cost that is durable before it is given? @module */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openVault, type Vault } from '../../dist/index.js'
import { lmdbStore } from '../../dist/lmdb.js'
import { openPlainLmdb } from './peers.ts'
import { enrollRequest, makePeople, pick, vaultOptions, verifyRequest, withFolder } from './people.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'
import { timeCalls, timeInFlight } from './timing.ts'

const SHAPE = { bits: 512, dimensions: 512, custody: 'operator' } as const
const WIDTH = 256
const REPEATS = 4
/** About what a verify that fails writes: an attempts row. */
const ROW_BYTES = 128
const PUT = 'bare LMDB put'
const ROOM_MIB = 128
const ROOMY = `guise, young generation of ${ROOM_MIB} MiB`
const DELAY = `event loop, 99 % turn within, ${WIDTH} in flight`
const TICK_MS = 1

export const verifyDurableScenario: Scenario = {
  name: 'verify-durable',
  question:
    'vault.verify on LMDB from the call to the answer, where the attempt and its log entry are on the disk first',
  notes: [
    `the peer puts ${ROW_BYTES} bytes and waits for the disk; a match writes its log entry and nothing else`,
    `in flight: ${WIDTH} calls at once, another subject each`,
    `event loop: what a timer of ${TICK_MS} ms waits in all while calls that count are under way`,
    'what limits it: the processor of one thread, of which the garbage collector takes a tenth; less with a larger young generation',
  ],
  repeats: true,
  claims: [
    {
      series: 'nonmatch, one after the other',
      over: { variant: PUT, series: 'one after the other' },
      most: 1.5,
    },
    { series: `nonmatch, ${WIDTH} in flight`, least: 8000 },
    { series: DELAY, most: 10 },
  ],
  variants: [
    ...oursTwice(ours),
    { name: ROOMY, role: 'peer', nodeOptions: [`--max-semi-space-size=${ROOM_MIB}`], run: ours },
    { name: PUT, role: 'peer', run: barePut },
  ],
}

function ours(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const store = await lmdbStore({ path: folder })
    const people = await makePeople(plan.seed, peopleFor(plan))
    const vault = await openVault(await vaultOptions(store, SHAPE))
    for await (const result of vault.enrollMany(people.map((person) => enrollRequest(person)))) {
      if (!result.ok) throw result.error
    }
    const ask = (outcome: string) => (request: ReturnType<typeof verifyRequest>) =>
      expectOutcome(vault, request, outcome)
    const stranger = (turn: number): ReturnType<typeof verifyRequest> =>
      verifyRequest(pick(people, turn).subject, pick(people, turn + 1))
    const mate = (turn: number): ReturnType<typeof verifyRequest> =>
      verifyRequest(pick(people, turn).subject, pick(people, turn))
    const single = await timeCalls('nonmatch, one after the other', plan.calls, stranger, ask('nonmatch'))
    const delay = monitorEventLoopDelay({ resolution: TICK_MS })
    const size = { width: WIDTH, calls: 10 * plan.calls, repeats: REPEATS, watch: delay }
    const many = await timeInFlight(`nonmatch, ${WIDTH} in flight`, size, stranger, ask('nonmatch'))
    // A match takes back the run of failures, which it writes, unless there is none.
    for (let turn = 0; turn < people.length; turn++) await ask('match')(mate(turn))
    const match = await timeCalls('match, its log entry', plan.calls, mate, ask('match'))
    await vault.close()
    await store.close()
    return [single, many, { name: DELAY, unit: 'ms', values: [delay.percentile(99) / 1e6] }, match]
  })
}

/** So many that nobody fails as often as 100 times in a row, which no policy allows. */
function peopleFor(plan: Plan): number {
  const calls = 2 * plan.calls + (REPEATS + 1) * 10 * plan.calls
  return Math.max(plan.people, Math.ceil(calls / 80))
}

async function expectOutcome(
  vault: Vault,
  request: ReturnType<typeof verifyRequest>,
  expected: string,
): Promise<void> {
  const { outcome } = await vault.verify(request)
  if (outcome !== expected) throw new Error(`${outcome} instead of ${expected}`)
}

function barePut(plan: Plan): Promise<readonly Series[]> {
  return withFolder(plan.folder, async (folder) => {
    const database = openPlainLmdb(folder)
    const put = (key: Buffer): Promise<boolean> => database.put(key, Buffer.alloc(ROW_BYTES, key[3]))
    const keyOf = (turn: number): Buffer => {
      const key = Buffer.alloc(16)
      key.writeUInt32BE(turn % peopleFor(plan))
      return key
    }
    const single = await timeCalls('one after the other', plan.calls, keyOf, put)
    const size = { width: WIDTH, calls: 10 * plan.calls, repeats: REPEATS }
    const many = await timeInFlight(`${WIDTH} in flight`, size, keyOf, put)
    await database.close()
    return [single, many]
  })
}
