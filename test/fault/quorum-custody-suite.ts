/** A vault under a quorum while holders die, come back, lie and get new shares: no decision may be wrong (SPEC §13.9). @module */
import type { Vault, VerifyDecision } from 'guise'
import type { Quorum, QuorumShare } from 'guise/quorum'
import { bent, type Manner, type QuorumVault, quorumVault, refreshed } from '../support/quorum-vault.ts'
import { basis, numbers, sample } from '../support/vault.ts'

const PEOPLE = 4
/** No limit stands between two comparisons: what is wrong is to show, not what is throttled. */
const ATTEMPTS = { consecutive: 100, total: 1000, generation: 100_000, realmPerHour: 1_000_000_000 }
const BAD: readonly Manner[] = ['gone', 'garbles', 'elsewhere', 'stale', 'refuses']

export interface Tally {
  readonly verifies: number
  readonly right: number
  /** Fewer than two honest holders, and the call said so. */
  readonly unavailable: number
  /** What was answered, or failed, in any other way. */
  readonly wrong: readonly string[]
  readonly restarts: number
}

/** Verifies of the right person and of others while holders change their manners and are opened anew. `spoil`: a control. */
export async function verifyUnderKills(
  verifies: number,
  seed: number,
  spoil: (quorum: Quorum) => Quorum = (quorum) => quorum,
): Promise<Tally> {
  const world = await populated()
  const vault = await world.open({ custody: { profile: 'quorum', quorum: spoil(world.quorum) } })
  const next = numbers(seed)
  const pick = (below: number): number => Math.floor(next() * below)
  const wrong: string[] = []
  let right = 0
  let unavailable = 0
  let restarts = 0
  for (let i = 0; i < verifies; i++) {
    for (const index of [1, 2, 3]) {
      const bad = next() < 0.25
      world.manners[index - 1] = bad ? (BAD[pick(BAD.length)] as Manner) : 'honest'
      if (next() < 0.05) {
        await world.restart(index)
        restarts++
      }
    }
    const enough = world.manners.filter((manner) => manner === 'honest').length >= 2
    const said = await judge(vault, pick(PEOPLE), next() < 0.5)
    if (said === 'right') right++
    else if (said === 'ERR_QUORUM_UNAVAILABLE' && !enough) unavailable++
    else wrong.push(`${i}: ${said}`)
  }
  await vault.close()
  await world.end()
  return { verifies, right, unavailable, wrong, restarts }
}

/** Outputs of another generation now and then: what a vault must not take for an answer. */
export function exchanged(quorum: Quorum): Quorum {
  let kept: Uint8Array | undefined
  return bent(quorum, {
    open: async (question, options) => {
      const given = await quorum.open(question, options)
      const output = kept ?? given.output
      kept = Uint8Array.from(given.output)
      return { ...given, output: Uint8Array.from(output) }
    },
  })
}

/** `rounds` refreshes of all shares, verifies running all the while in vaults that pin what is in force. */
export async function verifyUnderRefreshes(rounds: number): Promise<Tally> {
  const world = await populated()
  let { shares } = world.dealt
  let { vault } = world
  const state = { over: false, verifies: 0, right: 0, unavailable: 0 }
  const wrong: string[] = []
  const using: (Vault | undefined)[] = []
  const work = async (worker: number): Promise<void> => {
    while (!state.over) {
      using[worker] = vault
      const said = await judge(vault, state.verifies % PEOPLE, state.verifies++ % 3 > 0)
      if (said === 'right') state.right++
      // Asked while two of three were opened anew, one after the other.
      else if (said === 'ERR_QUORUM_UNAVAILABLE') state.unavailable++
      else wrong.push(said)
    }
    using[worker] = undefined
  }
  const working = [work(0), work(1)]
  for (let round = 0; round < rounds; round++) {
    const next = refreshed(shares)
    for (const [i, share] of next.entries()) {
      await world.restart(i + 1, { shares: [shares[i] as QuorumShare, share] })
    }
    const enough = state.verifies + 4
    const quorum = world.quorumWith([(next[0] as QuorumShare).key])
    const old = vault
    vault = await world.open({ custody: { profile: 'quorum', quorum } })
    // Whoever asks with the old key is heard out before the old shares go.
    while (state.verifies < enough || using.includes(old)) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (old !== world.vault) await old.close()
    for (const [i, share] of next.entries()) await world.restart(i + 1, { shares: [share] })
    shares = next
  }
  state.over = true
  await Promise.all(working)
  await vault.close()
  await world.end()
  const { verifies, right, unavailable } = state
  return { verifies, right, unavailable, wrong, restarts: 6 * rounds }
}

async function populated(): Promise<QuorumVault> {
  const world = await quorumVault({ timeoutMs: 60_000, attempts: ATTEMPTS })
  for (let i = 0; i < PEOPLE; i++) {
    await world.vault.enroll({ ...sample(i), subject: `user-${i}`, basis: basis() })
  }
  return world
}

async function judge(vault: Vault, person: number, isSelf: boolean): Promise<string> {
  const probe = sample(isSelf ? person : person + PEOPLE, 1)
  const said = await vault.verify({ ...probe, subject: `user-${person}` }).then(
    ({ outcome }: VerifyDecision) => outcome as string,
    (error: unknown) => String((error as { code?: unknown }).code ?? error),
  )
  return said === (isSelf ? 'match' : 'nonmatch') ? 'right' : said
}
