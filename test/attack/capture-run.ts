/** Runs altered captures against a desk, and says what it should not have done. @module */
import type { Store } from 'guise'
import { type CaptureRefusal, captureReason } from 'guise/capture'
import { hex, utf8 } from '../reference/bytes.ts'
import { rowKey } from '../reference/capture.ts'
import { openCapture, type Scene } from '../reference/capture-open.ts'
import { sha256 } from '../reference/hashes.ts'
import { ALTERATIONS, type Draw, makeCase, type Past } from './capture-alterations.ts'
import { makeWorld, payloadOf, proofOf, REALM, sceneOf, type World } from './capture-world.ts'

export interface Found {
  readonly cases: number
  readonly accepted: number
  readonly byReason: Readonly<Record<string, number>>
  /** What should not be; empty for a desk that is right. */
  readonly faults: readonly string[]
}

/** What opens captures: `accepted`, or the reason. */
export type Opener = (world: World, sealed: Uint8Array, scene: Scene) => Promise<string>

/** A world is thrown away after so many cases, so that the reference reads few rows. */
const CASES_A_WORLD = 2 * ALTERATIONS
const SPENDING = ['accepted', 'time', 'attestation', 'policy', 'repeated']

export async function runCaptures(
  cases: number,
  seed: number,
  opener: Opener = library,
  makeStore?: () => Store,
): Promise<Found> {
  const draw = drawFrom(seed)
  const faults: string[] = []
  const byReason: Record<string, number> = {}
  let [accepted, world, past]: [number, World | undefined, Past | undefined] = [0, undefined, undefined]
  let spent = new Set<string>()
  for (let number = 0; number < cases; number++) {
    if (world === undefined || number % CASES_A_WORLD === 0) {
      world = await makeWorld(seed + number, makeStore?.())
      past = undefined
      spent = new Set()
    }
    const made = await makeCase(world, number, draw, past)
    const scene = await sceneOf(world)
    const wanted = openCapture(scene, made.sealed)
    const right = 'reason' in wanted ? wanted.reason : 'accepted'
    const got = await opener(world, made.sealed, scene)
    byReason[got] = (byReason[got] ?? 0) + 1
    const say = (what: string): void => {
      faults.push(`${number} ${made.name}: ${what}`)
    }
    if (got !== right) say(`${got} instead of ${right}`)
    if (made.isGood !== undefined && made.isGood !== (got === 'accepted')) say(`was ${got}`)
    if (got === 'accepted') {
      accepted += 1
      const nonce = 'claims' in wanted ? hex(wanted.claims.nonce) : hex(made.nonce)
      if (spent.has(nonce)) say('spent twice')
      spent.add(nonce)
      if (made.name === 'nothing')
        past = { parts: made.parts, proof: proofOf(made.parts, payloadOf(made.parts)), sealed: made.sealed }
    }
    const row = await world.store.get('challenges', rowKey(REALM, 1, made.nonce))
    if ((row === undefined) !== SPENDING.includes(got))
      say(`${got}, and the challenge was ${row ? 'kept' : 'spent'}`)
  }
  return { cases, accepted, byReason, faults }
}

async function library({ desk }: World, sealed: Uint8Array): Promise<string> {
  try {
    const capture = await desk.openCapture(sealed, { subject: 'ann', purpose: 'login' })
    capture[Symbol.dispose]()
    return 'accepted'
  } catch (error) {
    const { code, [captureReason]: reason } = error as CaptureRefusal
    return code === 'ERR_CAPTURE_REFUSED' ? reason : `a fault, ${code ?? String(error)}`
  }
}

/** A desk that does not ask whom a statement was made for: the seeded bug of a missing recipient. */
export async function forgetsRecipient(world: World, sealed: Uint8Array): Promise<string> {
  const outcome = openCapture(await sceneOf(world, 'recipient'), sealed)
  return 'reason' in outcome ? outcome.reason : 'accepted'
}

/** A store whose challenges are never spent: the seeded bug of a nonce that serves again. */
export function keepsChallenges(store: Store): Store {
  const prefix = hex(rowKey(REALM, 1))
  const commit: Store['commit'] = (steps, options) =>
    store.commit(
      steps.filter((step) => step.step !== 'delete' || !hex(step.key).startsWith(prefix)),
      options,
    )
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Draws that are the same for a seed. */
function drawFrom(seed: number): Draw {
  let block = sha256(utf8(`captures ${seed}`))
  let at = 0
  const draw = (): number => {
    if (at + 4 > block.length) {
      block = sha256(block)
      at = 0
    }
    const value = new DataView(block.buffer, block.byteOffset).getUint32(at)
    at += 4
    return value / 2 ** 32
  }
  return Object.assign(draw, { pick: (below: number) => Math.floor(draw() * below) })
}
