/** Markdown out of values that somebody else chose: they stay text. @module */

/** Line breaks of any kind, and what turns the order of the text around it. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]+/gu
/** What readers of Markdown make a link of without any mark. */
const LINK = /:(?=\/\/)|(?<=www)\./giu

/** A value as inline text: nothing of it is markup or a link, and it has one line that reads as it is written. */
export function plainText(value: string): string {
  return value
    .replaceAll(UNSEEN, ' ')
    .replaceAll(/[\\`*_{}[\]<>|~&]/g, (mark) => `\\${mark}`)
    .replaceAll(LINK, (mark) => `\\${mark}`)
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
