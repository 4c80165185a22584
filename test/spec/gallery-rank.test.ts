/** SPEC §16.5: the order of candidates, against scores computed by the reference. @module */

import { expect, test } from 'vitest'
import { toBase64Url } from '../../src/base/bytes.ts'
import { scanTable } from '../../src/gallery/scan.ts'
import { score } from '../reference/compare.ts'
import { integers, unit } from '../reference/embedding.ts'
import { custodyIkm } from '../reference/keys.ts'
import { SecondVault } from '../reference/second.ts'
import { probeCode } from '../reference/template.ts'
import { BITS, enrollPeople, gallery, galleryVault, idPoint, openInside, range } from '../support/gallery.ts'
import { face, PURPOSE, sample } from '../support/vault.ts'

test('GALLERY-13 candidates stand in the order of the sum of both similarities, of scan and of confirmation', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 60))
  const lax = await world.open({
    gallery: gallery({ points: [idPoint({ scanThreshold: 1, threshold: 1 })] }),
  })
  const decision = await lax.identify({ limit: 32, ...sample(1, 9) })
  if (decision.outcome !== 'candidates') throw new Error('a threshold of 1 finds somebody')
  const z = integers(unit([...face(1, 9)], 128).u)
  const inside = await openInside(world)
  await inside.vault.loadGallery()
  const hits = await scanTable(inside.table, { integers: Int32Array.from(z), bits: BITS, threshold: 1 })
  const second = new SecondVault(world.store, world.provider, 'clinic')
  await second.load()
  const likeness = ({ sum, energy }: { sum: number; energy: number }, m: number): number =>
    sum / Math.sqrt(m * energy)
  const expected: { subject: string; both: number; alone: number }[] = []
  for (const number of range(1, 60)) {
    const described = await lax.describe(`person-${number}`)
    const hit = hits.find(({ handle }) => toBase64Url(handle) === described?.subject)
    const opened = await second.open(`person-${number}`, PURPOSE, (custody) => custodyIkm(custody))
    const alone = likeness(score(opened.code, probeCode(z, 'B4', BITS, opened.rotationKey)), BITS)
    if (hit === undefined || alone < 1e-4) continue
    expected.push({ subject: described?.subject as string, both: likeness(hit, BITS) + alone, alone })
  }
  expect(expected.length).toBeGreaterThan(10)
  const named = decision.candidates.map(({ subject }) => subject)
  const order = (by: 'both' | 'alone'): string[] =>
    [...expected].sort((a, b) => b[by] - a[by]).map(({ subject }) => subject)
  expect(named).toEqual(order('both').slice(0, 32))
  expect(named).not.toEqual(order('alone').slice(0, 32))
})
