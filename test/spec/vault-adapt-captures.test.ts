import { type AdaptRequest, sameCaptureConfirmed, secondFactorConfirmed } from 'guise'
import { type AttestedCapture, isAttestedCapture } from 'guise/capture'
import { openCaptureDesk } from 'guise/node'
import { describe, expect, test } from 'vitest'
import { CONDITIONS, tokenDevice } from '../support/capture.ts'
import { modelWorld, NEXT, nextSample } from '../support/models.ts'
import { basis, codeOf, MODEL, sample } from '../support/vault.ts'
import { captureOf, LIVE, type Shot } from '../support/vault-capture.ts'

const ANN = { subject: 'ann', person: 0, index: 1 } as const

interface Moving {
  /** A capture under the old model, and one under the new. */
  old(changes?: Partial<Shot>): Promise<AttestedCapture>
  next(changes?: Partial<Shot>): Promise<AttestedCapture>
  /** Of another device that the realm trusts. */
  elsewhere(): Promise<AttestedCapture>
  adapt(old: object, also: object): Promise<unknown>
  wait(ms: number): void
}

async function moving(): Promise<Moving> {
  const world = await modelWorld()
  await world.vault.enroll({ subject: 'ann', ...sample(0), basis: basis() })
  await world.announce()
  const both = await world.dual()
  const rest = { policies: [LIVE], refusalMs: 0 }
  const { desk, devices } = await openCaptureDesk(both, { model: MODEL, ...rest })
  const { desk: nextDesk } = await openCaptureDesk(both, { model: NEXT, ...rest })
  const [device, second] = [tokenDevice('ES256'), tokenDevice('ES256')]
  const trust = async ({ signer }: typeof device): Promise<string> =>
    await devices.enroll({ ...signer.key, carrier: 'token', family: 'phone-9' })
  const at = { ...world, devices, device: { ...device, id: await trust(device) } }
  const other = { ...at, desk: nextDesk, device: { ...second, id: await trust(second) } }
  return {
    old: (changes) => captureOf({ ...at, desk }, { ...ANN, ...changes }),
    next: (changes) => captureOf({ ...at, desk: nextDesk }, { ...ANN, model: NEXT, ...changes }),
    elsewhere: () => captureOf(other, { ...ANN, model: NEXT }),
    adapt: (old, also) =>
      both.adapt({
        subject: 'ann',
        ...old,
        also,
        [secondFactorConfirmed]: true,
        [sameCaptureConfirmed]: true,
      } as AdaptRequest),
    wait: (ms) => world.clock.advance(ms),
  }
}

describe('two captures of one image', () => {
  test('VAULT-103 move a person when one device saw both at one instant', async () => {
    const { adapt, old, next } = await moving()
    expect(await adapt({ capture: await old() }, { capture: await next() })).toMatchObject({
      adapted: { generation: 2 },
    })
  })

  const bad: readonly (readonly [string, (world: Moving) => Promise<readonly [object, object]>])[] = [
    [
      'another device',
      async ({ old, elsewhere }) => [{ capture: await old() }, { capture: await elsewhere() }],
    ],
    [
      'another instant',
      async ({ old, next, wait }) => {
        const capture = await old()
        wait(1000)
        return [{ capture }, { capture: await next() }]
      },
    ],
    [
      'other conditions',
      async ({ old, next }) => [
        { capture: await old() },
        { capture: await next({ conditions: { ...CONDITIONS, glasses: !CONDITIONS.glasses } }) },
      ],
    ],
    ['no statement of the second', async ({ old }) => [{ capture: await old() }, nextSample(5, 1)]],
    ['no statement of the first', async ({ next }) => [sample(0, 1), { capture: await next() }]],
  ]
  for (const [what, made] of bad) {
    test(`VAULT-103 do nothing with ${what}, and are wiped`, async () => {
      const world = await moving()
      const [old, also] = await made(world)
      expect(await codeOf(world.adapt(old, also))).toBe('ERR_VAULT_INPUT')
      for (const capture of Object.values({ ...old, also: Object.values(also)[0] }))
        if (isAttestedCapture(capture))
          expect(await codeOf(world.adapt({ capture }, nextSample(0, 1)))).toBe('ERR_CAPTURE_USED')
      const { old: first, next } = world
      expect(
        await world.adapt({ capture: await first({ index: 2 }) }, { capture: await next({ index: 2 }) }),
      ).toMatchObject({
        adapted: { generation: 2 },
      })
    })
  }
})
