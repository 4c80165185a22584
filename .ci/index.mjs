/** Writes the requirement index of SPEC.md, Appendix C: each requirement, its chapter, and the tests that carry its id. @module */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const spec = readFileSync('SPEC.md', 'utf8')
const tests = readdirSync('test', { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .sort()
  .map((name) => ({ name: join('test', name), text: readFileSync(join('test', name), 'utf8') }))

let chapter = ''
const rows = []
for (const line of spec.split('\n')) {
  chapter = /^##+ (\d+(?:\.\d+)*)/.exec(line)?.[1] ?? chapter
  const id = /^\*\*\[([A-Z]+-\d+)\]\*\*/.exec(line)?.[1]
  if (id === undefined) continue
  const title = new RegExp(`['"\`]${id}(?![\\d])`)
  const files = tests.filter(({ text }) => title.test(text)).map(({ name }) => `\`${name.slice(5)}\``)
  rows.push(`| ${id} | §${chapter} | ${files.join(', ')} |`)
}
const index = [
  '<!-- index -->',
  '',
  '| requirement | section | tests, below `test/` |',
  '|---|---|---|',
  ...rows,
  '',
  '<!-- /index -->',
]
const next = spec.replace(/<!-- index -->[\s\S]*<!-- \/index -->/, () => index.join('\n'))
if (process.argv.includes('--check')) {
  if (next !== spec) {
    console.error('SPEC.md: the requirement index is out of date: npm run index')
    process.exitCode = 1
  }
} else {
  writeFileSync('SPEC.md', next)
}
