/** What a part of a gallery leaves behind in its process (SPEC §16.9). @module */
import { expect, test, vi } from 'vitest'
import type { ScanQuestion } from '../../src/gallery/scan.ts'
import {
  coordinator,
  enrollPeople,
  galleryVault,
  openParts,
  range,
  reached,
  search,
} from '../support/gallery.ts'

const seen = vi.hoisted(() => ({ probes: [] as Int32Array[], values: [] as number[] }))

vi.mock('../../src/gallery/scan.ts', async (original) => {
  const actual = await original<typeof import('../../src/gallery/scan.ts')>()
  const scanTable: typeof actual.scanTable = (table, question: ScanQuestion) => {
    seen.probes.push(question.integers)
    seen.values.push(question.integers.filter((value) => value !== 0).length)
    return actual.scanTable(table, question)
  }
  return { ...actual, scanTable }
})

test('GALLERY-24 a part wipes the probe before it answers', async () => {
  const world = await galleryVault()
  await enrollPeople(world.vault, range(1, 20))
  const answers: boolean[] = []
  const parts = reached(await openParts(world, 2)).map((part): typeof part => async (question, options) => {
    const answer = await part(question, options)
    answers.push(seen.probes.every((probe) => probe.every((value) => value === 0)))
    return answer
  })
  const vault = await coordinator(world, parts)
  expect(await search(vault, 1)).toHaveLength(1)
  expect(seen.values.every((count) => count > 100)).toBe(true)
  expect(seen.probes).toHaveLength(2)
  expect(answers).toContain(true)
  expect(seen.probes.every((probe) => probe.every((value) => value === 0))).toBe(true)
})
