/** Clocks that jump, stand still or change to summer time: the delay opens neither early nor never (POLICY-8). @module */
import { expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { testClock } from '../../src/vault/symbols.ts'
import { basis, numbers, sample, testVault } from '../support/vault.ts'

const DELAY_MS = 30_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** In the middle of the ten years for which the basis holds. */
const MIDDLE_MS = 1800 * DAY_MS
const EACH = 100
const SEED = 20_261_122

/** A wall clock that may be set or stopped, and time itself. */
class World {
  readonly #trusted: 'steady' | 'wall'
  wallMs = MIDDLE_MS
  frozen = false
  #trueMs = 0
  #boot = 1

  constructor(trusted: 'steady' | 'wall') {
    this.#trusted = trusted
  }

  /** The control's steady clock is the wall clock: a policy that trusts nothing else. */
  clock(): Clock {
    const origin = new Uint8Array(16).fill(this.#boot)
    const startMs = this.#trueMs
    return {
      nowMs: () => this.wallMs,
      steady: () => ({ origin, ms: this.#trusted === 'wall' ? this.wallMs : this.#trueMs - startMs }),
    }
  }

  pass(ms: number): void {
    this.#trueMs += ms
    if (!this.frozen) this.wallMs += ms
  }

  restart(): Clock {
    this.#boot += 1
    return this.clock()
  }
}

const KINDS: Readonly<Record<string, (world: World, draw: () => number) => void>> = {
  'up to 30 days either way': (world, draw) => {
    world.wallMs += Math.round((draw() - 0.5) * 60 * DAY_MS)
  },
  'back by up to a minute': (world, draw) => {
    world.wallMs -= 1 + Math.floor(draw() * 60_000)
  },
  'forward by up to a minute': (world, draw) => {
    world.wallMs += 1 + Math.floor(draw() * 60_000)
  },
  frozen: (world) => {
    world.frozen = true
  },
  'summer time begins or ends': (world, draw) => {
    world.wallMs += draw() < 0.5 ? HOUR_MS : -HOUR_MS
  },
}

interface Tally {
  readonly disturbances: number
  readonly early: number
  readonly stuck: number
}

/** After each disturbance: refused until the delay has truly passed, and then answered. */
async function disturb(trusted: 'steady' | 'wall'): Promise<Tally> {
  const world = new World(trusted)
  const draw = numbers(SEED)
  const attempts = { consecutive: 1, delayMs: DELAY_MS, total: 1000, generation: 100_000 }
  const { vault } = await testVault({ clock: world.clock(), attempts })
  await enroll(vault)
  const wrong = async (index: number): Promise<string> =>
    (await vault.verify({ subject: 'anna', ...sample(2, index) })).outcome
  await wrong(0)
  let [disturbances, early, stuck] = [0, 0, 0]
  for (const disturbance of Object.values(KINDS)) {
    for (let i = 0; i < EACH; i++) {
      disturbance(world, draw)
      disturbances += 1
      const before = Math.floor(draw() * DELAY_MS)
      world.pass(before)
      if ((await wrong(i)) !== 'refused') early += 1
      world.pass(DELAY_MS - 1 - before)
      if ((await wrong(i)) !== 'refused') early += 1
      world.pass(1)
      if ((await wrong(i)) === 'refused') stuck += 1
      if (disturbances % 250 === 0) await vault.rebind('anna')
      // The next one begins with a failure of now, whatever this one came to.
      world.frozen = false
      world.wallMs += 40 * DAY_MS * (world.wallMs < MIDDLE_MS ? 1 : -1)
      world.pass(DAY_MS)
      await wrong(i)
      world.pass(DAY_MS)
      await wrong(i)
    }
  }
  await vault.close()
  return { disturbances, early, stuck }
}

async function enroll(vault: Awaited<ReturnType<typeof testVault>>['vault']): Promise<void> {
  const forever = { grantedAt: new Date(0), expiresAt: new Date(3653 * DAY_MS) }
  await vault.enroll({ subject: 'anna', basis: basis(forever), ...sample(1) })
}

test('POLICY-8 500 disturbances of the wall clock: none opens early, none locks for ever', async () => {
  console.info(`seed ${SEED}`)
  expect(await disturb('steady')).toEqual({ disturbances: 500, early: 0, stuck: 0 })
})

test('the control, which trusts the wall clock alone, opens early and stays shut', async () => {
  const { early, stuck } = await disturb('wall')
  console.info(`control, wall clock alone: ${early} early, ${stuck} stuck in 500`)
  expect(early).toBeGreaterThan(100)
  expect(stuck).toBeGreaterThan(100)
})

test('POLICY-8 set back while the machine restarts, the wait begins anew and ends', async () => {
  const world = new World('steady')
  const draw = numbers(SEED)
  const attempts = { consecutive: 1, delayMs: DELAY_MS, total: 1000, generation: 100_000 }
  const { vault, open } = await testVault({ clock: world.clock(), attempts })
  await enroll(vault)
  expect((await vault.verify({ subject: 'anna', ...sample(2) })).outcome).toBe('nonmatch')
  for (let i = 0; i < 50; i++) {
    world.wallMs -= 1 + Math.floor(draw() * 30 * DAY_MS)
    const restarted = await open({ [testClock]: world.restart() })
    const outcomes: string[] = []
    for (const ms of [0, DELAY_MS - 1, 1]) {
      world.pass(ms)
      outcomes.push((await restarted.verify({ subject: 'anna', ...sample(2, i) })).outcome)
    }
    expect(outcomes).toEqual(['refused', 'refused', 'nonmatch'])
    await restarted.close()
  }
  await vault.close()
})
