/** Whether every line of records that names a figure of an evaluation shows that figure. @module */
import type { Evaluation } from 'guise/evaluate'
import type { ProcessingRecords } from 'guise/node'

export interface FigureLine {
  readonly path: string
  readonly value: string
  /** What stands there in the file. */
  readonly found: unknown
}

/** Lines whose place begins with `evaluation.`, resolved in the file. */
export function figureLines(records: ProcessingRecords, evaluation: Evaluation): readonly FigureLine[] {
  const lines = records.documents.flatMap(({ sections }) => sections.flatMap((section) => section.lines))
  return lines.flatMap((line) => {
    if (!('value' in line) || !line.from.startsWith('evaluation.')) return []
    const [path = ''] = line.from.split(', ')
    const names = [...path.slice('evaluation.'.length).matchAll(/([\w-]+)|\["([^"]+)"\]|\[(\d+)\]/g)].map(
      ([, plain, quoted, index]) => plain ?? quoted ?? index ?? '',
    )
    const found = names.reduce<unknown>(
      (value, name) => (value as Record<string, unknown> | undefined)?.[name],
      evaluation,
    )
    return [{ path, value: line.value, found }]
  })
}
