/** The runner of campaigns: pace, passes, ends (SPEC §11.11). @module */
import { memoryStore } from 'guise'
import { type RotateCampaignOptions, rotateCampaign } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { type CampaignKind, type CampaignTask, runCampaign } from '../../src/vault/campaign.ts'
import { rejectInput, VaultError } from '../../src/vault/errors.ts'
import { REALM } from '../support/campaign.ts'
import { typedCode } from '../support/rows.ts'
import { manualClock, testVault } from '../support/vault.ts'

/** Tasks of which a test decides what becomes of them. */
function toy(
  of: number,
  run: (number: number) => boolean,
): CampaignKind & { readonly told: string[]; readonly begun: number[]; left: Set<number> } {
  const left = new Set(Array.from({ length: of }, (_, number) => number))
  const told: string[] = []
  const begun: number[] = []
  return {
    told,
    begun,
    left,
    name: 'provider',
    realm: REALM,
    census: async () => ({ total: of, left: left.size, places: {}, unreadable: [] }),
    async *tasks(): AsyncGenerator<CampaignTask> {
      for (const number of Array.from(left)) {
        yield {
          kind: 'key',
          name: String(number),
          run: async () => {
            begun.push(number)
            const done = run(number)
            if (done) left.delete(number)
            return done
          },
        }
      }
    },
    trial: async () => undefined,
    finish: async () => void told.push(`finish ${left.size}`),
    log: async (when, outcome) => void told.push(`${when} ${outcome}`),
  }
}

describe('the runner', () => {
  test('VAULT-42 begins no more than the rate allows', async () => {
    const clock = manualClock()
    const kind = toy(7, () => true)
    const at: number[] = []
    const timer = setInterval(() => clock.advance(10), 1)
    const report = await runCampaign(kind, {
      perSecond: 20,
      width: 7,
      clock,
      onProgress: () => at.push(clock.steady().ms - 1000),
    })
    clearInterval(timer)
    expect(report).toMatchObject({ complete: true, changed: 7, passes: 1 })
    expect(at.length).toBe(7)
    // Groups of two: a tenth of a second each.
    for (const [number, ms] of at.entries()) expect(ms).toBeGreaterThanOrEqual((number - (number % 2)) * 50)
  })

  test('VAULT-43 goes on as long as a pass changes something; the end waits for the last', async () => {
    const turns = new Map<number, number>()
    const kind = toy(5, (number) => {
      const turn = (turns.get(number) ?? 0) + 1
      turns.set(number, turn)
      if (turn <= number) throw rejectInput('not yet')
      return true
    })
    expect(await runCampaign(kind)).toMatchObject({ complete: true, passes: 5, changed: 5, failed: 0 })
    expect(kind.told).toEqual(['begin done', 'finish 0', 'end done'])
    const stuck = toy(3, (number) => {
      if (number === 1) throw new VaultError('ERR_VAULT_DEVICE', 'never')
      return number === 0
    })
    expect(await runCampaign(stuck)).toMatchObject({
      complete: false,
      changed: 1,
      passes: 2,
      failed: 1,
      after: { left: 2 },
      stragglers: [{ kind: 'key', name: '1', code: 'ERR_VAULT_DEVICE' }],
    })
    expect(stuck.told).toEqual(['begin done', 'end failed'])
  })

  test('ends with what is no failure of one thing, and with the reason of a signal', async () => {
    const broken = toy(2, () => {
      throw new Error('the store is away')
    })
    await expect(runCampaign(broken)).rejects.toThrow('the store is away')
    expect(broken.told).toEqual(['begin done'])
    const abort = new AbortController()
    const stopped = toy(50, () => {
      abort.abort(new Error('enough'))
      return true
    })
    await expect(runCampaign(stopped, { signal: abort.signal, width: 1, perSecond: 10 })).rejects.toThrow(
      'enough',
    )
    expect(stopped.begun.length).toBeLessThan(50)
  })

  test('refuses what makes no sense', async () => {
    for (const bad of [{ perSecond: 0 }, { width: 65 }, { onProgress: 1 }]) {
      expect(
        await typedCode(
          runCampaign(
            toy(1, () => true),
            bad as never,
          ),
        ),
      ).toBe('ERR_VAULT_INPUT')
    }
    const { keyring, vault } = await testVault()
    const options: RotateCampaignOptions = { keyring, store: memoryStore() }
    expect(await typedCode(rotateCampaign(options))).toBe('ERR_VAULT_CONFIGURATION')
    await vault.close()
  })
})
