/** Breach reports: who is affected by what, what the report holds, and marking (SPEC §11.12). @module */
import { memoryStore, type SubjectId } from 'guise'
import {
  type BreachReport,
  breachMarkdown,
  breachReport,
  markBreach,
  rotateCampaign,
  type StolenSet,
} from 'guise/node'
import { describe, expect, test } from 'vitest'
import { toBase64Url, toHex } from '../../src/base/bytes.ts'
import { ringAccess } from '../../src/keys/keyring.ts'
import { enrollPeople, galleryVault } from '../support/gallery.ts'
import { hookedStore, overwrite, remove, rowsOf, typedCode } from '../support/rows.ts'
import { basis, face, manualClock, SIGNER, sample, type TestVault, testVault } from '../support/vault.ts'
import { ask, entriesOf } from '../support/vault-log.ts'

const HOUR = 3_600_000
const EVERYTHING: StolenSet = { rows: true, secrets: true, keyring: true }

interface Realm extends TestVault {
  readonly clock: ReturnType<typeof manualClock>
  subject(name: string): Promise<SubjectId>
  report(stolen: StolenSet, span?: { since?: number; until?: number }): Promise<BreachReport>
}

async function realm(names: readonly string[]): Promise<Realm> {
  const clock = manualClock()
  const world = await testVault({ clock })
  for (const [person, subject] of names.entries()) await enrol(world, subject, person)
  return {
    ...world,
    clock,
    subject: async (name) => {
      const found = await world.vault.describe(name)
      if (found === undefined) throw new Error(`nobody is ${name}`)
      return found.subject
    },
    report: (stolen, span = {}) =>
      breachReport({ keyring: world.keyring, store: world.store, stolen, now: () => clock.nowMs(), ...span }),
  }
}

async function enrol({ vault }: Pick<TestVault, 'vault'>, subject: string, person: number): Promise<void> {
  await vault.enroll({ subject, basis: basis(), ...sample(person) })
}

const exposures = (report: BreachReport): readonly string[] =>
  report.affected.map(({ generation, epochs, exposure, missing }) =>
    [`${generation}@${epochs.join('+')}`, exposure, ...missing].join(' '),
  )

describe('VAULT-50 exposure under custody operator', () => {
  test.each<[string, StolenSet, string]>([
    ['everything', EVERYTHING, '1@1 template'],
    ['rows', { rows: true }, '1@1 metadata wrap epoch-key realm-keys'],
    ['wraps', { secrets: true }, '1@1 metadata code epoch-key realm-keys'],
    ['rows and wraps', { rows: true, secrets: true }, '1@1 sealed epoch-key realm-keys'],
    ['rows, wraps, epoch keys', { rows: true, secrets: true, epochs: [1, 9] }, '1@1 sealed realm-keys'],
    ['another epoch', { ...EVERYTHING, epochs: [2, 3] }, '1@1 sealed epoch-key'],
    ['its epoch', { ...EVERYTHING, epochs: [1, 1] }, '1@1 template'],
    ['rows and the keyring', { rows: true, keyring: true }, '1@1 metadata wrap'],
  ])('%s', async (_, stolen, expected) => {
    const world = await realm(['anna'])
    const report = await world.report(stolen)
    expect(exposures(report)).toEqual([expected])
    expect(report).toMatchObject({ sound: true, unreadable: 0 })
    await world.vault.close()
  })

  test('keys alone, or nothing, concern nobody', async () => {
    const world = await realm(['anna', 'bert'])
    for (const stolen of [{ keyring: true, shares: 'all', quorum: true }, {}] satisfies StolenSet[]) {
      const report = await world.report(stolen)
      expect(report.affected).toEqual([])
      expect(report.subjects).toEqual({ template: 0, sealed: 0, metadata: 0, none: 2 })
    }
    await world.vault.close()
  })
})

test('VAULT-50 under custody holder a template opens with the share of its person only', async () => {
  const { keyring, store, vault } = await testVault({ custody: { profile: 'holder' } })
  const share = (byte: number) => async (): Promise<Uint8Array> => new Uint8Array(32).fill(byte)
  for (const [person, subject] of ['anna', 'bert'].entries()) {
    await vault.enroll({ subject, basis: basis(), ...sample(person), holderShare: share(person + 1) })
  }
  const { subject: anna } = (await vault.describe('anna')) as { subject: SubjectId }
  const made = await breachReport({ keyring, store, stolen: { ...EVERYTHING, shares: [anna] } })
  expect(new Set(exposures(made))).toEqual(new Set(['1@1 template', '1@1 sealed holder-share']))
  expect(made.affected[0]).toMatchObject({ subject: anna, custody: 'holder', exposure: 'template' })
  expect(exposures(await breachReport({ keyring, store, stolen: { ...EVERYTHING, shares: 'all' } }))).toEqual(
    ['1@1 template', '1@1 template'],
  )
  await vault.close()
})

test('VAULT-50 generations and epochs are those of the time in question', async () => {
  const world = await realm(['anna', 'bert'])
  const { vault, keyring, store, clock } = world
  const start = clock.nowMs()
  const at = (hours: number): number => start + hours * HOUR
  clock.advance(HOUR)
  await vault.reissue({ subject: 'anna', basis: basis(), ...sample(0, 2) })
  clock.advance(HOUR)
  const bert = await world.subject('bert')
  await vault.revoke('bert', 'other')
  clock.advance(HOUR)
  await enrol(world, 'cleo', 7)
  const anna = await world.subject('anna')
  const of = (report: BreachReport): readonly string[] =>
    report.affected
      .map(({ subject, generation }) => {
        const name = subject === anna ? 'anna' : subject === bert ? 'bert' : 'cleo'
        return `${name} ${generation}`
      })
      .toSorted()
  const within = async (since: number, until: number): Promise<readonly string[]> =>
    of(await world.report(EVERYTHING, { since, until }))
  expect(await within(0, at(0.5))).toEqual(['anna 1', 'bert 1'])
  expect(await within(at(1.5), at(1.7))).toEqual(['anna 2', 'bert 1'])
  expect(await within(at(2.5), at(2.7))).toEqual(['anna 2'])
  expect(await within(at(0.5), at(9))).toEqual(['anna 1', 'anna 2', 'bert 1', 'cleo 1'])
  const whole = await world.report(EVERYTHING)
  expect(whole.subjects.template).toBe(3)
  expect(whole.templates.template).toBe(4)
  expect(whole.affected.filter(({ present }) => present)).toHaveLength(2)
  // Rotation writes with the clock of the machine, on which this test began.
  await keyring.promote(await keyring.add())
  await rotateCampaign({ keyring, store })
  const later = await world.report({ ...EVERYTHING, epochs: [2, 2] })
  expect(
    later.affected.filter(({ exposure }) => exposure === 'template').map(({ epochs }) => epochs),
  ).toContainEqual([1, 2])
  await vault.close()
})

test('VAULT-50 a stolen process concerns whoever it compared, in every profile, and the members of a gallery', async () => {
  const world = await realm(['anna', 'bert'])
  const anna = await world.subject('anna')
  const before = world.clock.nowMs()
  world.clock.advance(HOUR)
  expect(await ask(world.vault, 'anna', 0)).toBe('match')
  const stolen: StolenSet = { memory: true }
  const report = await world.report(stolen)
  expect(report.affected.map(({ subject, exposure }) => [subject, exposure])).toEqual([[anna, 'template']])
  expect((await world.report(stolen, { until: before })).affected).toEqual([])
  await world.vault.close()
  const gallery = await galleryVault()
  await enrollPeople(gallery.vault, [1, 2, 3])
  const { keyring, store } = gallery
  expect((await breachReport({ keyring, store, stolen })).subjects.template).toBe(3)
  await gallery.vault.close()
})

test('VAULT-50 erased people are named by handle; what cannot be read, or a log that does not hold, is said', async () => {
  const world = await realm(['anna', 'bert', 'cleo'])
  const { vault, store, keyring } = world
  const bert = await world.subject('bert')
  await vault.erase('bert')
  const report = await world.report(EVERYTHING)
  expect(report.affected.find(({ subject }) => subject === bert)).toMatchObject({
    state: 'erased',
    present: false,
    exposure: 'template',
  })
  await vault.close()
  const rows = await rowsOf(store, 'states')
  const key = rows[0]?.key as Uint8Array
  await overwrite(store, 'states', key, new Uint8Array(4))
  expect(await world.report(EVERYTHING)).toMatchObject({ sound: false, unreadable: 1 })
  expect(breachMarkdown(await world.report(EVERYTHING))).toContain('Somebody may be missing')
  await overwrite(store, 'states', key, rows[0]?.bytes as Uint8Array)
  const pages = (await rowsOf(store, 'log')).filter((row) => row.key.at(-9) === 2)
  const page = Uint8Array.from(pages[0]?.bytes as Uint8Array)
  // A byte of a writer's name: the entry still decodes.
  page[40] = (page[40] as number) ^ 1
  await overwrite(store, 'log', pages[0]?.key as Uint8Array, page)
  expect(await breachReport({ keyring, store, stolen: EVERYTHING })).toMatchObject({
    sound: false,
    unreadable: 0,
  })
})

test('VAULT-50 a record of which the log does not tell was there always, under every epoch that its row names', async () => {
  const world = await realm(['anna', 'bert'])
  const { vault, store, keyring } = world
  await vault.revoke('bert', 'other')
  await vault.close()
  for (const table of ['log', 'queue'] as const) {
    for (const { key } of await rowsOf(store, table)) await remove(store, table, key)
  }
  const report = await breachReport({ keyring, store, stolen: EVERYTHING, until: 5 })
  expect(exposures(report)).toEqual(['1@1 template', '1@1 template'])
  const states = report.affected.map(({ state, present }) => `${state} ${present}`)
  expect(states.toSorted()).toEqual(['active true', 'revoked false'])
})

test('VAULT-51 neither form holds a vector, a code, a score, a key, or an external identifier', async () => {
  const names = ['anna.canary@example.org', 'bert.canary@example.org']
  const world = await realm(names)
  const { keyring, store, vault } = world
  await vault.verify({ subject: names[0] as string, ...sample(0, 1) })
  const report = await world.report({ ...EVERYTHING, memory: true, shares: 'all', quorum: true })
  const forms = [JSON.stringify(report), breachMarkdown(report)]
  const keys = await ringAccess(keyring).loadRealmKeys(1)
  const secrets = [keys.index, keys.custody, keys.state, keys.limiter, keys.ring, keys.receipt, keys.log]
  const wraps = (await rowsOf(store, 'secrets')).map(({ bytes }) => bytes.slice(-104))
  const codes = (await rowsOf(store, 'references')).map(({ bytes }) => bytes.slice(-32))
  for (const form of forms) {
    expect(form).not.toContain('canary')
    expect(form).not.toMatch(/score|similarity|vector/)
    for (const bytes of [...secrets, ...wraps, ...codes]) {
      expect(form).not.toContain(toHex(bytes).slice(0, 24))
      expect(form).not.toContain(toBase64Url(bytes).slice(0, 16))
    }
    for (const value of face(0)) expect(form).not.toContain(String(value))
    // The control: what is to be there is found in the same way.
    expect(form).toContain(report.affected[0]?.subject)
  }
  await vault.close()
})

test('the Markdown lists a thousand and says how many more there are', async () => {
  const world = await realm(['anna'])
  const report = await world.report({
    rows: true,
    secrets: true,
    keyring: true,
    epochs: [1, 2],
    shares: ['x'],
    quorum: true,
  })
  const [one] = report.affected
  if (one === undefined) throw new Error('nobody')
  const many = { ...report, affected: Array.from({ length: 1001 }, () => one) }
  const text = breachMarkdown(many)
  expect(text).toContain('And 1 more')
  expect(text).toContain('keys of epochs 1 to 2')
  expect(text).toContain('shares of 1 holders')
  expect(breachMarkdown(await world.report({}))).toContain('Taken: nothing')
  expect(breachMarkdown(await world.report({ memory: true, shares: 'all', keyring: true }))).toContain(
    'all epoch keys',
  )
  await world.vault.close()
})

test('what makes no sense is refused', async () => {
  const { keyring, store, vault } = await testVault()
  for (const bad of [
    { stolen: { epochs: [0, 1] } },
    { stolen: { epochs: [3, 2] } },
    { stolen: { shares: 'some' } },
    { stolen: {}, since: 5, until: 4 },
    { stolen: {}, until: -1 },
  ]) {
    expect(await typedCode(breachReport({ keyring, store, ...(bad as { stolen: StolenSet }) }))).toBe(
      'ERR_VAULT_INPUT',
    )
  }
  const report = { affected: [{ subject: 'no handle', exposure: 'template' }] } as never
  expect(await typedCode(markBreach({ keyring, store, report }))).toBe('ERR_VAULT_INPUT')
  expect(await typedCode(markBreach({ keyring, store: memoryStore(), report }))).toBe(
    'ERR_VAULT_CONFIGURATION',
  )
  await vault.close()
})

describe('marking', () => {
  test('VAULT-52 revokes for breach whoever the report names, and nobody else; the mark outlives a reissue', async () => {
    const world = await realm(['anna', 'bert', 'held', 'gone', 'late'])
    const { vault, keyring, store, clock } = world
    await vault.hold('held')
    await vault.erase('gone')
    const late = await world.subject('late')
    const made = await world.report(EVERYTHING)
    const report = { affected: made.affected.filter(({ subject }) => subject !== late) }
    const dry = await markBreach({ keyring, store, report, dryRun: true, perSecond: 1 })
    expect(dry).toMatchObject({ campaign: 'breach', atLeastMs: 3000, before: { total: 4, left: 3 } })
    expect(await markBreach({ keyring, store, report, dryRun: true })).toMatchObject({ atLeastMs: undefined })
    const marked = await markBreach({ keyring, store, report, actor: 'dpo', logSigner: SIGNER })
    expect(marked).toMatchObject({ complete: true, changed: 3, after: { places: { marked: 3, erased: 1 } } })
    expect(await ask(vault, 'anna', 0)).toBe('revoked')
    expect(await vault.describe('held')).toMatchObject({ state: 'held', exposed: true })
    expect(await vault.describe('late')).toMatchObject({ state: 'active', exposed: false })
    clock.advance(1000)
    await vault.reissue({ subject: 'anna', basis: basis(), ...sample(0, 3) })
    expect(await vault.verify({ subject: 'anna', ...sample(0, 1) })).toMatchObject({
      outcome: 'match',
      exposed: true,
    })
    const told = (await entriesOf(store)).filter(({ actor }) => actor === 'dpo')
    expect(told.map(({ action, policy }) => policy ?? action)).toEqual([
      'breach.begin',
      'revoke',
      'revoke',
      'revoke',
      'breach.end',
    ])
    // Those who are marked are passed over.
    expect(await markBreach({ keyring, store, report })).toMatchObject({ complete: true, changed: 0 })
    await vault.close()
  })

  test('VAULT-52 goes on where it was stopped, over two stores too', async () => {
    for (let stop = 1; stop < 4; stop++) {
      const secrets = hookedStore(memoryStore())
      const { vault, keyring, store } = await testVault({ secrets })
      for (let person = 0; person < 4; person++) await enrol({ vault }, `person-${person}`, person)
      const report = await breachReport({ keyring, store, secrets, stolen: EVERYTHING })
      const abort = new AbortController()
      const onProgress = ({ done }: { done: number }): void => {
        if (done === stop) abort.abort(new Error('killed'))
      }
      const call = { keyring, store, secrets, report }
      await markBreach({ ...call, width: 1, signal: abort.signal, onProgress }).catch(() => undefined)
      expect(await markBreach(call)).toMatchObject({ complete: true, after: { left: 0 } })
      expect(await rowsOf(secrets, 'secrets')).toEqual([])
      await vault.close()
    }
  })

  test('whose row cannot be read is a straggler', async () => {
    const world = await realm(['anna', 'bert'])
    const { keyring, store, vault } = world
    const report = await world.report(EVERYTHING)
    const [row] = await rowsOf(store, 'states')
    await overwrite(store, 'states', row?.key as Uint8Array, new Uint8Array(5))
    const marked = await markBreach({ keyring, store, report })
    expect(marked).toMatchObject({ complete: false, changed: 1, failed: 1 })
    expect(marked.stragglers).toMatchObject([{ kind: 'subject', code: 'ERR_RECORD_FORMAT' }])
    await vault.close()
  })
})
