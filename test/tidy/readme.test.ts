import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { examplesIn } from './readme.ts'
import { readTree, textOf } from './tree.ts'

const examples = examplesIn(textOf(readTree(), 'README.md'))
const home = process.cwd()
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/guise-readme-`)
  process.chdir(folder)
})

afterEach(() => {
  process.chdir(home)
  rmSync(folder, { recursive: true, force: true })
})

describe('README.md', () => {
  test('has examples that run', () => {
    expect(examples.length).toBeGreaterThan(0)
  })

  for (const { number, line } of examples) {
    test(`the example at line ${line} runs`, async () => {
      await import(/* @vite-ignore */ `README.${number}.ts`)
    }, 60_000)
  }
})

test('blocks marked to run are found, others are not', () => {
  const markdown =
    '# A\n\n```ts run\nconst a = 1\n```\n\n```ts\nno\n```\n```sh\nno\n```\n```ts run\nb\n\nc\n```\n'
  expect(examplesIn(markdown)).toEqual([
    { number: 1, line: 3, code: 'const a = 1\n' },
    { number: 2, line: 13, code: 'b\n\nc\n' },
  ])
})
