/** Records of processing, impact assessments and exports as their readers see them, and what is in none of them (SPEC §12.6, §12.7). @module */
import {
  exportSubject,
  type ProcessingRecords,
  processingRecords,
  recordMarkdown,
  subjectMarkdown,
} from 'guise/node'
import { expect, test } from 'vitest'
import { embedding, toIntegers } from '../../src/embedding/embedding.ts'
import { comparisonsMarkdown } from '../../src/vault/subject-text.ts'
import { addEncodings, addName } from '../attack/memory-canaries.ts'
import { Pieces } from '../attack/memory-scan.ts'
import { galleryVault } from '../support/gallery.ts'
import { rowsOf } from '../support/rows.ts'
import { basis, face, MODEL, point, SIGNER, sample, testVault } from '../support/vault.ts'
import { type Rendered, renderer } from './rendered.ts'

const render = renderer()
const ALLOWED = ['h1', 'h2', 'p', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'code', 'strong', 'em']
/** What a caller may choose, and a reader of Markdown might take for something else. */
const CHOSEN = [
  '2026 | <b>bold</b>',
  '# heading',
  '| a | b |',
  '```',
  '![x](y) [z](y)',
  '**s** _e_ ~~d~~ `c`',
  '<script>document.title = 1</script>',
  '&lt;i&gt; &amp;',
  'a\\| b\\\\',
  '- [ ] - item',
]
const NAMES = ['Äugusta.Canary-0@example.org', 'Äugusta.Canary-1@example.org', 'Äugusta.Canary-2@example.org']

async function world() {
  const made = await galleryVault()
  const { vault } = made
  const people: string[] = []
  for (const [person, notice] of CHOSEN.entries()) {
    const subject = NAMES[person] ?? `Äugusta.Canary-${person}@example.org`
    const enrolled = await vault.enroll({
      subject,
      basis: basis({ noticeVersion: notice }),
      ...sample(person),
    })
    people.push(subject, enrolled.subject, enrolled.record)
  }
  for (const notice of CHOSEN)
    await vault.verify({ subject: NAMES[0] as string, ...sample(0, 1) }, { actor: notice })
  await vault.revoke(NAMES[1] as string, 'other')
  await vault.erase(NAMES[2] as string)
  return { ...made, people }
}

const POLICIES = [{ purpose: 'login', afterExpiryDays: 30, afterMatchDays: 1, afterEnrolmentDays: 0.5 }]
const SETTINGS = { erasureBoundMs: 864_000_000, operatingPoints: [point()], anchor: CHOSEN.join(' ') }

const seen = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** Tables have one width each and no empty cell; nothing is there but text, headings and tables. */
function checkPage({ headings, tables, elements, overflow }: Rendered): void {
  expect(headings.filter(([level]) => level === 1)).toHaveLength(1)
  expect(headings.every(([level, text]) => level <= 2 && text.length > 2)).toBe(true)
  for (const rows of tables) {
    expect(rows.length).toBeGreaterThan(1)
    for (const cells of rows) {
      expect(cells).toHaveLength(rows[0]?.length ?? 0)
      for (const cell of cells) expect(cell).not.toBe('')
    }
  }
  for (const name of elements) expect(ALLOWED).toContain(name)
  expect(overflow).toBe(0)
}

async function checkRecords(made: ProcessingRecords): Promise<void> {
  for (const document of made.documents) {
    const page = await render(recordMarkdown(made, document))
    checkPage(page)
    expect(page.headings.map(([, text]) => text)).toEqual([
      document.title,
      ...document.sections.map(({ title }, i) => `${i + 1}. ${seen(title)}`),
    ])
    const files = Object.keys(made.inputs).length
    const told = files === 0 ? page.tables : page.tables.slice(1)
    expect(told.map((rows) => rows.slice(1))).toEqual(
      document.sections.map(({ lines }) =>
        lines.map((line) => {
          const says = 'value' in line ? [line.value, line.from] : [`[ ] ${line.blank}`, 'the controller']
          return [line.what, ...says].map(seen)
        }),
      ),
    )
    for (const rows of told) expect(rows[0]).toEqual(['what', 'value', 'from'])
  }
}

test('POLICY-74 every document reads as its JSON, cell by cell, whatever callers chose', async () => {
  const { keyring, store } = await world()
  const inputs = { 'policies.json': 'ab'.repeat(32), 'a|b `c`.json': 'cd'.repeat(32) }
  await checkRecords(
    await processingRecords({ keyring, store, policies: POLICIES, settings: SETTINGS, inputs }),
  )
  await checkRecords(await processingRecords({ keyring, store }))
  const empty = await testVault()
  await checkRecords(await processingRecords({ keyring: empty.keyring, store: empty.store }))
})

test('POLICY-74 control: a bar that is not escaped, and an empty value, are seen', async () => {
  const page = await render('# Records\n\n| what | value |\n| --- | --- |\n| a | |\n| a | b <img src=x> |\n')
  expect(() => checkPage(page)).toThrow()
  const { tables, elements } = await render(
    '| what | value |\n| --- | --- |\n| a | b \\| c |\n| a | b | c |\n| a | <i>x</i> |',
  )
  expect(tables).toEqual([
    [
      ['what', 'value'],
      ['a', 'b | c'],
      ['a', 'b'],
      ['a', 'x'],
    ],
  ])
  expect(elements).toContain('i')
})

test('POLICY-74 no vector, code, key, wrap, score, name or pseudonym is in either form; what is planted is found', async () => {
  const { keyring, store, provider, people } = await world()
  const pieces = new Pieces()
  const addText = (kind: string, bytes: Uint8Array): void => {
    const buffer = Buffer.from(bytes)
    for (const form of ['hex', 'base64', 'base64url'] as const)
      pieces.add(`${kind}, ${form}`, new TextEncoder().encode(buffer.toString(form)), 12)
    pieces.add(`${kind}, decimal`, new TextEncoder().encode(bytes.join(',')), 12)
  }
  for (const one of people) addName(pieces, one)
  for (let person = 0; person < CHOSEN.length; person++) {
    const vector = face(person, 0)
    addEncodings(pieces, vector, toIntegers(embedding(vector, MODEL)))
    addText('face', new Uint8Array(vector.slice().buffer))
  }
  const { keys } = provider as unknown as { readonly keys: ReadonlyMap<string, Uint8Array> }
  for (const key of keys.values()) addText('key of the provider', key)
  for (const table of ['references', 'secrets', 'index', 'states', 'attempts'] as const)
    for (const { bytes } of await rowsOf(store, table)) addText(`row of ${table}`, bytes.slice(-32))
  const made = await processingRecords({ keyring, store, policies: POLICIES, settings: SETTINGS })
  const forms = [JSON.stringify(made), ...made.documents.map((one) => recordMarkdown(made, one))]
  const search = (text: Uint8Array): ReadonlyMap<string, number> => {
    const found = new Map<string, number>()
    pieces.countIn(text, found)
    return found
  }
  for (const text of forms) expect([...search(Buffer.from(text)).keys()]).toEqual([])
  for (const kind of pieces.kinds) {
    const planted = Buffer.concat([Buffer.from(forms[0] ?? ''), pieces.sample(kind)])
    expect([kind, search(Uint8Array.from(planted)).has(kind)]).toEqual([kind, true])
  }
})

test('an export reads well whatever is held, and so do the comparisons alone', async () => {
  const { keyring, store, people } = await world()
  const erased = people[7] as string
  for (const who of [
    { subject: NAMES[0] as string },
    { subject: NAMES[1] as string },
    { pseudonym: erased },
    { subject: 'nobody' },
  ]) {
    const told = await exportSubject({ keyring, store, logSigner: SIGNER, policies: POLICIES, ...who })
    checkPage(await render(subjectMarkdown(told)))
    const { tables } = await render(comparisonsMarkdown(told))
    const by = tables.flatMap((rows) => rows.slice(1).map((cells) => cells[3]))
    expect(by).toEqual(told.comparisons.map(({ by: actor }) => seen(actor ?? '–')))
  }
})
