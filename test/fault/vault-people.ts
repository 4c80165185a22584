/** What a person's record must be after a row of verbs: the model that recovery is held against. @module */

import type { Vault } from '../../src/vault/vault.ts'
import { basis, sampleOf } from './vault-world.ts'

/** One person as the vault must know them. */
export interface Person {
  /** Verbs carried out so far. */
  readonly step: number
  readonly status: 'none' | 'active' | 'suspended' | 'revoked'
  /** The face that the template is of. */
  readonly face: number
  readonly generation: number
  /** Version of the state row. */
  readonly version: number
  readonly exposed: boolean
  readonly run: number
  readonly failures: number
}

export type Verb =
  | 'enroll'
  | 'match'
  | 'nonmatch'
  | 'suspend'
  | 'resume'
  | 'revoke'
  | 'breach'
  | 'reissue'
  | 'rebind'
  | 'erase'

export const NOBODY: Person = {
  step: 0,
  status: 'none',
  face: 0,
  generation: 0,
  version: 0,
  exposed: false,
  run: 0,
  failures: 0,
}

const CONSECUTIVE = 5
const FACES_EACH = 1_000_000

/** Verbs that are legal now, in proportion: a verb that stands here twice is chosen twice as often. */
export function choices({ status, run }: Person): readonly Verb[] {
  if (status === 'none') return ['enroll']
  if (status === 'revoked') return ['reissue', 'reissue', 'reissue', 'erase']
  if (status === 'suspended') return ['resume', 'resume', 'resume', 'rebind', 'revoke', 'erase']
  const verbs: Verb[] = ['suspend', 'revoke', 'breach', 'reissue', 'reissue']
  if (run > 0) verbs.push('rebind')
  if (run < CONSECUTIVE) verbs.push('match', 'match', 'nonmatch', 'nonmatch', 'nonmatch', 'nonmatch')
  return verbs
}

/** The person after a verb. */
export function after(subject: number, person: Person, verb: Verb): Person {
  const next = { ...person, step: person.step + 1 }
  const changed = { ...next, version: person.version + 1 }
  const face = subject * FACES_EACH + next.step
  const outcomes: Readonly<Record<Verb, Person>> = {
    enroll: { ...NOBODY, step: next.step, status: 'active', face, generation: 1, version: 1 },
    match: { ...next, run: 0 },
    nonmatch: { ...next, run: person.run + 1, failures: person.failures + 1 },
    suspend: { ...changed, status: 'suspended' },
    resume: { ...changed, status: 'active' },
    revoke: { ...changed, status: 'revoked' },
    breach: { ...changed, status: 'revoked', exposed: true },
    reissue: {
      ...changed,
      status: 'active',
      face,
      generation: person.generation + 1,
      run: 0,
      failures: 0,
    },
    rebind: { ...changed, run: 0 },
    erase: { ...NOBODY, step: next.step },
  }
  return outcomes[verb]
}

/** Carries a verb out. Throws when the vault answers something else than the model says. */
export async function perform(vault: Vault, subject: number, person: Person, verb: Verb): Promise<void> {
  const name = subjectName(subject)
  const { face } = after(subject, person, verb)
  if (verb === 'enroll') await vault.enroll({ ...sampleOf(face), subject: name, basis: basis() })
  else if (verb === 'reissue') await vault.reissue({ ...sampleOf(face), subject: name, basis: basis() })
  else if (verb === 'match' || verb === 'nonmatch') {
    const { outcome } = await vault.verify({ ...sampleOf(person.face, verb === 'nonmatch'), subject: name })
    if (outcome !== verb) throw new Error(`${name} step ${person.step}: ${outcome} instead of ${verb}`)
  } else if (verb === 'revoke') await vault.revoke(name, 'lost-device')
  else if (verb === 'breach') await vault.revoke(name, 'breach')
  else if (verb === 'erase') await vault.erase(name)
  else await vault[verb](name)
}

export function subjectName(subject: number): string {
  return `person-${subject}`
}

/** One line that says who is now what. */
export function tokenOf(subject: number, person: Person): string {
  return `person/${subject}/${JSON.stringify(person)}`
}

export function fromToken(token: string): readonly [subject: number, person: Person] {
  const [, subject = '', ...json] = token.split('/')
  return [Number(subject), JSON.parse(json.join('/')) as Person]
}
