/** Custody of the holder: devices that are slow, gone, wrong or silent (SPEC §4.3, §11.7). @module */
import type { ShareSource, Vault } from 'guise'
import { holderShare } from 'guise/holder'
import { describe, expect, test } from 'vitest'
import { dump, rowsOf, typedCode } from '../support/rows.ts'
import { basis, sample, testVault } from '../support/vault.ts'

const ANNA = { subject: 'anna', basis: basis() }
const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
const deviceOf =
  (seed: number): ShareSource =>
  async (context) =>
    holderShare(secretOf(seed), context)

async function enrolled(): Promise<Awaited<ReturnType<typeof testVault>>> {
  const made = await testVault({ custody: { profile: 'holder' } })
  await made.vault.enroll({ ...ANNA, holderShare: deviceOf(1), ...sample(1) })
  return made
}

const NO_SHARE = { outcome: 'refused', reason: 'holder-share' }

function ask(vault: Vault, source: ShareSource | undefined, signal?: AbortSignal): Promise<unknown> {
  const request = {
    subject: 'anna',
    ...sample(1, 1),
    ...(source === undefined ? {} : { holderShare: source }),
  }
  return vault.verify(request, signal === undefined ? {} : { signal })
}

test('the person with the device matches, and nobody without', async () => {
  const { vault, store } = await enrolled()
  expect(await ask(vault, deviceOf(1))).toMatchObject({ outcome: 'match' })
  const before = await dump(store)
  expect(await typedCode(ask(vault, undefined))).toBe('ERR_KEYS_MISSING')
  expect(await ask(vault, deviceOf(2))).toEqual(NO_SHARE)
  expect(await ask(vault, () => Promise.reject(new Error('offline')))).toEqual(NO_SHARE)
  for (const length of [0, 31, 33]) {
    expect(await ask(vault, async () => new Uint8Array(length))).toEqual(NO_SHARE)
  }
  expect(await ask(vault, (() => 'share') as never)).toEqual(NO_SHARE)
  expect(await dump(store)).toEqual(before)
})

test('a missing share says nothing of the subject', async () => {
  const { vault } = await enrolled()
  const unknown = vault.verify({ subject: 'nobody', ...sample(1, 1) })
  expect(await typedCode(unknown)).toBe(await typedCode(ask(vault, undefined)))
})

test('the share that was given is wiped, and bound to one generation', async () => {
  const { vault } = await enrolled()
  const given: Uint8Array[] = []
  const contexts: string[] = []
  const source: ShareSource = async (context) => {
    contexts.push(`${context.realm} ${context.record} ${context.generation[3]}`)
    const share = holderShare(secretOf(1), context)
    given.push(share)
    return share
  }
  await ask(vault, source)
  await vault.reissue({ ...ANNA, holderShare: source, ...sample(1, 1) })
  expect(await ask(vault, source)).toMatchObject({ outcome: 'match' })
  expect(given).toHaveLength(3)
  expect(given.every((share) => share.every((byte) => byte === 0))).toBe(true)
  expect(contexts.map((context) => context.at(-1))).toEqual(['1', '2', '2'])
})

describe('a slow device', () => {
  test('keeps nobody from revoking, and then opens nothing', async () => {
    const { vault } = await enrolled()
    let answer: (share: Uint8Array) => void = () => undefined
    const asked = new Promise<Parameters<ShareSource>[0]>((resolve) => {
      const source: ShareSource = (context) => {
        resolve(context)
        return new Promise((give) => {
          answer = give
        })
      }
      void ask(vault, source).then((decision) => decided.push(decision))
    })
    const decided: unknown[] = []
    const context = await asked
    await vault.revoke('anna', 'lost-device')
    answer(holderShare(secretOf(1), context))
    await expect.poll(() => decided).toEqual([{ outcome: 'refused', reason: 'revoked' }])
  })

  test('that changes its generation meanwhile is asked again', async () => {
    const { vault, open } = await enrolled()
    const other = await open()
    let renewed = 0
    const source: ShareSource = async (context) => {
      if (renewed++ < 2) await other.reissue({ ...ANNA, holderShare: deviceOf(1), ...sample(1) })
      return holderShare(secretOf(1), context)
    }
    expect(await ask(vault, source)).toMatchObject({ outcome: 'match' })
    expect(renewed).toBe(3)
    const endless: ShareSource = async (context) => {
      await other.reissue({ ...ANNA, holderShare: deviceOf(1), ...sample(1) })
      return holderShare(secretOf(1), context)
    }
    expect(await ask(vault, endless)).toEqual(NO_SHARE)
  })

  test('is given up with the call, and its late share is wiped', async () => {
    const { vault } = await enrolled()
    const controller = new AbortController()
    const late = new Uint8Array(32).fill(9)
    let answer: (share: Uint8Array) => void = () => undefined
    const source: ShareSource = () =>
      new Promise((give) => {
        answer = give
        controller.abort(new Error('too slow'))
      })
    await expect(ask(vault, source, controller.signal)).rejects.toThrow('too slow')
    answer(late)
    await expect.poll(() => late.every((byte) => byte === 0)).toBe(true)
    const refusing: ShareSource = () => Promise.reject(new Error('offline'))
    await expect(ask(vault, refusing, AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  })
})

test('every device lost: a reissue with a new one, and the old share opens nothing', async () => {
  const { vault, store } = await enrolled()
  await vault.revoke('anna', 'lost-device')
  await vault.reissue({ ...ANNA, holderShare: deviceOf(5), ...sample(1, 2) })
  expect(await ask(vault, deviceOf(1))).toEqual(NO_SHARE)
  expect(await ask(vault, deviceOf(5))).toMatchObject({ outcome: 'match' })
  expect(await rowsOf(store, 'secrets')).toHaveLength(1)
  expect((await vault.describe('anna'))?.devices).toHaveLength(1)
})

test('a vault of the operator takes no share, and knows no devices', async () => {
  const { vault } = await testVault()
  await vault.enroll({ ...ANNA, ...sample(1) })
  expect(await typedCode(ask(vault, deviceOf(1)))).toBe('ERR_VAULT_INPUT')
  expect(await typedCode(vault.addDevice({} as never))).toBe('ERR_VAULT_CUSTODY')
  expect(await typedCode(vault.removeDevice({} as never))).toBe('ERR_VAULT_CUSTODY')
})
