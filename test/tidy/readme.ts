/** The examples of README.md that are marked to run. @module */

export interface Example {
  /** From 1, in order of the text. */
  readonly number: number
  readonly line: number
  readonly code: string
}

const FENCE = /^```ts run\n([\s\S]*?)^```$/gm

/** Blocks fenced as `ts run`. */
export function examplesIn(markdown: string): Example[] {
  return [...markdown.matchAll(FENCE)].map((match, index) => ({
    number: index + 1,
    line: markdown.slice(0, match.index).split('\n').length,
    code: match[1] ?? '',
  }))
}
