/** Requirements of SPEC.md §16: who is found, and who is not. @module */
import { expect, test } from 'vitest'
import { enrollPeople, galleryVault, pseudonym, range, search } from '../support/gallery.ts'

test('GALLERY-13 a search names the person, by rank, without a score', async () => {
  const { vault } = await galleryVault()
  await enrollPeople(vault, range(1, 100))
  for (const person of [1, 50, 100]) {
    expect((await search(vault, person))[0]).toBe(await pseudonym(vault, person))
  }
  let none = 0
  for (const person of range(201, 230)) none += (await search(vault, person)).length
  expect(none).toBeLessThan(3)
})
