/** Writes the examples of README.md that run as files, for the compiler to check. @module */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const folder = 'test/types/readme'
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const blocks = [...readFileSync('README.md', 'utf8').matchAll(/^```ts run\n([\s\S]*?)^```$/gm)]
if (blocks.length === 0) throw new Error('README.md: no block marked "ts run"')
for (const [index, block] of blocks.entries()) {
  writeFileSync(`${folder}/${index + 1}.ts`, `${block[1]}\nexport {}\n`)
}
