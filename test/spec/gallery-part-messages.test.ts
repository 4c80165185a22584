/** Requirements GALLERY-22 to GALLERY-24 of SPEC.md: what parts are asked, what they answer, and what goes wrong. @module */
import { allowHighFalseMatchRate, type GalleryPart } from 'guise'
import { openGalleryPart } from 'guise/node'
import { expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/base/cbor.ts'
import {
  coordinator,
  enrollPeople,
  gallery,
  galleryVault,
  openParts,
  range,
  reached,
  search,
} from '../support/gallery.ts'
import { dump, typedCode } from '../support/rows.ts'
import { basis, MODEL, PURPOSE, point, sample, type TestVault } from '../support/vault.ts'

/** A question as a coordinator sends it to the part 0 of `of`. */
async function questionTo(world: TestVault, of = 2): Promise<Uint8Array> {
  const asked: Uint8Array[] = []
  const refuse: GalleryPart = async (question) => {
    asked.push(Uint8Array.from(question))
    throw new Error('later')
  }
  const vault = await coordinator(
    world,
    range(1, of).map(() => refuse),
  )
  await typedCode(vault.identify({ limit: 1, ...sample(1) }))
  await vault.close()
  return asked[0] as Uint8Array
}

test('GALLERY-22 a part refuses what is not asked of it', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const [first, second] = await openParts(world, 2)
  const [third] = await openParts(world, 3)
  const [own] = await openParts(await galleryVault(), 2)
  if (!(first && second && third && own)) throw new Error('no parts')
  const question = await questionTo(world)
  expect(await first.answer(question)).toHaveLength((await first.answer(question)).length)
  for (const other of [second, third, own])
    expect(await typedCode(other.answer(question))).toBe('ERR_GALLERY_PART')
  for (let at = 0; at < question.length; at += 7) {
    const altered = Uint8Array.from(question)
    altered[at] = (altered[at] as number) ^ 1
    expect(await typedCode(first.answer(altered))).toBe('ERR_GALLERY_PART')
  }
  for (const bytes of [new Uint8Array(0), question.slice(1), new Uint8Array(70_000), 'text' as never])
    expect(await typedCode(first.answer(bytes))).toBe('ERR_GALLERY_PART')
  const answer = await first.answer(question)
  expect(await typedCode(first.answer(answer))).toBe('ERR_GALLERY_PART')
  const payments = await openParts(world, 2, { gallery: gallery({ purpose: 'other' }) })
  expect(await typedCode((payments[0] as typeof first).answer(question))).toBe('ERR_GALLERY_PART')
}, 60_000)

test('GALLERY-22 a part writes nothing, and is opened with a declaration that the realm has', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const before = await dump(world.store)
  const parts = await openParts(world, 2)
  for (const part of parts) await part.load()
  await typedCode((parts[0] as (typeof parts)[0]).answer(await questionTo(world)))
  const budget = (key: string): boolean => /^galleries .*03$/.test(key)
  const after = [...(await dump(world.store))].filter(([key]) => !budget(key))
  expect(after).toEqual([...before].filter(([key]) => !budget(key)))
  const [other] = await openParts(world, 1, { gallery: gallery({ basis: 'contract' }) })
  expect(await typedCode(other?.load() ?? Promise.resolve())).toBe('ERR_GALLERY_DECLARATION')
  for (const part of [{ index: 2, of: 2 }, { index: 0, of: 65 }, { index: -1, of: 1 }, undefined as never]) {
    const code = await typedCode(openParts(world, 1, { part }))
    expect(code).toMatch(/^ERR_GALLERY_DECLARATION$/)
  }
  const nested = openParts(world, 1, { gallery: gallery({ parts: reached(parts) }) })
  expect(await typedCode(nested)).toBe('ERR_GALLERY_DECLARATION')
  expect(await typedCode(openPartless(world))).toBe('ERR_GALLERY_UNDECLARED')
})

/** A part of a gallery that is not declared. */
async function openPartless({ keyring, store }: TestVault): Promise<unknown> {
  return await openGalleryPart({
    keyring,
    store,
    model: MODEL,
    purpose: PURPOSE,
    custody: { profile: 'operator' },
    operatingPoints: [point()],
    part: { index: 0, of: 1 },
    [allowHighFalseMatchRate]: true,
  })
}

/** Ways in which an answer goes wrong; the other parts answer as they should. */
const FAULTS: Readonly<Record<string, (parts: readonly GalleryPart[]) => readonly GalleryPart[]>> = {
  missing: ([first]) => [first as GalleryPart, () => Promise.reject(new Error('connection refused'))],
  silent: ([first]) => [first as GalleryPart, () => new Promise(() => undefined)],
  'no bytes': ([first]) => [first as GalleryPart, async () => 'text' as never],
  'one bit altered': ([first, second]) => [
    first as GalleryPart,
    async (question, options) => {
      const answer = await (second as GalleryPart)(question, options)
      answer[answer.length - 20] = (answer[answer.length - 20] as number) ^ 4
      return answer
    },
  ],
  truncated: ([first, second]) => [
    first as GalleryPart,
    async (question, options) => (await (second as GalleryPart)(question, options)).slice(0, -1),
  ],
  'the question back': ([first]) => [first as GalleryPart, async (question) => question],
  exchanged: ([first, second]) => [second as GalleryPart, first as GalleryPart],
  'the same twice': ([first]) => [first as GalleryPart, first as GalleryPart],
  'one too few': ([first]) => [first as GalleryPart],
  'one too many': ([first, second]) => [first, second, second] as readonly GalleryPart[],
  'of another seal': ([first, second]) => [
    first as GalleryPart,
    async (question, options) => {
      const other = await (second as GalleryPart)(question, options)
      const [header, nonce, ...rest] = decodeCbor(other, 65_536, Error) as readonly Uint8Array[]
      return encodeCbor([header, (nonce as Uint8Array).map((byte) => byte ^ 1), ...rest] as never)
    },
  ],
}

test.each(Object.keys(FAULTS))(
  'GALLERY-23 a part that is %s fails the search, retryable, with nothing named',
  async (fault) => {
    const world = await galleryVault()
    await enrollPeople(world.vault, range(1, 40))
    const parts = await openParts(world, 2)
    const wrong = FAULTS[fault]?.(reached(parts)) ?? []
    const vault = await coordinator(world, wrong, { partTimeoutMs: 2000 })
    const calls = [
      vault.identify({ limit: 1, ...sample(1, 5) }),
      vault.enroll({ subject: 'new', basis: basis(), unique: true, ...sample(77) }),
      vault.loadGallery(),
    ]
    for (const settled of await Promise.allSettled(calls)) {
      expect(settled).toMatchObject({ reason: { code: 'ERR_GALLERY_PART', retryable: true } })
    }
    expect(await vault.describe('new')).toBeUndefined()
    const right = await coordinator(world, reached(parts))
    expect(await search(right, 1)).toHaveLength(1)
  },
)

test('GALLERY-23 an answer of before answers nothing now', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const kept: Uint8Array[] = []
  const [first, second] = reached(await openParts(world, 2)) as readonly [GalleryPart, GalleryPart]
  let replays = false
  const recorder: GalleryPart = async (question, options) => {
    if (replays) return kept[0] as Uint8Array
    kept.push(await second(question, options))
    return kept.at(-1) as Uint8Array
  }
  const vault = await coordinator(world, [first, recorder])
  expect(await search(vault, 1)).toHaveLength(1)
  await world.vault.erase('person-1')
  replays = true
  expect(await typedCode(vault.identify({ limit: 1, ...sample(1, 5) }))).toBe('ERR_GALLERY_PART')
})

test('GALLERY-23 the call’s own signal ends the waiting with its reason', async () => {
  const world = await galleryVault()
  const signals: AbortSignal[] = []
  const silent: GalleryPart = (_, { signal }) => {
    signals.push(signal)
    return new Promise(() => undefined)
  }
  const vault = await coordinator(world, [silent])
  const caller = new AbortController()
  const asked = vault.identify({ limit: 1, ...sample(1) }, { signal: caller.signal })
  while (signals.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  caller.abort(new Error('enough'))
  await expect(asked).rejects.toThrow('enough')
  expect(signals[0]?.aborted).toBe(true)
})

test('GALLERY-23 when one part fails the others are told', async () => {
  const world = await galleryVault()
  let told: unknown
  const silent: GalleryPart = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        told = signal.reason
        reject(new Error('stopped'))
      })
    })
  const vault = await coordinator(world, [silent, () => Promise.reject(new Error('away'))])
  expect(await typedCode(vault.identify({ limit: 1, ...sample(1) }))).toBe('ERR_GALLERY_PART')
  expect(told).toMatchObject({ code: 'ERR_GALLERY_PART' })
})

test('GALLERY-24 what leaves a coordinator shows nothing of the probe, and never twice the same', async () => {
  const world = await galleryVault()
  const seen: Uint8Array[] = []
  const inner = reached(await openParts(world, 2))
  const watched = inner.map(
    (part): GalleryPart =>
      async (question, options) => {
        seen.push(Uint8Array.from(question))
        return await part(question, options)
      },
  )
  const vault = await coordinator(world, watched)
  await search(vault, 1)
  await search(vault, 1)
  expect(seen).toHaveLength(4)
  const bodies = seen.map((question) => (decodeCbor(question, 65_536, Error) as readonly Uint8Array[])[3])
  expect(new Set(bodies.map((body) => Buffer.from(body as Uint8Array).toString('hex'))).size).toBe(4)
  expect(new Set(seen.map(({ length }) => length)).size).toBe(1)
  // The answer's length does not tell whether anybody was found.
  await enrollPeople(world.vault, range(1, 40))
  const lengths = new Set<number>()
  const measured = inner.map(
    (part): GalleryPart =>
      async (question, options) => {
        const answer = await part(question, options)
        lengths.add(answer.length)
        return answer
      },
  )
  const again = await coordinator(world, measured)
  for (const person of [1, 2, 40, 900]) await search(again, person)
  expect(lengths.size).toBe(1)
})

test('a part is closed once: later questions are refused, its index is wiped', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const [part] = await openParts(world, 1)
  if (part === undefined) throw new Error('no part')
  expect([part.index, part.of]).toEqual([0, 1])
  const question = await questionTo(world, 1)
  await part.answer(question)
  await part.close()
  await part[Symbol.asyncDispose]()
  expect(await typedCode(part.answer(question))).toBe('ERR_VAULT_CLOSED')
  const few = await openParts(world, 1, { maxInFlight: 1 })
  const both = await Promise.all([
    typedCode(few[0]?.load() ?? Promise.resolve()),
    typedCode(few[0]?.load() ?? Promise.resolve()),
  ])
  expect(both).toContain('ERR_VAULT_OVERLOADED')
})

test.each<[string, unknown]>([
  ['an empty list', []],
  ['no list', 'parts'],
  ['what is no function', [1]],
  ['65 parts', Array.from({ length: 65 }, () => async () => new Uint8Array(0))],
])('a vault refuses %s for parts', async (_, parts) => {
  const world = await galleryVault()
  expect(await typedCode(coordinator(world, parts as never))).toBe('ERR_GALLERY_DECLARATION')
})
