/** The envelope that every vector file shares, and how it is written. @module */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

export interface VectorFile {
  readonly source: string
  readonly generator: string
  readonly licence: string
  readonly specification: string
  readonly about: readonly string[]
  readonly positive: readonly { readonly [name: string]: Json }[]
  readonly negative: readonly { readonly [name: string]: Json }[]
}

export function vectorFile(
  chapters: string,
  about: readonly string[],
  positive: VectorFile['positive'],
  negative: VectorFile['negative'],
): VectorFile {
  for (const list of [positive, negative]) {
    const names = list.map((vector) => vector['name'])
    if (new Set(names).size !== names.length) throw new RangeError('two vectors of one name')
  }
  return {
    source: `SPEC.md, ${chapters}`,
    generator: 'npm run vectors (test/reference)',
    licence: 'Apache-2.0',
    specification: '1',
    about,
    positive,
    negative,
  }
}

/** One line for what fits, indented by two otherwise; the same bytes for the same value. */
export function print(value: Json | VectorFile, indent = ''): string {
  const flat = JSON.stringify(value)
  const isFlat = value === null || typeof value !== 'object'
  if (isFlat || (indent.length + flat.length <= 120 && !flat.includes('{'))) return spaced(flat)
  const deeper = `${indent}  `
  if (Array.isArray(value)) {
    if (value.every((entry) => typeof entry === 'number')) return `[${value.join(', ')}]`
    return `[\n${value.map((entry) => deeper + print(entry as Json, deeper)).join(',\n')}\n${indent}]`
  }
  const members = Object.entries(value as Record<string, Json>).map(
    ([name, member]) => `${deeper}${JSON.stringify(name)}: ${print(member, deeper)}`,
  )
  return `{\n${members.join(',\n')}\n${indent}}`
}

function spaced(flat: string): string {
  if (!flat.startsWith('[')) return flat
  const value = JSON.parse(flat) as Json[]
  return `[${value.map((entry) => spaced(JSON.stringify(entry))).join(', ')}]`
}
