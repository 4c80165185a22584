/** Markdown out of values that somebody else chose: they stay text. @module */

/** A value as inline text: nothing of it is markup, and it has one line. */
export function plainText(value: string): string {
  return value
    .replaceAll(/\p{Cc}+/gu, ' ')
    .replaceAll(/[\\`*_{}[\]<>|~&]/g, (mark) => `\\${mark}`)
    .trim()
}

/** A table; cells are Markdown already. No rows, no table. */
export function markdownTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  if (rows.length === 0) return []
  return [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}
