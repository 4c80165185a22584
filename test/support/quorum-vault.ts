/** A vault under a quorum for tests: three holders in this process, two of them enough, which die, come back and lie when told. @module */

import { memoryStore, type Store, type Vault, type VaultOptions, type VerifyRequest } from 'guise'
import {
  type DealtQuorum,
  dealQuorum,
  type Quorum,
  type QuorumHolder,
  type QuorumHolderOptions,
  type QuorumKey,
  type QuorumPeer,
  type QuorumShare,
  quorumHolder,
  quorumOf,
  refreshQuorum,
} from 'guise/quorum'
import type { Anchor } from '../../src/audit/anchor.ts'
import { decodeReply, encodeAnswer } from '../../src/quorum/messages.ts'
import { memoryAnchor } from './quorum.ts'
import { basis, SIGNER, sample, type TestVault, testVault } from './vault.ts'

const GENEROUS = { recordPerHour: 100_000, recordTotal: 1_000_000, allPerHour: 10_000_000 }

/** How a holder answers. */
export type Manner = 'honest' | 'gone' | 'hangs' | 'garbles' | 'elsewhere' | 'stale' | 'refuses'

export interface QuorumVault extends TestVault {
  readonly dealt: DealtQuorum
  readonly quorum: Quorum
  readonly holderStores: readonly Store[]
  readonly holderAnchors: readonly Anchor[]
  /** What each holder does from now on; all are honest at first. */
  readonly manners: Manner[]
  /** Messages that reached each holder. */
  readonly asked: number[]
  /** Whether holders' answers wait for `release`. */
  hold(): () => void
  /** Ends a holder and opens it again over its store, perhaps with other options. */
  restart(index: number, changed?: Partial<QuorumHolderOptions>): Promise<void>
  /** A quorum of other pinned keys over the same holders. */
  quorumWith(keys: readonly QuorumKey[], timeoutMs?: number): Quorum
  end(): Promise<void>
}

export async function quorumVault(
  options: Partial<VaultOptions> & {
    readonly timeoutMs?: number
    readonly profile?: 'quorum' | 'quorum+holder'
    readonly budgets?: QuorumHolderOptions['budgets']
  } = {},
): Promise<QuorumVault> {
  const { timeoutMs = 10_000, profile = 'quorum', budgets = GENEROUS, ...rest } = options
  const dealt = dealQuorum({ realm: 'clinic', epoch: 1, threshold: 2, holders: 3 })
  const holderStores = dealt.shares.map(() => memoryStore())
  const holderAnchors = dealt.shares.map(() => memoryAnchor())
  const manners: Manner[] = dealt.shares.map(() => 'honest')
  const asked = dealt.shares.map(() => 0)
  let gate: Promise<void> | undefined
  const open = (index: number, changed: Partial<QuorumHolderOptions> = {}): Promise<QuorumHolder> =>
    quorumHolder({
      shares: [dealt.shares[index - 1] as QuorumShare],
      key: new Uint8Array(32).fill(200 + index),
      store: holderStores[index - 1] as Store,
      anchor: holderAnchors[index - 1] as Anchor,
      logKey: SIGNER.verifierKey,
      budgets,
      ...changed,
    })
  const holders = await Promise.all(dealt.shares.map(({ index }) => open(index)))
  const before = new Map<number, Uint8Array>()
  const underWay = holders.map(() => new Set<Promise<Uint8Array>>())
  const peer = (index: number): QuorumPeer => ({
    handle: async (message, call) => {
      const manner = manners[index - 1] as Manner
      asked[index - 1] = (asked[index - 1] as number) + 1
      if (manner === 'gone') throw new Error('no such holder')
      if (manner === 'hangs') return await new Promise<never>(() => undefined)
      await gate
      const work = (holders[index - 1] as QuorumHolder).handle(message, call)
      const set = underWay[index - 1] as Set<Promise<Uint8Array>>
      set.add(work)
      const reply = await work.finally(() => set.delete(work))
      const earlier = before.get(index)
      before.set(index, reply)
      if (manner === 'garbles') return reply.map((byte, i) => (i === reply.length - 1 ? byte ^ 1 : byte))
      if (manner === 'stale') return earlier ?? new Uint8Array(8)
      if (manner === 'refuses') return await (holders[index - 1] as QuorumHolder).handle(new Uint8Array(3))
      if (manner === 'elsewhere') return ofAnotherEpoch(reply)
      return reply
    },
  })
  const quorumWith = (keys: readonly QuorumKey[], within = timeoutMs): Quorum =>
    quorumOf({
      keys,
      holders: holders.map(({ index, verifierKey }) => ({ index, verifierKey, peer: peer(index) })),
      logKey: SIGNER.verifierKey,
      timeoutMs: within,
    })
  const quorum = quorumWith([dealt.key])
  const made = await testVault({ custody: { profile, quorum }, ...rest })
  return {
    ...made,
    dealt,
    quorum,
    holderStores,
    holderAnchors,
    manners,
    asked,
    hold: () => {
      let release: () => void = () => undefined
      gate = new Promise((resolve) => {
        release = () => {
          gate = undefined
          resolve()
        }
      })
      return release
    },
    restart: async (index, changed) => {
      // As the server does: what was begun is ended first.
      await Promise.allSettled(underWay[index - 1] as Set<Promise<Uint8Array>>)
      holders[index - 1]?.close()
      holders[index - 1] = await open(index, changed)
    },
    quorumWith,
    end: async () => {
      await made.vault.close()
      for (const holder of holders) holder.close()
    },
  }
}

export const SUBJECT = 'user-1'
export const ANNA = { subject: SUBJECT, basis: basis() } as const

/** A quorum's vault with one person in it. */
export async function enrolled(options: Parameters<typeof quorumVault>[0] = {}): Promise<QuorumVault> {
  const world = await quorumVault(options)
  await world.vault.enroll({ ...sample(1), ...ANNA })
  return world
}

/** A probe of that person, and one of somebody else. */
export const own = (index = 1): VerifyRequest => ({ ...sample(1, index), subject: SUBJECT })
export const other = (): VerifyRequest => ({ ...sample(2), subject: SUBJECT })

/** The same holders, but what is asked of them goes where `change` leads; for vaults that end, or are raced, while they wait. */
export function bent(quorum: Quorum, change: Partial<Pick<Quorum, 'open' | 'revoke'>>): Quorum {
  const { realm, epochs, logKey } = quorum
  return {
    realm,
    epochs,
    logKey,
    open: (question, options) => quorum.open(question, options),
    revoke: (question, options) => quorum.revoke(question, options),
    ...change,
  }
}

/** Shares of the next refresh, by the holders' own steps. */
export function refreshed(shares: readonly QuorumShare[]): QuorumShare[] {
  const parts = shares.map(refreshQuorum)
  const openings = parts.map(({ opening }) => opening)
  const sent = parts.map((part) => part.deal(openings))
  return parts.map((part, i) => part.finish(sent.flatMap((packages) => packages.get(i + 1) ?? [])))
}

/** How a verify ends, in words. */
export async function outcomeOf(vault: Vault, request: Parameters<Vault['verify']>[0]): Promise<string> {
  const decision = await vault.verify(request)
  return decision.outcome === 'refused' ? `refused ${decision.reason}` : decision.outcome
}

function ofAnotherEpoch(bytes: Uint8Array): Uint8Array {
  const reply = decodeReply(bytes)
  return reply.kind === 'answer' ? encodeAnswer({ ...reply, epoch: reply.epoch + 1 }) : bytes
}

/** Waits until something is so; what never is so fails the test by its own time. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}
