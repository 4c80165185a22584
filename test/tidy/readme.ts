/** The examples of README.md and docs/ that are marked to run. @module */
import { readFileSync } from 'node:fs'
import type { Plugin } from 'vitest/config'

export interface Example {
  /** From 1, in order of the text. */
  readonly number: number
  readonly line: number
  readonly code: string
}

const MODULE = /(?:README|docs\/[\w-]+)\.md\.(\d+)\.ts$/

/** Blocks fenced as `ts run`, or in another way. */
export function examplesIn(markdown: string, fence = 'ts run'): Example[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${fence}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    (match, index) => ({
      number: index + 1,
      line: markdown.slice(0, match.index).split('\n').length,
      code: match[1] ?? '',
    }),
  )
}

/** What `README.md.1.ts`, `docs/keys.md.1.ts` and their like are to the test runner: the text at this moment. */
export function readmeExamples(root: string): Plugin {
  return {
    name: 'readme-examples',
    enforce: 'pre',
    resolveId: (id) => (MODULE.test(id) ? `${root}${MODULE.exec(id)?.[0]}` : undefined),
    load: (id) => {
      const [name, number] = MODULE.exec(id) ?? []
      if (name === undefined) return undefined
      const text = readFileSync(`${root}${name.replace(/\.\d+\.ts$/, '')}`, 'utf8')
      return examplesIn(text)[Number(number) - 1]?.code
    },
  }
}
