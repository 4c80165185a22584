/** HTML and SVG from templates that escape every text (SPEC §15.8). @module */

/** Text that is markup already. Only `markup` makes it. */
export class Markup {
  readonly #text: string

  constructor(strings: readonly string[], values: readonly Insert[]) {
    this.#text = strings.map((part, i) => part + (i < values.length ? inserted(values[i]) : '')).join('')
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in a template: markup as it is, anything else escaped; `undefined` is nothing. */
export type Insert = Markup | string | number | undefined | readonly (Markup | string)[]

/**
 * A template whose inserted texts are escaped, in element content and in quoted attributes alike.
 *
 * @example
 * String(markup`<p title="${'"'}">${'<b>'}</p>`) // <p title="&quot;">&lt;b&gt;</p>
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Insert[]): Markup {
  return new Markup(strings, values)
}

export const NOTHING: Markup = markup``

function inserted(value: Insert): string {
  if (value === undefined) return ''
  if (value instanceof Markup) return String(value)
  if (typeof value === 'object') return value.map(inserted).join('')
  return escaped(String(value))
}

/** Control characters have no place in HTML, and those that turn text around no place in a report. */
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, '\uFFFD')
}
