/** The lock of the file anchor: whose lock is removed, and whose is waited for. @module */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { withFileLock } from '../../src/audit/file-anchor-lock.ts'
import { systemClock } from '../../src/base/clock.ts'
import { codeOf } from '../support/audit.ts'

/** Whether the kernel of this machine tells of processes. */
let tells = true
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  const guarded =
    <Args extends readonly unknown[], Result>(call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      if (!tells && String(args[0]).startsWith('/proc')) throw new Error('not here')
      return call(...args)
    }
  return {
    ...real,
    readFileSync: guarded(real.readFileSync as (...args: readonly unknown[]) => unknown),
    readlinkSync: guarded(real.readlinkSync as (...args: readonly unknown[]) => unknown),
  }
})

const folder = mkdtempSync(join(tmpdir(), 'guise-lock-'))
let count = 0
const newPath = (): string => join(folder, `lock-${count++}`)
afterEach(() => {
  tells = true
  vi.restoreAllMocks()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const NOBODY = 4_194_305 // above the largest number of a process

/** What this process writes into its lock: number, start, number space, boot. */
async function ownName(): Promise<readonly string[]> {
  const path = newPath()
  let text = ''
  await withFileLock(path, undefined, () => {
    text = readFileSync(path, 'utf8')
  })
  expect(existsSync(path)).toBe(false)
  return text.split(' ')
}

/** True when a lock with this content is taken over, false when it is waited for. */
async function isTaken(content: string): Promise<boolean> {
  const path = newPath()
  writeFileSync(path, content)
  let ran = false
  const signal = AbortSignal.timeout(30)
  await withFileLock(path, signal, () => {
    ran = true
  }).catch((error: unknown) => expect(error).toBe(signal.reason))
  expect(existsSync(path)).toBe(!ran)
  return ran
}

test('a lock names its process, and goes with the task, however it ends', async () => {
  const [pid, start = ''] = await ownName()
  expect(pid).toBe(String(process.pid))
  expect(start).toMatch(/^\d+$/)
  const path = newPath()
  const fault = new Error('fault')
  await expect(withFileLock(path, undefined, () => expect.unreachable())).rejects.toThrow()
  await expect(
    withFileLock(path, undefined, () => {
      throw fault
    }),
  ).rejects.toBe(fault)
  expect(existsSync(path)).toBe(false)
})

test('the lock of a process that is gone is removed', async () => {
  const [pid = '', start = '', space = '', boot = ''] = await ownName()
  expect(await isTaken(`${NOBODY} ${start} ${space} ${boot}`)).toBe(true)
  // Its number was given to another process since.
  expect(await isTaken(`${pid} 1 ${space} ${boot}`)).toBe(true)
  // The machine started again.
  expect(await isTaken(`${pid} ${start} ${space} other-boot`)).toBe(true)
})

test('the lock of a process that may be alive is waited for', async () => {
  const [pid = '', start = '', space = '', boot = ''] = await ownName()
  expect(await isTaken(`${pid} ${start} ${space} ${boot}`)).toBe(false)
  // Numbers of another container mean nothing here.
  expect(await isTaken(`${NOBODY} ${start} pid:[1] ${boot}`)).toBe(false)
  // Not made by this program.
  expect(await isTaken('')).toBe(false)
  // A process of somebody else, which may not be asked.
  vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('not permitted'), { code: 'EPERM' })
  })
  expect(await isTaken(`${pid} ${start} ${space} ${boot}`)).toBe(false)
})

test('where the kernel tells nothing, the number decides', async () => {
  tells = false
  expect(await ownName()).toEqual([String(process.pid), 'start', 'pid', 'boot'])
  expect(await isTaken(`${process.pid} start pid boot`)).toBe(false)
  expect(await isTaken(`${NOBODY} start pid boot`)).toBe(true)
})

test('while another process removes a lock, it is left to that one', async () => {
  const [, start = '', space = '', boot = ''] = await ownName()
  const path = newPath()
  writeFileSync(path, `${NOBODY} ${start} ${space} ${boot}`)
  writeFileSync(`${path}.remove`, 'another')
  await expect(withFileLock(path, AbortSignal.timeout(30), () => undefined)).rejects.toThrow('timeout')
  expect(existsSync(path)).toBe(true)
})

test('a lock that was taken since is left, though it looked abandoned before', async () => {
  const own = (await ownName()).join(' ')
  const path = newPath()
  writeFileSync(path, own)
  const alive = vi.spyOn(process, 'kill')
  alive.mockImplementationOnce(() => {
    throw Object.assign(new Error('no such process'), { code: 'ESRCH' })
  })
  await expect(withFileLock(path, AbortSignal.timeout(30), () => undefined)).rejects.toThrow('timeout')
  expect(readFileSync(path, 'utf8')).toBe(own)
})

test('a lock that stays ends in a fault that names the file', async () => {
  const path = newPath()
  writeFileSync(path, (await ownName()).join(' '))
  let ms = 0
  vi.spyOn(systemClock, 'steady').mockImplementation(() => {
    ms += 6_000
    return { origin: new Uint8Array(16), ms }
  })
  const failed = withFileLock(path, undefined, () => undefined)
  await expect(failed).rejects.toMatchObject({ code: 'ERR_AUDIT_ANCHOR', retryable: true })
  await expect(failed).rejects.toThrow(path)
  expect(await codeOf(() => withFileLock(join(folder, 'none', 'lock'), undefined, () => undefined))).toBe(
    'ERR_AUDIT_ANCHOR',
  )
})

test('a call that is aborted before its turn does nothing', async () => {
  const path = newPath()
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(withFileLock(path, signal, () => expect.unreachable())).rejects.toThrow('enough')
  expect(existsSync(path)).toBe(false)
})
