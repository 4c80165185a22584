/** Attested captures in the verbs of a vault (SPEC §20.8). @module */
import { allowUnattestedCapture } from 'guise'
import type { AttestedCapture } from 'guise/capture'
import { openCaptureDesk } from 'guise/node'
import { expect, test } from 'vitest'
import { CONDITIONS, LIVENESS } from '../support/capture.ts'
import { galleryVault } from '../support/gallery.ts'
import { basis, codeOf, MODEL, point, sample, testVault } from '../support/vault.ts'
import { ANY, type CaptureVault, captureOf, captureVault, LIVE, shoot } from '../support/vault-capture.ts'

const ANN = { subject: 'ann', person: 1 } as const

async function enrolled(world: CaptureVault): Promise<CaptureVault> {
  await world.vault.enroll({ subject: 'ann', basis: basis(), capture: await captureOf(world, ANN) })
  return world
}

test('CAPTURE-21 every verb that takes a sample takes an attested capture, and wipes it', async () => {
  const world = await captureVault({ open: galleryVault, policies: [LIVE] })
  const { vault } = world
  const used: AttestedCapture[] = []
  const next = async (index: number, subject: string | undefined = 'ann'): Promise<AttestedCapture> => {
    const capture = await captureOf(world, { person: 1, index, subject })
    used.push(capture)
    return capture
  }
  const search = async (index: number): Promise<AttestedCapture> => {
    const capture = await captureOf(world, { person: 1, index })
    used.push(capture)
    return capture
  }
  await vault.enroll({
    subject: 'ann',
    basis: basis(),
    capture: await next(0),
    more: [{ capture: await next(1) }, sample(1, 20)],
    unique: true,
  })
  expect((await vault.verify({ subject: 'ann', capture: await next(2) })).outcome).not.toBe('refused')
  expect((await vault.reissue({ subject: 'ann', basis: basis(), capture: await next(3) })).generation).toBe(2)
  expect((await vault.identify({ limit: 1, capture: await search(4) })).outcome).not.toBe('refused')
  for (const capture of used) {
    expect(await codeOf(vault.verify({ subject: 'ann', capture }))).toBe('ERR_CAPTURE_USED')
  }
  const unused = await next(5)
  unused[Symbol.dispose]()
  expect(await codeOf(vault.verify({ subject: 'ann', capture: unused }))).toBe('ERR_CAPTURE_DISPOSED')
})

test('CAPTURE-21 a sample is a capture or admits that there is none, never both', async () => {
  const world = await enrolled(await captureVault())
  const { vault } = world
  const refused = async (fields: object): Promise<string> =>
    codeOf(vault.verify({ subject: 'ann', ...fields } as never))
  const extras = [{ probeClass: 'any' }, { [allowUnattestedCapture]: true }, { ...sample(1, 3) }]
  for (const [i, extra] of extras.entries()) {
    const capture = await captureOf(world, { ...ANN, index: 7 + i })
    expect(await refused({ capture, ...extra })).toBe('ERR_VAULT_INPUT')
    expect(await refused({ capture })).toMatch(/^ERR_CAPTURE_(USED|DISPOSED)$/)
  }
  for (const look of [null, {}, { ...(await captureOf(world, { ...ANN, index: 4 })) }]) {
    expect(await refused({ capture: look })).toBe('ERR_VAULT_INPUT')
  }
})

test('CAPTURE-22 a capture of another realm, purpose, subject or time is refused and wiped', async () => {
  const world = await enrolled(await captureVault({ policies: [LIVE, { ...LIVE, purpose: 'visit' }] }))
  const { vault, clock } = world
  const refused = async (capture: AttestedCapture): Promise<void> => {
    expect(await codeOf(vault.verify({ subject: 'ann', capture }))).toBe('ERR_VAULT_CAPTURE')
    expect(await codeOf(vault.verify({ subject: 'ann', capture }))).toBe('ERR_CAPTURE_USED')
  }
  await refused(await captureOf(world, { person: 1, subject: 'ben', index: 1 }))
  await refused(await captureOf(world, { person: 1, index: 2 }))
  await refused(await captureOf(world, { ...ANN, purpose: 'visit', index: 3 }))
  const old = await captureOf(world, { ...ANN, index: 4 })
  clock.advance(60_001)
  await refused(old)
  const minute = await captureOf(world, { ...ANN, index: 5 })
  clock.advance(60_000)
  expect((await vault.verify({ subject: 'ann', capture: minute })).outcome).toBe('match')
  const elsewhere = await captureVault({ open: (options) => testVault({ ...options, realm: 'hospital' }) })
  await refused(await captureOf(elsewhere, { ...ANN, index: 6 }))
})

test('CAPTURE-22 a capture of a subject searches nothing', async () => {
  const world = await captureVault({ open: galleryVault })
  const capture = await captureOf(world, ANN)
  expect(await codeOf(world.vault.identify({ limit: 1, capture }))).toBe('ERR_VAULT_CAPTURE')
})

test('CAPTURE-22 a capture of another model is refused', async () => {
  const world = await enrolled(await captureVault())
  const mean = new Float32Array(128).fill(0.01)
  const other = await captureVault({ open: (options) => testVault(options), model: { ...MODEL, mean } })
  const capture = await captureOf(other, { ...ANN, index: 2 })
  expect(await codeOf(world.vault.verify({ subject: 'ann', capture }))).toBe('ERR_VAULT_INPUT')
})

test('CAPTURE-23 the probe class is the policy’s for what the device signed', async () => {
  const classes = { ...LIVE, probeClass: { plain: 'plain', masked: 'masked' } }
  const points = [
    { ...point(), probeClass: 'plain' },
    { ...point(undefined, 128, 9000), probeClass: 'masked' },
  ]
  const world = await captureVault({ policies: [classes], operatingPoints: points })
  const { vault } = world
  await enrolled(world)
  const masked = { ...CONDITIONS, masked: true }
  const plain = await captureOf(world, { ...ANN, index: 1 })
  expect((await vault.verify({ subject: 'ann', capture: plain })).outcome).toBe('match')
  const behind = await captureOf(world, { ...ANN, index: 2, conditions: masked })
  expect((await vault.verify({ subject: 'ann', capture: behind })).outcome).toBe('nonmatch')
  const mixed = {
    capture: await captureOf(world, { ...ANN, index: 3 }),
    more: [{ capture: await captureOf(world, { ...ANN, index: 4, conditions: masked }) }],
  }
  expect(await codeOf(vault.reissue({ subject: 'ann', basis: basis(), ...mixed }))).toBe('ERR_VAULT_INPUT')
})

test('CAPTURE-24 a desk of the vault keeps its rows under the oldest version of the realm’s capture key', async () => {
  const world = await captureVault()
  const { vault, keyring, desk, device } = world
  await keyring.renew()
  const again = await openCaptureDesk(vault, { model: MODEL, policies: [LIVE], refusalMs: 0 })
  expect((await again.devices.find(Uint8Array.from(Buffer.from(device.id, 'hex'))))?.family).toBe('phone-9')
  const sealed = await shoot(world, ANN)
  const capture = await again.desk.openCapture(sealed, { subject: 'ann', purpose: 'login' })
  expect(capture.livenessAccepted).toBe(true)
  await vault.enroll({ subject: 'ann', basis: basis(), capture })
  desk[Symbol.dispose]()
})

test('CAPTURE-24 a desk is opened on a vault that is open, for its model', async () => {
  const { vault } = await testVault()
  const policies = [ANY]
  const other = { ...MODEL, id: 'other@1' }
  expect(await codeOf(openCaptureDesk(vault, { model: other, policies }))).toBe('ERR_VAULT_CONFIGURATION')
  expect(await codeOf(openCaptureDesk({} as never, { model: MODEL, policies }))).toBe('ERR_VAULT_INPUT')
  expect(await codeOf(openCaptureDesk(null as never, { model: MODEL, policies }))).toBe('ERR_VAULT_INPUT')
  await vault.close()
  expect(await codeOf(openCaptureDesk(vault, { model: MODEL, policies }))).toBe('ERR_VAULT_CLOSED')
})

test('CAPTURE-23 a claim that no policy asked for is none that was accepted', async () => {
  const world = await captureVault({ policies: [ANY] })
  const said = await captureOf(world, { ...ANN, liveness: LIVENESS })
  expect([said.liveness?.verdict, said.livenessAccepted]).toEqual(['live', false])
})
