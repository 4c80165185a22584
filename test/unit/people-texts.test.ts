/** Words of the export for every case, and rows of reached numbers that are not what they should be. @module */
import type { Realm } from 'guise'
import { type SubjectExport, subjectMarkdown } from 'guise/node'
import { expect, test } from 'vitest'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { authenticate } from '../../src/record/row.ts'
import { markdownTable } from '../../src/vault/markdown.ts'
import { peopleKey, readReached } from '../../src/vault/people-row.ts'

const AT = '2026-01-31T08:00:00.000Z'

const TOLD = {
  format: 'guise-subject-export/1',
  realm: 'clinic',
  at: AT,
  held: 'record',
  subject: 'AAAAAAAAAAAAAAAAAAAAAA',
  record: {
    id: 'BBBBBBBBBBBBBBBBBBBBBB',
    state: 'revoked',
    changedAt: AT,
    template: 2,
    model: 'test@1',
    bits: 128,
    custody: 'quorum+holder',
    exposed: true,
    revoked: 'lost-device',
    devices: ['CCCCCCCCCCCCCCCCCCCCCC'],
  },
  basis: {
    kind: 'vital-interest',
    purpose: 'login',
    noticeVersion: '2026-01',
    grantedAt: AT,
    expiresAt: AT,
    separateConsent: false,
    under14: true,
    evidence: 'DDDD',
    guardianEvidence: 'EEEE',
  },
  retention: null,
  gallery: null,
  templates: [{ number: 1, madeAt: AT, endedAt: AT, endedBy: 'people' }],
  comparisons: [{ at: AT, how: 'verify', outcome: 'refused', by: null, policy: null, template: null }],
  events: [
    { at: AT, what: 'people', outcome: 'failed', by: null, policy: null, basis: null, template: null },
  ],
  erasure: { unreachableAt: AT, irrecoverable: { at: AT }, statement: 'FFFF', signature: 'GGGG' },
} as unknown as SubjectExport

test('an export says each case in words', () => {
  const text = subjectMarkdown(TOLD)
  for (const words of [
    'Your face template was deleted when it was revoked.',
    '| revoked because | lost-device |',
    'a device of yours and several independent servers must take part',
    'yes: a match alone does not suffice',
    '`CCCCCCCCCCCCCCCCCCCCCC`',
    '| legal basis | a vital interest |',
    'yes, with the consent of a guardian',
    '| hash of the guardian’s consent | `EEEE` |',
    'no rule was given for this text',
    'refused, nothing was compared or told',
    `since ${AT} no copy can be read any more`,
    '| people | failed |',
  ])
    expect(text).toContain(words)
  const never = { ...TOLD, erasure: { ...TOLD.erasure, irrecoverable: 'never' } } as SubjectExport
  expect(subjectMarkdown(never)).toContain('the keys cannot be destroyed')
  expect(markdownTable(['a'], [])).toEqual([])
})

test('a row of reached numbers: none, one of another realm, one that holds no list', async () => {
  await cryptoReady()
  const realm = 'clinic' as Realm
  const key = new Uint8Array(32).fill(4)
  const ring = { load: async () => undefined, key: () => key }
  const reading = async (body: readonly unknown[] | undefined): Promise<unknown> => {
    const bytes = body === undefined ? undefined : authenticate(body as never, 'guise/v1/people', key)
    const get = async () => (bytes === undefined ? undefined : { key: peopleKey(realm), bytes, version: 'v' })
    return await readReached({ store: { get }, realm, ring })
  }
  expect(await reading(undefined)).toEqual({ reached: [], version: null })
  expect(await reading([1, 55, 'clinic', [[5, 7]], 1])).toEqual({
    reached: [{ threshold: 5, at: 7 }],
    version: 'v',
  })
  for (const wrong of [
    [1, 55, 'other', [[5, 7]], 1],
    [1, 55, 'clinic', 5, 1],
    [1, 55, 'clinic', [[5]], 1],
    [1, 55, 'clinic', [[5, 'x']], 1],
    [1, 56, 'clinic', [], 1],
  ])
    expect(await reading(wrong)).toEqual({ reached: undefined, version: 'v' })
  const broken = { get: async () => Promise.reject(new Error('the disk is gone')) }
  await expect(readReached({ store: broken, realm, ring })).rejects.toThrow('the disk is gone')
})
