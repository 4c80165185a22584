/** The work of a process that is searched for canaries: random verbs, bad input, aborted calls, faults (I-01). @module */
/// <reference types="node" />

import { writeSync } from 'node:fs'
import type { CallOptions } from '../../src/base/errors.ts'
import { GuiseError } from '../../src/base/errors.ts'
import { embedding } from '../../src/embedding/embedding.ts'
import { allowUnattestedCapture, secondFactorConfirmed } from '../../src/vault/symbols.ts'
import type {
  ErasureReceipt,
  RevocationReason,
  ShareSource,
  UnattestedSample,
  VerifyRequest,
} from '../../src/vault/types.ts'
import type { Vault } from '../../src/vault/vault.ts'
import type { Sinks } from './canary-sinks.ts'
import { seeded } from './driver.ts'
import { basis, MODEL, numberedBytes, sampleOf, vectorOf, type World } from './vault-world.ts'

export const CANARY_PEOPLE = 40
/** Numbers of the shares that devices are given later. */
export const LATER_SHARES = 1_000_000

const MADE = ['reissue', 'reissue'] as const
const BOTH = [
  'match',
  'match',
  'match',
  'match',
  'wrong',
  'wrong',
  'wrong',
  'burst',
  'odd',
  'odd',
  'odd',
] as const
const VERBS = {
  none: ['enroll', 'enroll', 'enrollMany', 'enrollPending', 'match', 'suspend', 'odd'],
  pending: ['activate', 'activate', 'match', 'erase'],
  active: [...BOTH, ...MADE, 'rebind', 'suspend', 'hold', 'revoke', 'breach', 'erase', 'enroll', 'devices'],
  suspended: ['resume', 'resume', 'match', 'suspend', 'revoke', 'rebind', 'erase'],
  held: ['release', 'release', 'match', 'erase', 'breach'],
  revoked: [...MADE, ...MADE, 'match', 'erase', 'resume'],
  expired: MADE,
  erased: ['enroll'],
} as const
type Status = keyof typeof VERBS
type Verb = (typeof VERBS)[Status][number]
const ODDITIES = 16
const MOST_TRIES = 20

export interface CanaryOptions {
  readonly world: World
  readonly sinks: Sinks
  /** Open file for what the searching side must know. */
  readonly journal: number
  /** The next commit fails in this way. */
  readonly faults: { next: 'none' | 'before' | 'after' }
  readonly holder: boolean
  readonly seed: number
}

/** The name of a person. Nothing but the caller's call may hold it. */
export function canaryName(person: number): string {
  return `Äugusta.${Math.floor(seeded(7000 + person)() * 2 ** 32).toString(16)}@Canary-${person}.example.org`
}

export class CanaryWork {
  readonly #options: CanaryOptions
  readonly #random: () => number
  readonly #status: Status[] = Array.from({ length: CANARY_PEOPLE }, () => 'none')
  readonly #faces: number[] = Array.from({ length: CANARY_PEOPLE }, (_, person) => person)
  readonly #receipts: ErasureReceipt[] = []
  #turn = 0

  constructor(options: CanaryOptions) {
    this.#options = options
    this.#random = seeded(options.seed)
  }

  async operate(turn: number): Promise<void> {
    this.#turn = turn
    const person = Math.floor(this.#random() * CANARY_PEOPLE)
    const chance = this.#random()
    if (chance < 0.03) this.#options.faults.next = chance < 0.015 ? 'before' : 'after'
    if (turn % 100 === 99) await this.#told(() => this.#vault.health())
    if (turn % 1000 === 999) await this.#rotate()
    const verbs = VERBS[this.#status[person] as Status]
    await this.#carryOut(verbs[Math.floor(this.#random() * verbs.length)] as Verb, person)
    this.#options.faults.next = 'none'
    await this.#look(person)
  }

  get #vault(): Vault {
    return this.#options.world.vault
  }

  async #carryOut(verb: Verb, person: number): Promise<void> {
    const vault = this.#vault
    const name = canaryName(person)
    // As the texts for operators advise.
    const options = { operationId: `${verb} ${name} ${this.#turn}`, actor: 'desk-1' }
    if (verb === 'enroll' || verb === 'enrollMany' || verb === 'enrollPending' || verb === 'reissue') {
      await this.#make(verb, person, options)
    } else if (verb === 'match') await this.#verify(person, false, this.#random() < 0.3 ? options : {})
    else if (verb === 'wrong') await this.#verify(person, true, {})
    else if (verb === 'burst') {
      this.#say('verify', person)
      await Promise.all(Array.from({ length: 6 }, () => this.#told(() => vault.verify(this.#probe(person)))))
    } else if (verb === 'revoke') await this.#told(() => vault.revoke(name, 'withdrawn', options))
    else if (verb === 'breach') await this.#told(() => vault.revoke(name, 'breach', options))
    else if (verb === 'erase') await this.#erase(person, options)
    else if (verb === 'devices') await this.#devices(person)
    else if (verb === 'odd') await this.#odd(Math.floor(this.#random() * ODDITIES), person)
    else await this.#told(() => vault[verb](name, options))
  }

  /** A template, tried again until it is there, so that the searching side knows which one it is. */
  async #make(
    verb: 'enroll' | 'enrollMany' | 'enrollPending' | 'reissue',
    person: number,
    options: CallOptions,
  ): Promise<void> {
    const vault = this.#vault
    const face = person + CANARY_PEOPLE * (1 + this.#turn)
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      this.#say(verb === 'reissue' ? verb : 'enroll', person, face)
      const request = {
        ...sampleOf(face),
        subject: canaryName(person),
        basis: basis(),
        ...this.#share(person),
      }
      try {
        if (verb === 'reissue') this.#options.sinks.returned(await vault.reissue(request, options))
        else if (verb === 'enroll') this.#options.sinks.returned(await vault.enroll(request, options))
        else if (verb === 'enrollPending') {
          this.#options.sinks.returned(await vault.enroll({ ...request, pending: true }, options))
        } else {
          for await (const one of vault.enrollMany([request], options)) {
            this.#options.sinks.returned(one)
            if (!one.ok) throw one.error
          }
        }
        this.#faces[person] = face
        return
      } catch (error) {
        this.#options.sinks.thrown(error)
        if (!(error instanceof GuiseError) || !error.retryable) {
          if ((error as GuiseError).code !== 'ERR_STORE_FULL') return
        }
        await new Promise((resolve) => setTimeout(resolve, 10 * tries))
      }
    }
    throw new Error('a template could not be made')
  }

  async #verify(person: number, wrong: boolean, options: CallOptions): Promise<void> {
    this.#say(wrong ? 'wrong' : 'verify', person)
    const request = this.#probe(person, wrong)
    if (this.#random() < 0.1) this.#options.sinks.returned(request.embedding)
    await this.#told(() => this.#vault.verify(request, options))
    if (this.#random() < 0.1) this.#options.sinks.returned(request.embedding)
  }

  async #erase(person: number, options: CallOptions): Promise<void> {
    const receipt = await this.#told(() => this.#vault.erase(canaryName(person), options))
    if (receipt === undefined) return
    this.#receipts.push(receipt)
    await this.#told(() => this.#vault.renewReceipt(receipt))
  }

  async #devices(person: number): Promise<void> {
    const request = { subject: canaryName(person), [secondFactorConfirmed]: true } as const
    const [holderShare, newShare] = [shareOf(person), shareOf(LATER_SHARES + this.#turn)]
    const device = await this.#told(() => this.#vault.addDevice({ ...request, holderShare, newShare }))
    if (device !== undefined) {
      await this.#told(() => this.#vault.removeDevice({ ...request, holderShare, device }))
    }
  }

  /** What a caller does wrong, one thing at a time. */
  async #odd(which: number, person: number): Promise<void> {
    const vault = this.#vault
    const name = canaryName(person)
    this.#say('verify', person)
    if (which < 4) return await this.#oddVector(which, person)
    const sample = this.#probe(person)
    const vector = vectorOf(this.#faces[person] as number)
    const request = async (odd: object): Promise<void> => {
      await this.#told(() => vault.verify({ ...sample, ...odd }))
    }
    const controller = new AbortController()
    const stop = (): void => controller.abort(new Error('stopped'))
    if (which === 4) sample.embedding[Symbol.dispose]()
    if (which <= 4) await request({})
    else if (which === 5) await request({ vector })
    else if (which === 6) await request({ subject: name.repeat(300) })
    else if (which === 7) await request({ subject: { toString: () => name } })
    else if (which === 8) await request({ probeClass: name })
    else if (which === 9) await request({ [allowUnattestedCapture]: false })
    else if (which === 10) await request({ embedding: vector })
    else if (which === 11) await this.#told(() => vault.verify(sample, { actor: name.repeat(10) }))
    else if (which === 12) await this.#told(() => vault.revoke(name, name as RevocationReason))
    else if (which === 13) {
      const receipt = this.#receipts.at(-1)
      const statement = receipt?.statement.map((byte, i) => (i === 20 ? byte ^ 1 : byte))
      await this.#told(() => vault.renewReceipt({ ...receipt, statement } as ErasureReceipt))
    } else {
      if (which === 14) stop()
      else setTimeout(stop, 2 * this.#random())
      await this.#told(() => vault.verify(sample, { signal: controller.signal }))
    }
    sample.embedding[Symbol.dispose]()
    vector.fill(0)
  }

  /** A vector that is none, and one of another model or purpose. */
  async #oddVector(which: number, person: number): Promise<void> {
    const vector = vectorOf(this.#faces[person] as number)
    const other = { ...MODEL, id: 'other@1' }
    const subject = canaryName(person)
    const f32le = new Uint8Array(vector.buffer, 0, 4 * vector.length - 1)
    if (which === 2) vector[100] = Number.NaN
    await this.#told(async () => {
      if (which === 0) return embedding(vector.subarray(0, 100), MODEL)
      if (which === 1) return embedding({ f32le }, MODEL)
      if (which === 2) return embedding(vector, MODEL)
      const face = { embedding: embedding(vector, other), [allowUnattestedCapture]: true } as const
      return await this.#vault.enroll({ ...face, subject, basis: { ...basis(), purpose: subject } })
    })
    vector.fill(0)
  }

  async #rotate(): Promise<void> {
    const { keyring } = this.#options.world
    await this.#told(async () => {
      await keyring.promote(await keyring.add())
      for await (const result of this.#vault.rotate()) this.#options.sinks.returned(result)
    })
  }

  /** What has become of a person, whatever the call said. */
  async #look(person: number): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      try {
        const description = await this.#vault.describe(canaryName(person))
        this.#options.sinks.returned(description)
        this.#status[person] = description?.state ?? 'none'
        return
      } catch (error) {
        this.#options.sinks.thrown(error)
        await new Promise((resolve) => setTimeout(resolve, 10 * tries))
      }
    }
    throw new Error('the vault does not answer')
  }

  async #told<Result>(task: () => Promise<Result>): Promise<Result | undefined> {
    try {
      const result = await task()
      this.#options.sinks.returned(result)
      return result
    } catch (error) {
      this.#options.sinks.thrown(error)
      return undefined
    }
  }

  #probe(person: number, wrong = false): UnattestedSample & VerifyRequest {
    return {
      ...sampleOf(this.#faces[person] as number, wrong),
      subject: canaryName(person),
      // Now and then the device gives a share of another person.
      ...this.#share(this.#random() < 0.02 ? person + CANARY_PEOPLE : person),
    }
  }

  #share(person: number): { readonly holderShare?: ShareSource } {
    return this.#options.holder ? { holderShare: shareOf(person) } : {}
  }

  /** Tells which face the next call is about, before it begins. */
  #say(verb: string, subject: number, face = this.#faces[subject] as number): void {
    writeSync(this.#options.journal, `${JSON.stringify({ verb, subject, face })}\n`)
  }
}

/** The device's side: the bytes of a share follow from its number. */
function shareOf(number: number): ShareSource {
  return async () => numberedBytes(1 + number)
}
