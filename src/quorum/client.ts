/** Asking a quorum: t valid answers of n make an output, n − t + 1 acknowledgements end a generation (SPEC §13.6). @module */

import { openCheckpoint } from '../audit/checkpoint.ts'
import { KEY_TYPE, parseVerifierKey } from '../audit/note.ts'
import type { EntryProof } from '../audit/stored-log.ts'
import type { Realm } from '../base/brand.ts'
import { equalBytes } from '../base/bytes.ts'
import { checkBytes, checkFunction, checkInteger, checkObject } from '../base/check.ts'
import type { CallOptions } from '../base/errors.ts'
import { soon } from '../base/soon.ts'
import { randomBytes } from '../crypto/random.ts'
import { giveTable } from '../crypto/ristretto.ts'
import { verifyEd25519 } from '../crypto/sign.ts'
import { type Collected, type Course, collect, untilAborted } from './collect.ts'
import { QuorumError, type QuorumFault, rejectInput } from './errors.ts'
import { combinePartials, quorumInput, type VerifiedPartial, verifyPartial } from './evaluate.ts'
import type { QuorumPeer } from './holder.ts'
import { checkEpoch, QuorumKey } from './key.ts'
import {
  type Acknowledgement,
  type Answer,
  decodeReply,
  encodeRequest,
  encodeRevocation,
  GENERATION_BYTES,
  ID_BYTES,
  RECORD_BYTES,
  type Receipt,
  type Refusal,
  signedBytes,
} from './messages.ts'
import { everybody, Paces } from './paces.ts'

const DEFAULT_TIMEOUT_MS = 5000
const MOST_KEYS = 4
/** A try may start from another checkpoint than the holder has seen, for others ask it too, or overtake; the next starts where it said. */
const TRIES = 8

/** One holder as it is pinned. */
export interface QuorumMember {
  readonly index: number
  /** As text: what the holder's acknowledgements are verified with. */
  readonly verifierKey: string
  readonly peer: QuorumPeer
}

export interface QuorumOptions {
  /** The pinned keys: of each epoch that is asked one, the newest refresh. All of one realm and size. */
  readonly keys: readonly QuorumKey[]
  /** All n. */
  readonly holders: readonly QuorumMember[]
  /** The verifier key of the vault's log, as text. */
  readonly logKey: string
  /** For a whole question; 5,000 unless said. */
  readonly timeoutMs?: number
}

/** What gives consistency proofs of the vault's log: a `StoredLog` does. */
export interface ConsistencySource {
  consistency(from: number, to: number, options?: CallOptions): Promise<readonly Uint8Array[]>
}

/** A generation, the log entry that is about it with its proof, and the log. */
export interface QuorumQuestion {
  /** 16 bytes. */
  readonly record: Uint8Array
  /** 20 bytes. */
  readonly generation: Uint8Array
  readonly receipt: EntryProof
  readonly log: ConsistencySource
}

/** An output and who gave it. */
export interface QuorumOutput {
  /** 64 bytes, off-heap; the caller wipes them. */
  readonly output: Uint8Array
  readonly holders: readonly number[]
  /** Holders that lied or refused before enough others had answered. */
  readonly faults: readonly QuorumFault[]
}

export interface Quorum {
  readonly realm: Realm
  /** The epochs that are pinned, in ascending order. */
  readonly epochs: readonly number[]
  /** The verifier key of the log whose entries the holders ask for, as text. */
  readonly logKey: string
  /**
   * The output of a generation. Throws `ERR_QUORUM_UNAVAILABLE`, retryable, when fewer than t holders gave a valid answer, with
   * `faults` that name each; `ERR_QUORUM_REVOKED` when it will never be given again.
   */
  open(question: QuorumQuestion & { readonly epoch: number }, options?: CallOptions): Promise<QuorumOutput>
  /**
   * Ends a generation: resolves when n − t + 1 holders remember it for good, with who does. Throws `ERR_QUORUM_UNAVAILABLE`,
   * retryable, when fewer do yet; those that do go on remembering.
   */
  revoke(
    question: QuorumQuestion,
    options?: CallOptions,
  ): Promise<{ readonly holders: readonly number[]; readonly faults: readonly QuorumFault[] }>
}

/** A quorum to ask. Throws `ERR_QUORUM_INPUT`. */
export function quorumOf(options: QuorumOptions): Quorum {
  checkObject(options, 'options', rejectInput)
  const keys = checkKeys(options.keys)
  const holders = checkMembers(options.holders, keys[0] as QuorumKey)
  const timeoutMs = checkInteger(
    options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    'timeoutMs',
    [1, 600_000],
    rejectInput,
  )
  parseVerifierKey(options.logKey, KEY_TYPE.log)
  return new Asked(keys, holders, options.logKey, timeoutMs)
}

type Member = QuorumMember & { readonly publicKey: Uint8Array }
/** A question made for one holder, with a proof that starts at `from`. */
type Make = (member: Member, receipt: Receipt) => { readonly id: Uint8Array; readonly message: Uint8Array }

class Asked implements Quorum {
  readonly realm: Realm
  readonly epochs: readonly number[]
  readonly logKey: string
  readonly #keys: readonly QuorumKey[]
  readonly #key: QuorumKey
  readonly #members: readonly Member[]
  readonly #timeoutMs: number
  /** The size of the log that each holder will have seen when it has read what was sent to it. */
  readonly #seen = new Map<number, number>()
  readonly #paces = new Paces()

  constructor(keys: readonly QuorumKey[], members: readonly Member[], logKey: string, timeoutMs: number) {
    this.#keys = keys
    this.#key = keys[0] as QuorumKey
    this.realm = this.#key.realm
    this.epochs = keys.map(({ epoch }) => epoch).sort(ascending)
    this.logKey = logKey
    this.#members = members
    this.#timeoutMs = timeoutMs
    for (const key of keys) for (const { index } of members) giveTable(key.shareKey(index))
  }

  async open(
    question: QuorumQuestion & { readonly epoch: number },
    options: CallOptions = {},
  ): Promise<QuorumOutput> {
    const { record, generation } = checkQuestion(question)
    const epoch = checkEpoch(question.epoch, rejectInput)
    const key = this.#keys.find((one) => one.epoch === epoch)
    if (key === undefined) throw new QuorumError('ERR_QUORUM_EPOCH', 'no key of this epoch is pinned')
    const { realm, refresh, threshold } = key
    const input = quorumInput({ realm, record, generation, epoch })
    const make: Make = ({ index }, receipt) => {
      const id = randomBytes(ID_BYTES)
      return { id, message: encodeRequest({ realm, record, generation, epoch, refresh, index, id, receipt }) }
    }
    const check = (
      reply: Answer | Acknowledgement,
      index: number,
      id: Uint8Array,
    ): VerifiedPartial | undefined => {
      if (reply.kind !== 'answer' || reply.index !== index || !equalBytes(reply.id, id)) return undefined
      if (reply.realm !== realm || reply.epoch !== epoch || reply.refresh !== refresh) return undefined
      return verifyPartial(key, input, reply)
    }
    const course = this.#paces.course(this.#members, threshold, this.#timeoutMs)
    const asking = this.#ask(question, { course, make, check }, options)
    // While holders are at work.
    void soon().then(() => input.multiples.prepare())
    const { values, faults } = await asking
    const output = combinePartials(key, input, values)
    return { output, holders: values.map(({ index }) => index).sort(ascending), faults }
  }

  async revoke(
    question: QuorumQuestion,
    options: CallOptions = {},
  ): Promise<{ readonly holders: readonly number[]; readonly faults: readonly QuorumFault[] }> {
    const { record, generation } = checkQuestion(question)
    const { realm, threshold, holders } = this.#key
    const make: Make = ({ index }, receipt) => {
      const id = randomBytes(ID_BYTES)
      return { id, message: encodeRevocation({ realm, record, generation, index, id, receipt }) }
    }
    const check = (
      reply: Answer | Acknowledgement,
      index: number,
      id: Uint8Array,
      publicKey: Uint8Array,
    ): number | undefined => {
      if (reply.kind !== 'acknowledgement') return undefined
      const fits =
        reply.index === index &&
        reply.realm === realm &&
        equalBytes(reply.id, id) &&
        equalBytes(reply.record, record) &&
        equalBytes(reply.generation, generation) &&
        verifyEd25519(reply.signature, signedBytes(reply.said), publicKey)
      return fits ? index : undefined
    }
    const need = holders - threshold + 1
    const course = everybody(this.#members, need, this.#timeoutMs)
    const { values, faults } = await this.#ask(question, { course, make, check }, options)
    return { holders: [...values].sort(ascending), faults }
  }

  async #proveSince(
    index: number,
    log: ConsistencySource,
    sizes: readonly [number, number],
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    try {
      return await log.consistency(Math.min(...sizes), Math.max(...sizes), { signal })
    } catch (error) {
      // The holder has seen a log that this one does not continue: the next question asks what it has seen.
      this.#seen.delete(index)
      throw error
    }
  }

  /** Asks until as many valid replies are there as the course needs, or cannot be had any more. */
  async #ask<Value>(
    { receipt, log }: QuorumQuestion,
    work: {
      readonly course: Course<Member>
      readonly make: Make
      readonly check: (
        reply: Answer | Acknowledgement,
        index: number,
        id: Uint8Array,
        publicKey: Uint8Array,
      ) => Value | undefined
    },
    options: CallOptions,
  ): Promise<Collected<Value>> {
    const { course, make, check } = work
    const { size } = openCheckpoint(receipt.checkpoint, this.logKey)
    const askNow = async (member: Member, signal: AbortSignal): Promise<Value | Refusal | undefined> => {
      let from = this.#seen.get(member.index) ?? 0
      for (let left = TRIES; ; left--) {
        this.#seen.set(member.index, Math.max(from, size))
        const consistency = await this.#proveSince(member.index, log, [from, size], signal)
        const { entry, index: place, hashes: inclusion, checkpoint } = receipt
        const asked = make(member, { entry, place, inclusion, checkpoint, from, consistency })
        const reply = readReply(await untilAborted(member.peer.handle(asked.message, { signal }), signal))
        if (reply === undefined) return undefined
        if (reply.kind !== 'refusal') return check(reply, member.index, asked.id, member.publicKey)
        if (reply.code !== 'ERR_QUORUM_SEEN' || left <= 1) return reply
        from = reply.seen
      }
    }
    const askOne = (member: Member, signal: AbortSignal): Promise<Value | Refusal | undefined> =>
      this.#paces.measure(member.index, signal, () => askNow(member, signal))
    const collected = await collect(course, askOne, options.signal)
    if (collected.values.length >= course.need) return collected
    throw notEnough(collected.faults, this.#key)
  }
}

function readReply(bytes: Uint8Array): Answer | Acknowledgement | Refusal | undefined {
  try {
    return decodeReply(bytes)
  } catch {
    return undefined
  }
}

function notEnough(faults: readonly QuorumFault[], { threshold, holders }: QuorumKey): QuorumError {
  const revoked = faults.filter(({ code }) => code === 'ERR_QUORUM_REVOKED').length
  if (revoked > holders - threshold) {
    return new QuorumError('ERR_QUORUM_REVOKED', 'the generation is revoked', { faults })
  }
  const why = 'fewer holders than needed gave a valid answer'
  return new QuorumError('ERR_QUORUM_UNAVAILABLE', why, { faults, retryable: true })
}

function checkQuestion({
  record,
  generation,
  receipt,
  log,
}: QuorumQuestion): Pick<QuorumQuestion, 'record' | 'generation'> {
  checkBytes(record, 'record', RECORD_BYTES, rejectInput)
  checkBytes(generation, 'generation', GENERATION_BYTES, rejectInput)
  checkObject(receipt, 'receipt', rejectInput)
  const checked = checkObject(log, 'log', rejectInput)
  checkFunction(checked['consistency'], 'consistency', rejectInput)
  return { record: Uint8Array.from(record), generation: Uint8Array.from(generation) }
}

function checkKeys(keys: readonly QuorumKey[]): readonly QuorumKey[] {
  const first: unknown = Array.isArray(keys) ? keys[0] : undefined
  if (!(first instanceof QuorumKey) || keys.length > MOST_KEYS)
    throw rejectInput('keys must be a list of one to four keys')
  const epochs = new Set<number>()
  for (const key of keys) {
    if (!(key instanceof QuorumKey)) throw rejectInput('keys must be a list of one to four keys')
    const { realm, threshold, holders, epoch } = key
    if (realm !== first.realm || threshold !== first.threshold || holders !== first.holders) {
      throw rejectInput('keys must be of one realm and size')
    }
    if (epochs.has(epoch)) throw rejectInput('two keys are of one epoch')
    epochs.add(epoch)
  }
  return [...keys]
}

function checkMembers(members: readonly QuorumMember[], key: QuorumKey): readonly Member[] {
  if (!Array.isArray(members) || members.length !== key.holders)
    throw rejectInput('holders must be all of the quorum')
  const indices = new Set<number>()
  return members.map((member: QuorumMember) => {
    const { index, verifierKey, peer } = member
    checkInteger(index, 'index', [1, key.holders], rejectInput)
    const checked = checkObject(peer, 'peer', rejectInput)
    checkFunction(checked['handle'], 'handle', rejectInput)
    if (indices.has(index)) throw rejectInput('two holders have one index')
    indices.add(index)
    return { index, verifierKey, peer, publicKey: parseVerifierKey(verifierKey, KEY_TYPE.log).publicKey }
  })
}

function ascending(a: number, b: number): number {
  return a - b
}
