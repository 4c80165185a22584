/** A vault whose templates open with a quorum (SPEC §13.9). */
import { allowHighFalseMatchRate, memoryStore, openVault, revealReason, type Store, type Vault } from 'guise'
import { storedLog } from 'guise/audit'
import { dealQuorum, type QuorumShare } from 'guise/quorum'
import { describe, expect, test } from 'vitest'
import { decodeEntry } from '../../src/audit/entry.ts'
import { decodeSecretRow } from '../../src/record/secret-row.ts'
import {
  ANNA,
  bent,
  enrolled,
  other,
  outcomeOf,
  own,
  quorumVault,
  refreshed,
  SUBJECT,
  until,
} from '../support/quorum-vault.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, codeOf, MODEL, PURPOSE, point, SIGNER, sample, testVault } from '../support/vault.ts'

/** Actions and outcomes of the log, the oldest first. */
async function logged(store: Store): Promise<string[]> {
  const log = storedLog(store, 'clinic')
  const size = (await log.checkpoint())?.size ?? 0
  const entries = await Promise.all(Array.from({ length: size }, (_, i) => log.entry(i)))
  return entries.map(decodeEntry).map(({ action, outcome }) => `${action} ${outcome}`)
}

describe('QUORUM-24', () => {
  test('QUORUM-24 each call asks for itself: enroll, verify and reissue', async () => {
    const world = await enrolled()
    const { vault, asked } = world
    const counts: number[] = []
    const count = (): void => void counts.push(Math.max(...asked))
    count()
    expect(await outcomeOf(vault, own())).toBe('match')
    count()
    expect(await outcomeOf(vault, other())).toBe('nonmatch')
    count()
    await vault.reissue({ ...sample(1), ...ANNA })
    expect(await outcomeOf(vault, own())).toBe('match')
    count()
    expect(new Set(counts).size).toBe(counts.length)
    expect(await vault.describe(SUBJECT)).toMatchObject({ custody: 'quorum', generation: 2 })
    await vault.close()
    const entries = (await logged(world.store)).filter((entry) => !entry.startsWith('key-'))
    expect(entries.filter((_, i) => i % 2 === 0)).toEqual(Array(5).fill('open done'))
    expect(entries.filter((_, i) => i % 2 === 1)).toEqual([
      'enroll done',
      'verify match',
      'verify nonmatch',
      'reissue done',
      'verify match',
    ])
    await world.end()
  })

  test('QUORUM-24 the output is wiped when the call ends', async () => {
    const world = await enrolled()
    const outputs: Uint8Array[] = []
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        const answer = await world.quorum.open(question, options)
        outputs.push(answer.output)
        return answer
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    expect(await outcomeOf(vault, own())).toBe('match')
    expect(outputs).toHaveLength(1)
    expect(outputs[0]).toEqual(new Uint8Array(64))
    await vault.close()
    await world.end()
  })

  test('QUORUM-24 beside other vaults, and beside each other, calls for one subject all end', async () => {
    const world = await enrolled()
    const second = await world.open()
    const vaults = [world.vault, second]
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, i) => outcomeOf(vaults[i % 2] as Vault, own(i))),
    )
    expect(outcomes.filter((outcome) => outcome === 'match').length).toBeGreaterThan(4)
    expect(outcomes.filter((outcome) => outcome !== 'match' && outcome !== 'refused throttled')).toEqual([])
    expect(await outcomeOf(second, own())).toBe('match')
    await second.close()
    await world.end()
  })
})

describe('QUORUM-25', () => {
  test('QUORUM-25 while holders are asked others manage the subject, and the decision is made anew', async () => {
    const world = await enrolled()
    const release = world.hold()
    const before = Math.max(...world.asked)
    const pending = outcomeOf(world.vault, own())
    await until(() => Math.max(...world.asked) > before)
    await world.vault.suspend(SUBJECT)
    release()
    expect(await pending).toBe('refused suspended')
    await world.vault.resume(SUBJECT)
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.end()
  })

  test('QUORUM-25 an abort ends the call with its reason, and counts nothing', async () => {
    const world = await enrolled({ attempts: { consecutive: 1 } })
    for (let i = 0; i < 3; i++) {
      const release = world.hold()
      const before = Math.max(...world.asked)
      const controller = new AbortController()
      const pending = world.vault.verify(own(), { signal: controller.signal })
      const reason = new Error('enough')
      await until(() => Math.max(...world.asked) > before)
      controller.abort(reason)
      await expect(pending).rejects.toBe(reason)
      release()
    }
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.end()
  })

  test('QUORUM-25 a generation that is reissued meanwhile is asked for again', async () => {
    const world = await enrolled()
    let first = true
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        if (first) {
          first = false
          await world.vault.reissue({ ...sample(1), ...ANNA })
        }
        return await world.quorum.open(question, options)
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    expect(await outcomeOf(vault, own())).toBe('match')
    await vault.close()
    await world.end()
  })
})

describe('requests for one generation', () => {
  test.each([
    [1, 'match'],
    [9, 'ERR_QUORUM_UNAVAILABLE'],
  ])('QUORUM-25 overtaken %i times: %s', async (times, expected) => {
    const world = await enrolled()
    let left = times
    const quorum = bent(world.quorum, {
      open: async (question, options) => {
        // A later request is answered first.
        if (left-- > 0) expect(await outcomeOf(world.vault, own(2))).toBe('match')
        return await world.quorum.open(question, options)
      },
    })
    const vault = await world.open({ custody: { profile: 'quorum', quorum } })
    const said = await vault.verify(own()).then(
      ({ outcome }) => outcome,
      (error: unknown) => (error as { code?: string }).code,
    )
    expect(said).toBe(expected)
    expect(times - left).toBe(expected === 'match' ? 2 : 4)
    await vault.close()
    await world.end()
  })
})

describe('QUORUM-26', () => {
  test('QUORUM-26 nobody is asked for whoever cannot be compared', async () => {
    const world = await enrolled({ attempts: { consecutive: 1 } })
    const { vault, asked } = world
    const before = [...asked]
    expect(await outcomeOf(vault, { ...sample(1), subject: 'nobody' })).toBe('refused unknown-subject')
    await vault.suspend(SUBJECT)
    expect(await outcomeOf(vault, own())).toBe('refused suspended')
    expect(await codeOf(vault.reissue({ ...sample(1), ...ANNA }))).toBe('ERR_VAULT_TRANSITION')
    await vault.resume(SUBJECT)
    expect(asked).toEqual(before)
    expect(await outcomeOf(vault, other())).toBe('nonmatch')
    const after = [...asked]
    expect(await outcomeOf(vault, own())).toBe('refused throttled')
    expect(asked).toEqual(after)
    await world.end()
  })

  test('QUORUM-26 nobody is asked for a row that was altered', async () => {
    const world = await enrolled()
    const { store, asked } = world
    const [row] = await rowsOf(store, 'secrets')
    if (row === undefined) throw new Error('no wrap')
    const before = [...asked]
    // The quorum epoch is the last item of the header.
    const bytes = Uint8Array.from(row.bytes)
    const place = decodeSecretRow(bytes, { realm: world.vault.realm, ...namesOf(row.key) }).header
    const at = place.byteOffset - bytes.byteOffset + place.length - 1
    bytes[at] = (bytes[at] as number) ^ 2
    await store.commit([{ step: 'put', table: 'secrets', key: row.key, bytes, expected: row.version }])
    expect(await codeOf(world.vault.verify(own()))).toBe('ERR_SEAL_OPEN')
    expect(asked).toEqual(before)
    await world.end()
  })

  test('QUORUM-26 under quorum+holder the device is asked before the holders are', async () => {
    const world = await quorumVault({ profile: 'quorum+holder' })
    const share = async (): Promise<Uint8Array> => new Uint8Array(32).fill(4)
    await world.vault.enroll({ ...sample(1), ...ANNA, holderShare: share })
    expect(await outcomeOf(world.vault, { ...own(), holderShare: share })).toBe('match')
    const before = [...world.asked]
    const gone = (): Promise<never> => Promise.reject(new Error('lost'))
    expect(await outcomeOf(world.vault, { ...own(), holderShare: gone })).toBe('refused holder-share')
    expect(await codeOf(world.vault.verify(own()))).toBe('ERR_KEYS_MISSING')
    expect(world.asked).toEqual(before)
    const wrong = async (): Promise<Uint8Array> => new Uint8Array(32).fill(5)
    for (let i = 0; i < 7; i++) {
      expect(await outcomeOf(world.vault, { ...own(), holderShare: wrong })).toBe('refused holder-share')
    }
    expect(await outcomeOf(world.vault, { ...own(), holderShare: share })).toBe('match')
    await world.end()
  })
})

/** Record and generation, as the key of a wrap in realm `clinic` says. */
function namesOf(key: Uint8Array): { readonly record: Uint8Array; readonly generation: Uint8Array } {
  return { record: key.slice(7, 23), generation: key.slice(23) }
}

describe('QUORUM-27', () => {
  test('QUORUM-27 without enough holders it fails, retryable, naming each, and nothing is lost', async () => {
    const world = await enrolled({ timeoutMs: 2000 })
    for (let i = 0; i < 7; i++) {
      world.manners.splice(0, 2, 'gone', i === 0 ? 'hangs' : 'gone')
      const failure = await world.vault.verify(own()).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'ERR_QUORUM_UNAVAILABLE', retryable: true })
      expect(failure).toHaveProperty('faults', [
        { index: 1, fault: 'silent', code: undefined },
        { index: 2, fault: 'silent', code: undefined },
      ])
    }
    expect(await codeOf(world.vault.enroll({ ...sample(3), subject: 'user-3', basis: basis() }))).toBe(
      'ERR_QUORUM_UNAVAILABLE',
    )
    expect(await codeOf(world.vault.reissue({ ...sample(1), ...ANNA }))).toBe('ERR_QUORUM_UNAVAILABLE')
    world.manners.fill('honest')
    expect(await outcomeOf(world.vault, own())).toBe('match')
    await world.vault.enroll({ ...sample(3), subject: 'user-3', basis: basis() })
    expect(await world.vault.describe(SUBJECT)).toMatchObject({ generation: 1 })
    await world.end()
  })

  test('QUORUM-27 who lies is excluded, and named to telemetry', async () => {
    const told: string[] = []
    const telemetry = {
      count: (name: string, _: number, { holder, fault }: Readonly<Record<string, string>>) => {
        if (name === 'guise.vault.quorum_faults') told.push(`${holder} ${fault}`)
      },
      record: () => undefined,
    }
    const world = await enrolled({ telemetry })
    for (const manner of ['garbles', 'elsewhere', 'stale', 'refuses'] as const) {
      world.manners.fill('honest')
      world.manners[1] = manner
      told.length = 0
      // The others are given time to be later than the liar.
      for (let i = 0; i < 3; i++) expect(await outcomeOf(world.vault, own())).toBe('match')
      world.manners[2] = 'gone'
      expect(await codeOf(world.vault.verify(own()))).toBe('ERR_QUORUM_UNAVAILABLE')
      expect(told, manner).toContain(manner === 'refuses' ? '2 refused' : '2 lied')
      expect(told.filter((line) => line.startsWith('1'))).toEqual([])
    }
    await world.end()
  })
})

describe('QUORUM-32', () => {
  test('QUORUM-32 new templates are made under the vault’s epoch, old ones open under theirs', async () => {
    const world = await enrolled()
    const next = dealQuorum({ realm: 'clinic', epoch: 2, threshold: 2, holders: 3 })
    for (const [i, share] of next.shares.entries()) {
      await world.restart(i + 1, { shares: [world.dealt.shares[i] as QuorumShare, share] })
    }
    const both = world.quorumWith([world.dealt.key, next.key])
    expect(both.epochs).toEqual([1, 2])
    const vault = await world.open({ custody: { profile: 'quorum', quorum: both } })
    const older = await world.open({ custody: { profile: 'quorum', quorum: both, epoch: 1 } })
    const epochs = async (): Promise<(number | undefined)[]> =>
      (await rowsOf(world.store, 'secrets')).map(
        ({ key, bytes }) => decodeSecretRow(bytes, { realm: vault.realm, ...namesOf(key) }).quorumEpoch,
      )
    expect(await epochs()).toEqual([1])
    expect(await outcomeOf(vault, own())).toBe('match')
    await vault.reissue({ ...sample(1), ...ANNA })
    expect(await epochs()).toEqual([2])
    expect(await outcomeOf(older, own())).toBe('match')
    expect(await codeOf(world.vault.verify(own()))).toBe('ERR_QUORUM_EPOCH')
    await older.enroll({ ...sample(3), subject: 'user-3', basis: basis() })
    expect(new Set(await epochs())).toEqual(new Set([1, 2]))
    for (const one of [vault, older]) await one.close()
    await world.end()
  })
})

describe('QUORUM-33', () => {
  test('QUORUM-33 a quorum that does not fit keeps a vault from opening', async () => {
    const world = await quorumVault()
    const { quorum } = world
    const refused = (custody: unknown): Promise<string> => codeOf(world.open({ custody: custody as never }))
    const elsewhere = { ...bent(quorum, {}), realm: 'elsewhere' }
    const otherLog = { ...bent(quorum, {}), logKey: `${SIGNER.verifierKey}x` }
    const wrong: unknown[] = [
      { profile: 'quorum' },
      { profile: 'quorum+holder', quorum: null },
      { profile: 'quorum', quorum: { ...bent(quorum, {}), open: 5 } },
      { profile: 'quorum', quorum: elsewhere },
      { profile: 'quorum', quorum: otherLog },
      { profile: 'quorum', quorum: { ...bent(quorum, {}), epochs: [] } },
      { profile: 'quorum', quorum, epoch: 2 },
      { profile: 'quorum', quorum, epoch: 0 },
      { profile: 'operator', quorum },
      { profile: 'holder', epoch: 1 },
      { profile: 'quorum-holder', quorum },
    ]
    for (const custody of wrong) expect(await refused(custody)).toBe('ERR_VAULT_CONFIGURATION')
    expect(await refused({ profile: 'quorum', quorum, epoch: 1 })).toBe('resolved')
    await world.end()
  })

  test('QUORUM-33 a vault that leaves the log to others takes any quorum of its realm', async () => {
    const world = await enrolled()
    const { logElsewhere } = await import('guise')
    const { keyring, store, quorum } = world
    const vault = await openVault({
      keyring,
      store,
      model: MODEL,
      purpose: PURPOSE,
      operatingPoints: [point()],
      custody: { profile: 'quorum', quorum },
      [logElsewhere]: true,
      [revealReason]: true,
      [allowHighFalseMatchRate]: true,
    })
    expect(await outcomeOf(vault, own())).toBe('match')
    await vault.close()
    await world.end()
  })
})

describe('QUORUM-34', () => {
  test('QUORUM-34 any two holders do, and a refresh changes no answer', async () => {
    const world = await enrolled()
    let { shares } = world.dealt
    let { vault } = world
    for (let round = 0; round < 2; round++) {
      for (const gone of [0, 1, 2]) {
        world.manners.fill('honest')
        world.manners[gone] = round === 1 ? 'garbles' : 'gone'
        expect(await outcomeOf(vault, own())).toBe('match')
      }
      world.manners.fill('honest')
      const next = refreshed(shares)
      // Old and new shares are served side by side until whoever asks has pinned the new key.
      for (const [i, share] of next.entries()) {
        await world.restart(i + 1, { shares: [shares[i] as QuorumShare, share] })
        expect(await outcomeOf(vault, own())).toBe('match')
      }
      const quorum = world.quorumWith([(next[0] as QuorumShare).key])
      vault = await world.open({ custody: { profile: 'quorum', quorum } })
      for (const [i, share] of next.entries()) {
        expect(await outcomeOf(vault, own())).toBe('match')
        await world.restart(i + 1, { shares: [share] })
      }
      shares = next
      expect(await outcomeOf(vault, other())).toBe('nonmatch')
    }
    await vault.close()
    await world.end()
  })
})

test('a vault of custody operator has nothing to do with it', async () => {
  const { vault, store } = await testVault({ store: memoryStore() })
  await vault.enroll({ ...sample(1), ...ANNA })
  expect(await outcomeOf(vault, own())).toBe('match')
  await vault.close()
  expect((await logged(store)).filter((entry) => entry.startsWith('open'))).toEqual([])
})
