/** The examples of README.md that are marked to run. @module */
import { readFileSync } from 'node:fs'
import type { Plugin } from 'vitest/config'

export interface Example {
  /** From 1, in order of the text. */
  readonly number: number
  readonly line: number
  readonly code: string
}

const FENCE = /^```ts run\n([\s\S]*?)^```$/gm
const MODULE = /README\.(\d+)\.ts$/

/** Blocks fenced as `ts run`. */
export function examplesIn(markdown: string): Example[] {
  return [...markdown.matchAll(FENCE)].map((match, index) => ({
    number: index + 1,
    line: markdown.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }))
}

/** What `README.1.ts` and its like are to the test runner: the text of README.md at this moment. */
export function readmeExamples(root: string): Plugin {
  return {
    name: 'readme-examples',
    enforce: 'pre',
    resolveId: (id) => (MODULE.test(id) ? `${root}${MODULE.exec(id)?.[0]}` : undefined),
    load: (id) => {
      const number = MODULE.exec(id)?.[1]
      if (number === undefined) return undefined
      return examplesIn(readFileSync(`${root}README.md`, 'utf8'))[Number(number) - 1]?.code
    },
  }
}
