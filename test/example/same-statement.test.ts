/** What a browser states is what Node states, and verifies there, in a page that forbids WebAssembly, eval and inline scripts (SPEC §20.2). @module */
import { createPublicKey, verify } from 'node:crypto'
import type * as Curves from '@noble/curves/ed25519.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import type * as Capture from 'guise/capture'
import { type SealCaptureOptions, sealCapture, type TokenSigner } from 'guise/capture'
import type { JSHandle, Page } from 'playwright'
import { expect, test, vi } from 'vitest'
import { encodeCbor } from '../../src/base/cbor.ts'
import capture from '../vectors/capture.json' with { type: 'json' }
import { unhex } from '../vectors/read.ts'
import { exampleBrowser } from './browser.ts'

const { opened } = exampleBrowser()
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
vi.setConfig({ testTimeout: 60_000 })
const SEED = Uint8Array.from({ length: 32 }, (_, i) => i)
const NUMBERS = Array.from({ length: 64 }, (_, i) => Math.fround(Math.sin(i * i + 1)))
const FACTS = {
  model: { id: 'arcface-r100@1', dimensions: 64, metric: 'cosine' },
  conditions: { masked: true, glasses: false, quality: 71 },
  liveness: {
    method: 'active-flash',
    standard: 'ISO/IEC 30107-3',
    level: '2',
    verdict: 'live',
    issuer: 'camera-app',
  },
  intent: true,
  capturedAtMs: 1_800_000_000_123,
} as const satisfies Partial<SealCaptureOptions>

/** A challenge as a desk writes it, naming the vectors' P-256 key. */
function question(): Uint8Array {
  const { publicKey, thumbprint } = capture.positive.find(({ name }) => name === 'phone') as Readonly<
    Record<'publicKey' | 'thumbprint', string>
  >
  const nonce = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
  return encodeCbor([1, 66, 'clinic', 'login', nonce, unhex(thumbprint), unhex(publicKey)])
}

/** `device.js` of the example. */
interface DeviceModule {
  thisDevice(): Promise<{ readonly signer: TokenSigner }>
}

/** A module through the page's import map, under its policy. In words: the test runner has an `import` of its own. */
function moduleOf<Module extends object>(page: Page, name: string): Promise<JSHandle<Module>> {
  return page.evaluateHandle(`import(${JSON.stringify(name)})`) as Promise<JSHandle<Module>>
}

test('CAPTURE-36 the same statement of the same key has the same bytes, and the page allows no WebAssembly', async () => {
  const here: string[] = []
  const sealed = await sealCapture({
    ...FACTS,
    challenge: question(),
    vector: Float32Array.from(NUMBERS),
    signer: {
      key: { algorithm: 'EdDSA', publicKey: ed25519.getPublicKey(SEED) },
      sign: async (message) => {
        const signature = ed25519.sign(message, SEED)
        here.push(hex(message), hex(signature))
        return signature
      },
    },
  })
  const page = await opened('/')
  const library = await moduleOf<typeof Capture>(page, 'guise/capture')
  const curves = await moduleOf<typeof Curves>(page, '@noble/curves/ed25519.js')
  const there = await page.evaluate(
    async ({ library, curves, facts, challenge, numbers, seed }) => {
      const text = (bytes: Uint8Array) =>
        [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
      const key = Uint8Array.from(seed)
      const said: string[] = []
      const made = await library.sealCapture({
        ...facts,
        challenge: Uint8Array.from(challenge),
        vector: Float32Array.from(numbers),
        signer: {
          key: { algorithm: 'EdDSA', publicKey: curves.ed25519.getPublicKey(key) },
          sign: async (message) => {
            const signature = curves.ed25519.sign(message, key)
            said.push(text(message), text(signature))
            return signature
          },
        },
      })
      const refused = await WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)).then(
        String,
        (error: Error) => error.name,
      )
      return { said, length: made.length, refused }
    },
    { library, curves, facts: FACTS, challenge: [...question()], numbers: NUMBERS, seed: [...SEED] },
  )
  expect(there.said).toEqual(here)
  expect(there.said).toHaveLength(2)
  expect(there.length).toBe(sealed.length)
  expect(there.refused).toBe('CompileError')
  await page.close()
})

test("CAPTURE-36 what the browser's own key signs verifies in Node", async () => {
  const page = await opened('/')
  const library = await moduleOf<typeof Capture>(page, 'guise/capture')
  const device = await moduleOf<DeviceModule>(page, '/device.js')
  const made = await page.evaluate(
    async ({ library, device, facts, challenge, numbers }) => {
      const { signer } = await device.thisDevice()
      const seen: number[][] = []
      const sign = async (message: Uint8Array): Promise<Uint8Array> => {
        const signature = await signer.sign(message)
        seen.push([...message], [...signature])
        return signature
      }
      await library.sealCapture({
        ...facts,
        challenge: Uint8Array.from(challenge),
        vector: Float32Array.from(numbers),
        signer: { key: signer.key, sign },
      })
      return { seen, publicKey: [...signer.key.publicKey] }
    },
    { library, device, facts: FACTS, challenge: [...question()], numbers: NUMBERS },
  )
  const [message, signature] = made.seen.map((bytes) => Uint8Array.from(bytes)) as [Uint8Array, Uint8Array]
  const point = Buffer.from(made.publicKey)
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'))
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, format: 'jwk' })
  const verified = (bytes: Uint8Array): boolean =>
    verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature)
  expect(verified(message)).toBe(true)
  expect(verified(message.map((byte, i) => (i === 40 ? byte ^ 1 : byte)))).toBe(false)
  await page.close()
})
