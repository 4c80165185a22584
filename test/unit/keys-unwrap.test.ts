import { beforeAll, describe, expect, test, vi } from 'vitest'
import { toHex } from '../../src/base/bytes.ts'
import { cryptoReady } from '../../src/crypto/sodium.ts'
import { KeysError } from '../../src/keys/errors.ts'
import { createKeyring, openKeyring, ringAccess } from '../../src/keys/keyring.ts'
import { epochContext, type KeyProvider } from '../../src/keys/provider.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { bench, bringTo, failureOf, preparedOf, REALM, ringRow } from './keys-support.ts'

beforeAll(cryptoReady)

/** A promise that a test settles. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

describe('unwrapped secrets', () => {
  test('fifty callers share one unwrap', async () => {
    const { kms, keyring, where } = await bench()
    kms.before = () => new Promise((resolve) => setTimeout(resolve, 5))
    const before = kms.count('unwrap')
    const keys = await Promise.all(Array.from({ length: 50 }, () => preparedOf(keyring, 1)))
    expect(new Set(keys.map(toHex)).size).toBe(1)
    expect(kms.count('unwrap')).toBe(before + 1)
    const other = await openKeyring(where)
    const opened = kms.count('unwrap')
    await Promise.all(Array.from({ length: 50 }, () => ringAccess(other).loadRealmKeys(1)))
    expect(kms.count('unwrap')).toBe(opened)
  })

  test('one caller who gives up takes nothing from the others', async () => {
    const { kms, keyring } = await bench()
    const slow = gate()
    kms.before = () => slow.opened
    const access = ringAccess(keyring)
    const impatient = new AbortController()
    const first = access.useEpoch(1, () => 'first', { signal: impatient.signal })
    const second = access.useEpoch(1, () => 'second', { signal: new AbortController().signal })
    impatient.abort(new Error('enough'))
    expect(await failureOf(first)).toMatchObject({ message: 'enough' })
    slow.open()
    expect(await second).toBe('second')
  })

  test('when the last caller gives up the provider is told, and a late secret is wiped', async () => {
    const { kms, keyring } = await bench()
    const slow = gate()
    const late: Uint8Array[] = []
    let told: AbortSignal | undefined
    kms.before = async (_, options) => {
      told = options.signal
      await slow.opened
    }
    kms.answer = (_, value) => {
      late.push(value as Uint8Array)
      return value
    }
    const impatient = new AbortController()
    const only = ringAccess(keyring).useEpoch(1, () => undefined, { signal: impatient.signal })
    await vi.waitFor(() => expect(told).toBeDefined())
    impatient.abort(new Error('enough'))
    expect(await failureOf(only)).toMatchObject({ message: 'enough' })
    await vi.waitFor(() => expect(told?.aborted).toBe(true))
    slow.open()
    await vi.waitFor(() => expect(late).toHaveLength(1))
    await vi.waitFor(() => expect(late[0]?.every((byte) => byte === 0)).toBe(true))
    kms.before = () => undefined
    expect(await preparedOf(keyring, 1)).toHaveLength(416)
  })

  test('closing ends what is under way', async () => {
    const { kms, keyring } = await bench()
    kms.before = () => new Promise(() => undefined)
    const waiting = ringAccess(keyring).useEpoch(1, () => undefined)
    await vi.waitFor(() => expect(kms.count('unwrap')).toBe(3))
    keyring.close()
    expect(await failureOf(waiting)).toMatchObject({ code: 'ERR_KEYS_DISPOSED' })
  })

  test('an epoch disabled while its key is unwrapped stays closed', async () => {
    const { kms, keyring, where } = await bench()
    await keyring.add()
    const slow = gate()
    const other = await openKeyring(where)
    const access = ringAccess(other)
    kms.before = () => slow.opened
    const waiting = access.useEpoch(2, () => undefined)
    await keyring.disable(2)
    await other.refresh()
    slow.open()
    expect(await failureOf(waiting)).toMatchObject({ code: 'ERR_KEYS_DISABLED' })
    await keyring.enable(2)
    await other.refresh()
    expect(access.preparedEpoch(2)).toBeUndefined()
  })

  test('a disabled or retired epoch is wiped at once', async () => {
    const { keyring } = await bench()
    const access = ringAccess(keyring)
    await keyring.add()
    await keyring.add()
    for (const epoch of [1, 2, 3]) await preparedOf(keyring, epoch)
    const [first, second] = [access.preparedEpoch(1), access.preparedEpoch(2)]
    await keyring.disable(2)
    await keyring.promote(3)
    await keyring.retire(2)
    expect([first?.disposed, second?.disposed]).toEqual([true, true])
    expect(access.preparedEpoch(3)?.disposed).toBe(false)
  })

  test('what the provider gave is wiped once it is copied', async () => {
    const { kms, keyring } = await bench()
    const given: Uint8Array[] = []
    kms.answer = (_, value) => {
      given.push(value as Uint8Array)
      return value
    }
    expect(await preparedOf(keyring, 1)).toHaveLength(416)
    expect(given).toEqual([new Uint8Array(32)])
  })

  test('a failed unwrap is tried again', async () => {
    const { kms, keyring } = await bench()
    kms.before = () => Promise.reject(new Error('down'))
    const failures = await Promise.all([failureOf(preparedOf(keyring, 1)), failureOf(preparedOf(keyring, 1))])
    for (const failure of failures) expect(failure).toMatchObject({ code: 'ERR_KEYS_PROVIDER' })
    kms.before = () => undefined
    expect(await preparedOf(keyring, 1)).toHaveLength(416)
  })
})

describe('a provider that', () => {
  const outage = expect.objectContaining({ code: 'ERR_KEYS_PROVIDER', retryable: true })

  test('hangs is given up after the timeout', async () => {
    const { where, kms } = await bench()
    kms.before = () => new Promise(() => undefined)
    expect(await failureOf(openKeyring({ ...where, cache: { timeoutMs: 20 } }))).toEqual(outage)
  })

  test('hangs is left by an abort', async () => {
    const { kms, keyring, store } = await bench()
    const before = await ringRow(store)
    kms.before = () => new Promise(() => undefined)
    const signal = AbortSignal.timeout(10)
    expect(await failureOf(keyring.add({ signal }))).toMatchObject({ name: 'TimeoutError' })
    expect(await ringRow(store)).toEqual(before)
  })

  test('fails after it was given up harms nobody', async () => {
    const { kms, keyring } = await bench()
    const slow = gate()
    kms.before = async () => {
      await slow.opened
      throw new Error('too late')
    }
    const signal = AbortSignal.timeout(10)
    expect(await failureOf(keyring.renew({ signal }))).toMatchObject({ name: 'TimeoutError' })
    slow.open()
    await slow.opened
    kms.before = () => undefined
    expect(await keyring.renew()).toBe(2)
  })

  test.each([
    ['wrap', undefined],
    ['wrap', 'text'],
    ['wrap', new Uint8Array(0)],
    ['wrap', new Uint8Array(4097)],
    ['unwrap', undefined],
    ['unwrap', new Uint8Array(31)],
    ['unwrap', new Uint8Array(33)],
    ['unwrap', new Uint8Array(32).fill(1)],
    ['unwrap', Array.from({ length: 32 }, () => 0)],
  ] as const)('answers %s with %o has failed', async (call, value) => {
    const { kms, keyring, store } = await bench()
    const before = await ringRow(store)
    kms.answer = (name, right) => (name === call ? value : right)
    expect(await failureOf(keyring.add())).toEqual(outage)
    expect(await ringRow(store)).toEqual(before)
  })

  test.each([
    undefined,
    null,
    7,
    {},
    { confirmedAt: '1' },
    { confirmedAt: 0 },
    { confirmedAt: 1.5 },
    { confirmedAt: 9e15 },
  ])('confirms a destruction with %o has failed', async (value) => {
    const { kms, keyring } = await bench()
    await bringTo(keyring, 'disabled')
    kms.answer = (name, right) => (name === 'destroy' ? value : right)
    expect(await failureOf(keyring.destroy(2))).toEqual(outage)
    kms.answer = (_, right) => right
    await keyring.destroy(2)
  })

  test('throws before it awaits has failed', async () => {
    const { where } = await bench()
    const provider: KeyProvider = {
      id: 'fake-kms',
      wrap: () => Promise.reject(new Error('no')),
      unwrap: () => {
        throw new Error('at once')
      },
    }
    expect(await failureOf(openKeyring({ ...where, provider }))).toEqual(outage)
  })

  test('says itself what is wrong is believed', async () => {
    const { where, kms } = await bench()
    const error = new KeysError('ERR_KEYS_PASSPHRASE', 'wrong')
    kms.before = () => Promise.reject(error)
    expect(await failureOf(openKeyring(where))).toBe(error)
  })

  test('gets the options of the call', async () => {
    const { kms, keyring } = await bench()
    const seen: unknown[] = []
    kms.before = (_, { actor, operationId }) => {
      seen.push([actor, operationId])
    }
    await keyring.add({ actor: 'ops', operationId: 'a1' })
    expect(seen).toEqual([
      ['ops', 'a1'],
      ['ops', 'a1'],
    ])
    const where = { realm: 'other', provider: kms, store: memoryStore(), actor: 'ops', operationId: 'a2' }
    await createKeyring({ ...where, signal: new AbortController().signal })
    expect(seen.at(-1)).toEqual(['ops', 'a2'])
  })

  test('sees the context of the epoch it unwraps', async () => {
    const { kms, keyring } = await bench()
    await preparedOf(keyring, 1)
    expect(kms.calls.at(-1)).toEqual({ call: 'unwrap', context: toHex(epochContext(REALM, 1)) })
  })
})
