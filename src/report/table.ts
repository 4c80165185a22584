/** Tables of a report: headed, captioned, scrolling in themselves where a screen is narrow (SPEC §15.8). @module */

import { type Markup, markup } from './markup.ts'

export interface Table {
  readonly caption: string
  readonly heading: readonly string[]
  /** The first cell heads its row. */
  readonly rows: readonly (readonly (Markup | string)[])[]
}

export function table({ caption, heading, rows }: Table): Markup {
  const head = heading.map((name) => markup`<th scope="col">${name}</th>`)
  const body = rows.map(([first, ...rest]) => {
    const cells = rest.map((cell) => markup`<td>${cell}</td>`)
    return markup`<tr><th scope="row">${first}</th>${cells}</tr>`
  })
  return markup`<div class="table" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`
}

/** A long table that stays shut on a screen and opens in print. */
export function foldedTable(given: Table): Markup {
  return markup`<details><summary>${given.caption}: the numbers (${given.rows.length} rows)</summary>${table(given)}</details>`
}
