/** The records as Markdown: what stands there comes from somewhere, what does not is marked as a blank (SPEC §12.7). @module */

import { markdownTable, plainText } from '../vault/markdown.ts'
import type { ProcessingRecords } from './records.ts'
import type { RecordDocument, RecordLine } from './records-form.ts'

/** One document's text; a blank begins with `[ ]`. */
export function recordMarkdown(records: ProcessingRecords, document: RecordDocument): string {
  const { realm, at, inputs } = records
  const lines = document.sections.flatMap((section) => section.lines)
  const blanks = lines.filter((line) => 'blank' in line).length
  const files = Object.entries(inputs).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `${[
    `# ${document.title}`,
    '',
    `Realm ${plainText(realm)}, as of ${at}. ${blanks} of ${lines.length} lines are blanks, marked \`[ ]\`: only the controller can fill them.`,
    '',
    'Drawn from what is deployed, each value with where it comes from. **It says nothing of whether the processing is lawful**: that a duty is named under a heading means that the section serves it, not that it is fulfilled. Articles are those of SPEC §18.1, which says what was read and what is from memory.',
    ...(files.length === 0
      ? []
      : [
          '',
          ...markdownTable(
            ['file', 'SHA-256'],
            files.map(([name, hash]) => [plainText(name), `\`${hash}\``]),
          ),
        ]),
    ...document.sections.flatMap(({ title, serves, lines: rows }, i) => [
      '',
      `## ${i + 1}. ${plainText(title)}`,
      '',
      `Serves: ${serves.join('; ')}.`,
      '',
      ...markdownTable(['what', 'value', 'from'], rows.map(cellsOf)),
    ]),
  ].join('\n')}\n`
}

function cellsOf(line: RecordLine): readonly string[] {
  if ('blank' in line) return [plainText(line.what), `**\`[ ]\`** ${plainText(line.blank)}`, 'the controller']
  return [plainText(line.what), plainText(line.value), plainText(line.from)]
}
