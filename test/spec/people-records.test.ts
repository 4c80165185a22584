/** Requirements POLICY-58 to POLICY-60 of SPEC.md: records out of what is deployed, every value from somewhere, blanks marked. @module */
import { readFileSync } from 'node:fs'
import {
  type ProcessingRecords,
  processingRecords,
  type RecordLine,
  type RecordsOptions,
  recordMarkdown,
} from 'guise/node'
import { expect, test } from 'vitest'
import { galleryVault } from '../support/gallery.ts'
import { dump, overwrite, rowsOf } from '../support/rows.ts'
import { basis, codeOf, manualClock, point, sample, testVault } from '../support/vault.ts'

const START = Date.UTC(2026, 0, 31, 8)
const DAY = 86_400_000

async function realm() {
  const clock = manualClock(START)
  const world = await testVault({ clock })
  const dates = { grantedAt: new Date(START - DAY), expiresAt: new Date(START + 100 * DAY) }
  const enroll = (subject: string, more: object = {}): Promise<unknown> =>
    world.vault.enroll({ subject, basis: basis({ ...dates, ...more }), ...sample(1) })
  await enroll('anna')
  await enroll('ben', { noticeVersion: '2025 | <b>', kind: 'law', separateConsent: false })
  await enroll('cleo', { under14: true, guardianEvidence: new Uint8Array(32).fill(1) })
  await enroll('dora', { expiresAt: new Date(START + DAY) })
  await world.vault.revoke('cleo', 'lost-device')
  const records = (more: Partial<RecordsOptions> = {}): Promise<ProcessingRecords> =>
    processingRecords({ keyring: world.keyring, store: world.store, at: START + 2 * DAY, ...more })
  return { ...world, records }
}

const linesOf = ({ documents }: ProcessingRecords): readonly RecordLine[] =>
  documents.flatMap(({ sections }) => sections.flatMap(({ lines }) => lines))

/** `what` → value. */
function valuesOf(records: ProcessingRecords): ReadonlyMap<string, string> {
  return new Map(
    linesOf(records).flatMap((line) => ('value' in line ? [[line.what, line.value] as const] : [])),
  )
}

const SETTINGS = {
  attempts: { consecutive: 3, total: 20 },
  erasureBoundMs: 10 * DAY,
  operatingPoints: [point()],
  anchor: 'a witness of another company',
}
const POLICIES = [{ purpose: 'login', afterExpiryDays: 30, afterMatchDays: 400 }]

test('POLICY-58 the same state, options and instant give the same bytes, and nothing is written', async () => {
  const { store, keyring, records } = await realm()
  const before = await dump(store)
  const first = await records({ settings: SETTINGS, policies: POLICIES })
  const again = await records({ settings: SETTINGS, policies: POLICIES })
  expect(JSON.stringify(again)).toBe(JSON.stringify(first))
  expect(first.documents.map((one) => recordMarkdown(again, one))).toEqual(
    first.documents.map((one) => recordMarkdown(first, one)),
  )
  expect(await dump(store)).toEqual(before)
  expect(first.at).toBe('2026-02-02T08:00:00.000Z')
  expect((await processingRecords({ keyring, store })).at).not.toBe(first.at)
})

test('POLICY-59 values are those of the rows, the settings and the policies, and say so', async () => {
  const { records } = await realm()
  const made = await records({ settings: SETTINGS, policies: POLICIES })
  const values = valuesOf(made)
  expect(Object.fromEntries(values)).toMatchObject({
    realm: 'clinic',
    records: '4',
    'records by state': 'active 2, revoked 1, expired 1',
    'live persons': '3',
    'persons under 14': '1',
    'legal bases': 'consent 3, law 1',
    'consent given separately': '3 of 3',
    'notices in force': '2025 | <b>; 2026-01',
    models: 'test@1, 128 bits',
    custody: 'operator 4',
    'search among all': 'no gallery is declared: nobody can be searched for',
    'rule for login':
      'erased 400 days after the last match, or 30 days after the end of the basis, whichever comes first',
    'end of the bases for login': expect.stringMatching(/^from 2026-02-01T08.* to 2026-05-11T08/) as string,
    'copies in backups': 'unreadable 10 days after an erasure at the latest',
    anchor: 'a witness of another company',
    'failures in a row before a delay': '3',
    'failures of a template': '500',
    'records whose template opens without a device of the person': '4 of 4',
  })
  expect(values.get('operating point 1')).toContain(
    'false match rate 0.0001 (95 %: 0.00005 to 0.0002, n = 100000)',
  )
  for (const line of linesOf(made)) {
    const { what } = line
    if ('value' in line) expect([what, line.from.length > 0]).toEqual([what, true])
    else expect([what, line.blank.length > 5]).toEqual([what, true])
    if (what === 'failures in all' && 'value' in line) expect(line.from).toBe('settings.attempts.total')
    if (what === 'delay' && 'value' in line) expect(line.from).toBe('default (SPEC §12.3)')
  }
})

test('POLICY-59 what is not given is a default that says so, or a blank; the number of blanks is right', async () => {
  const { records, store } = await realm()
  const made = await records()
  const blanks = linesOf(made).filter((line) => 'blank' in line)
  expect(made.blanks).toBe(blanks.length)
  const names = blanks.map(({ what }) => what)
  for (const name of [
    'controller',
    'transfers',
    'rule for login',
    'anchor',
    'operating points',
    'figures',
    'decision',
  ])
    expect(names).toContain(name)
  expect(valuesOf(made).get('copies in backups')).toBe('unreadable 30 days after an erasure at the latest')
  const [state] = await rowsOf(store, 'states')
  await overwrite(store, 'states', state?.key as Uint8Array, new Uint8Array(70).fill(3))
  expect(valuesOf(await records()).get('rows that cannot be read')).toBe('1')
})

test('POLICY-59 an empty realm, a gallery, a provider that destroys no key', async () => {
  const { keyring, store } = await galleryVault()
  const made = await processingRecords({ keyring, store, at: START })
  const values = valuesOf(made)
  expect(values.get('purposes')).toBe('none: no record is kept')
  expect(values.get('search among all')).toBe(
    'a gallery for one-record, on the ground of consent, of at most 100000 members',
  )
  expect(values.get('one-to-many')).toBe('a gallery of at most 100000')
  const { destroy: _, ...provider } = { ...(await testVault()).provider }
  const other = await testVault({ provider })
  const kept = await processingRecords({ keyring: other.keyring, store: other.store })
  expect(valuesOf(kept).get('copies in backups')).toContain('stay readable')
})

test('POLICY-60 the Markdown has every line, blanks are marked, and what somebody chose is text', async () => {
  const { records } = await realm()
  const made = await records({ inputs: { 'policies.json': 'ab'.repeat(32) } })
  for (const document of made.documents) {
    const text = recordMarkdown(made, document)
    const lines = document.sections.flatMap((section) => section.lines)
    const blanks = lines.filter((line) => 'blank' in line).length
    expect(text.match(/\| \*\*`\[ \]`\*\* /g)).toHaveLength(blanks)
    expect(text).toContain(`${blanks} of ${lines.length} lines are blanks`)
    expect(text).toContain('policies.json | `abab')
    expect([...text.matchAll(/^## \d+\. /gm)]).toHaveLength(document.sections.length)
    // One heading of the first level, and tables whose lines have three cells; the file table has two.
    expect([...text.matchAll(/^# /gm)]).toHaveLength(1)
    for (const line of text.split('\n').filter((one) => one.startsWith('|')))
      expect([4, 5]).toContain(line.replaceAll(/\\./g, '').split('|').length)
  }
  const [processing] = made.documents
  expect(processing && recordMarkdown(made, processing)).toContain('2025 \\| \\<b\\>; 2026-01')
})

test('POLICY-60 nothing claims that a duty is fulfilled, and every duty that is named stands in SPEC §18.1', async () => {
  const { records } = await realm()
  const made = await records({ settings: SETTINGS, policies: POLICIES })
  const spec = readFileSync('SPEC.md', 'utf8')
  const [, table = ''] = /### 18\.1 Duties\n([\s\S]*?)\n## 19\. /.exec(spec) ?? []
  const listed = new Set([...table.matchAll(/^\| ([^|]+?) \|/gm)].map(([, duty]) => duty))
  for (const { sections } of made.documents) {
    for (const { serves } of sections) for (const duty of serves) expect([...listed]).toContain(duty)
  }
  const texts = made.documents.map((one) => recordMarkdown(made, one))
  for (const text of [...texts, JSON.stringify(made), table]) {
    expect(text).not.toMatch(/\b(?:compliant|complies|compliance|conforms|certified|satisfies|guarantees)\b/i)
  }
})

test.each([
  [{ at: -1 }, 'ERR_VAULT_INPUT'],
  [{ settings: { attempts: { total: 1 } } }, 'ERR_POLICY_ATTEMPTS'],
  [{ settings: { erasureBoundMs: 0 } }, 'ERR_VAULT_INPUT'],
  [{ settings: { operatingPoints: [{}] } }, 'ERR_POLICY_OPERATING_POINT'],
  [{ settings: { anchor: '' } }, 'ERR_VAULT_INPUT'],
  [{ settings: { atempts: {} } }, 'ERR_VAULT_INPUT'],
  [{ policies: [{ purpose: 'login' }] }, 'ERR_POLICY_RETENTION'],
  [{ evaluation: { format: 'another' } }, 'ERR_VAULT_INPUT'],
])('POLICY-58 refused: %j', async (more, code) => {
  const { records } = await realm()
  expect(await codeOf(records(more as Partial<RecordsOptions>))).toBe(code)
})

test('POLICY-59 two purposes in the order of their names, an erased record, another realm and another store beside', async () => {
  const { vault, open, store, keyring, records, provider } = await realm()
  const door = await open({ purpose: 'access' })
  await door.enroll({ subject: 'emil', basis: basis({ purpose: 'access' }), ...sample(5) })
  await vault.erase('dora', { operationId: 'leaves a receipt beside the records' })
  const other = await testVault({ store, realm: 'xenon', provider })
  await other.vault.enroll({ subject: 'anna', basis: basis(), ...sample(1) })
  const titles = (await records()).documents[0]?.sections.map(({ title }) => title)
  expect(titles?.slice(1, 3)).toEqual(['Purpose access', 'Purpose login'])
  expect(valuesOf(await records()).get('records by state')).toBe('active 3, revoked 1, erased 1')
  const elsewhere = (await testVault()).store
  expect(await codeOf(processingRecords({ keyring, store: elsewhere }))).toBe('ERR_VAULT_CONFIGURATION')
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(records({ signal })).rejects.toThrow('enough')
})
