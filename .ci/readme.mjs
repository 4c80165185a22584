/** Writes the examples of README.md and docs/ that run as files, for the compiler to check. @module */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const folder = 'test/types/readme'
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const texts = [
  'README.md',
  ...readdirSync('docs')
    // The card holds figures that a program wrote, and nothing to run.
    .filter((name) => name.endsWith('.md') && name !== 'card.md')
    .map((name) => `docs/${name}`),
]
for (const text of texts) {
  const blocks = [...readFileSync(text, 'utf8').matchAll(/^```ts run\n([\s\S]*?)^```$/gm)]
  if (blocks.length === 0) throw new Error(`${text}: no block marked "ts run"`)
  const name = text.replaceAll(/\.md$|\W/g, (part) => (part === '/' ? '-' : ''))
  for (const [index, block] of blocks.entries()) {
    writeFileSync(`${folder}/${name}-${index + 1}.ts`, `${block[1]}\nexport {}\n`)
  }
}
