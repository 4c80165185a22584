/** Writes the files of the testkit from the reference, and removes those that it no longer makes: `npm run vectors`. @module */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { kitFiles } from '../reference/testkit/all.ts'
import { print } from '../reference/testkit/file.ts'

const folder = fileURLToPath(new URL('testkit', import.meta.url))

test('testkit', () => {
  for (const name of readdirSync(folder)) if (name.endsWith('.txt')) rmSync(`${folder}/${name}`)
  const files = kitFiles()
  for (const file of files) writeFileSync(`${folder}/${file.name}.txt`, print(file))
  const good = files.filter(({ expect: outcome }) => outcome === 'success').length
  process.stdout.write(`testkit: ${good} that read, ${files.length - good} with a fault\n`)
  expect(files.length - good).toBeGreaterThan(good)
})
