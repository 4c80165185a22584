/** Nothing succeeds that the log does not tell of, and the log of many processes is one (I-45, I-46); counts differ by tier. @module */
import { memoryStore } from 'guise'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { Journal } from '../../src/audit/journal.ts'
import { hookedStore, remove } from '../support/rows.ts'
import { codeOf, SIGNER, testVault } from '../support/vault.ts'
import { ask, enroll } from '../support/vault-log.ts'
import { compile } from './compile.ts'
import { killLoop } from './kill-loop.ts'
import { VAULT_FOLDERS } from './vault-folders.ts'
import { CONTROL, injectFaults } from './vault-log.ts'
import { manyWriters } from './vault-log-processes.ts'

export interface LogCounts {
  readonly injections: number
  /** Kills, on as many directories. */
  readonly kills: readonly [each: number, directories: number]
  readonly entriesEach: number
}

/** A journal that says nothing of a match. */
const SILENT = {
  file: 'src/audit/journal.ts',
  from: '    const { timeMs } = event\n',
  to: "    if (event.outcome === 'match') return await store.commit(steps, options)\n    const { timeMs } = event\n",
}

export function vaultLogTests(counts: LogCounts, timeout: number): void {
  faultTests(counts.injections, timeout)
  killTests(counts.kills, timeout)
  processTests(counts.entriesEach, timeout)
}

function faultTests(injections: number, timeout: number): void {
  describe('faults on the way to the log', () => {
    test(`${injections} faults: nothing is acknowledged that the log does not tell of once`, {
      timeout,
    }, async () => {
      const { unaudited, matchedAfter, found, ...tally } = await injectFaults(injections, 46_001)
      console.info(`seed 46001: ${JSON.stringify({ ...tally, found })}`)
      expect(unaudited).toEqual([])
      expect(matchedAfter).toEqual([])
      expect(tally.pending).toBeGreaterThan(injections / 2)
      // What nobody can get over is said; everything else passes.
      expect(Object.keys(found).sort()).toEqual(['head removed', 'queue row deleted', 'queue rows exchanged'])
    })

    test('the control that commits without the entry is caught, by the ledger and by the count', {
      timeout,
    }, async () => {
      const { found } = await injectFaults(8, 46_002, [CONTROL])
      expect(found[CONTROL]).toBe(8)
      const { commit } = Journal.prototype
      const silent = vi.spyOn(Journal.prototype, 'commit').mockImplementation(async function (
        this: Journal,
        store,
        steps,
        event,
        keys,
        options,
      ) {
        if (event.outcome === 'match')
          return { versions: await store.commit(steps, options), entry: new Uint8Array(0) }
        return await commit.call(this, store, steps, event, keys, options)
      })
      try {
        const { unaudited } = await injectFaults(8, 46_002, ['store full'])
        console.info(`seed 46002, control: ${unaudited.length} operations without an entry in 8 worlds`)
        expect(unaudited.length).toBeGreaterThan(8)
      } finally {
        silent.mockRestore()
      }
    })

    test('a signer that never answers is asked again: nobody behind it waits for ever', async () => {
      let hangs = false
      const sign = (note: Uint8Array): Promise<Uint8Array> =>
        hangs ? new Promise(() => undefined) : SIGNER.sign(note)
      const { origin, publicKey } = SIGNER
      const { vault } = await testVault({ logSigner: { origin, publicKey, sign } })
      await enroll(vault)
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      try {
        hangs = true
        const first = codeOf(vault.suspend('anna'))
        await vi.advanceTimersByTimeAsync(10_100)
        expect(await first).toBe('ERR_AUDIT_PENDING')
        hangs = false
        const second = codeOf(vault.revoke('anna', 'other'))
        await vi.advanceTimersByTimeAsync(10_100)
        expect(await second).toBe('resolved')
      } finally {
        vi.useRealTimers()
      }
    })

    test('a row of the queue that was read and taken away is a deletion, and ends no process in a circle', async () => {
      const inner = memoryStore()
      const store = hookedStore(inner)
      const { vault } = await testVault({ store })
      await enroll(vault)
      let times = 1
      store.fault = {
        before: async ({ steps }) => {
          const taken = steps.find(({ step, table }) => step === 'delete' && table === 'queue')
          if (taken?.step === 'delete' && times-- > 0) await remove(inner, 'queue', taken.key)
        },
      }
      expect(await codeOf(vault.suspend('anna'))).toBe('ERR_AUDIT_PENDING')
      expect((await vault.health()).log).toBe(false)
      expect(await codeOf(ask(vault, 'anna', 1))).toBe('ERR_AUDIT_DELETION')
    })
  })
}

function killTests([each, directories]: readonly [number, number], timeout: number): void {
  describe('kill -9', () => {
    let compiled = ''
    beforeAll(() => {
      compiled = compile({ folders: VAULT_FOLDERS })
    }, 120_000)

    test(`after ${each * directories} kills every acknowledged operation has its entry, once`, {
      timeout,
    }, async () => {
      let acknowledged = 0
      for (let i = 0; i < directories; i++) {
        const seed = 46_100 + 1000 * i
        const result = await killLoop({ compiled, driver: './vault-log-driver.js', cycles: each, seed })
        acknowledged += result.acknowledged
        expect([result.lost, result.torn]).toEqual([[], []])
      }
      console.info(`seed 46100: ${acknowledged} acknowledged in ${each * directories} kills`)
      expect(acknowledged).toBeGreaterThan(8 * each * directories)
    })

    test('the control that says nothing of a match is caught', { timeout }, async () => {
      const silent = compile({ folders: VAULT_FOLDERS, mutation: SILENT })
      const driver = './vault-log-driver.js'
      const result = await killLoop({ compiled: silent, driver, cycles: 10, seed: 46_003, control: 'lost' })
      console.info(`seed 46003, control: ${result.lost.length} lost in ${result.cycles} cycles`)
      expect(result.lost.length).toBeGreaterThan(0)
    })
  })
}

function processTests(each: number, timeout: number): void {
  test(`eight processes with ${each} entries each write one chain without gaps`, { timeout }, async () => {
    const compiled = compile({ folders: VAULT_FOLDERS })
    const tally = await manyWriters({ compiled, processes: 8, each })
    console.info(`eight processes: ${JSON.stringify(tally)}`)
    expect(tally).toMatchObject({ faults: [], left: 0, python: 0 })
    // One entry of the keyring and eight enrolments come first.
    expect(tally.entries).toBe(9 + 8 * each)
  })
}
