/** Compiles the kernels in AssemblyScript into the files that carry them; with --check compares, with a path prints that source compiled, with --text before it as text. @module */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import asc from 'assemblyscript/asc'

/** A source and its memory. Memory that never grows keeps views of it valid; a scan is given that of its rows. */
const TWO_PAGES = ['--initialMemory', '2', '--maximumMemory', '2']
const KERNELS = [
  ['src/transform/kernel.as', TWO_PAGES],
  ['src/compare/scan.as', ['--importMemory']],
  ['src/evaluate/pair-kernel.as', TWO_PAGES],
]
const OPTIONS = ['--runtime', 'stub', '--noAssert', '--enable', 'simd', '-O3']

/** The module of a source, in base64 and as text; `path` stands in for the source where it is another file. */
async function compile(source, memory, path = source) {
  const entry = asName(source)
  const written = new Map()
  const files = [entry, '--outFile', 'kernel.wasm', '--textFile', 'kernel.wat']
  const { error, stderr } = await asc.main([...files, ...OPTIONS, ...memory], {
    readFile: (name) => read(name === entry ? path : name.replace(/\.ts$/, '.as')),
    writeFile: (name, contents) => written.set(name, contents),
    listFiles: () => [],
  })
  if (error !== null) throw new Error(`${path} does not compile\n${stderr}`, { cause: error })
  return {
    module: Buffer.from(written.get('kernel.wasm')).toString('base64'),
    text: written.get('kernel.wat'),
  }
}

/** The compiler reads and imports names that end in .ts, which these sources must not for the other compiler's sake. */
function asName(source) {
  return source.replace(/\.as$/, '.ts')
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

async function write(source, memory, check) {
  const { module } = await compile(source, memory)
  const target = source.replace(/\.as$/, '.generated.ts')
  const generated = `/** ${source}, compiled by \`npm run kernels\`. @module */

export const KERNEL: string =
  '${module}'
`
  if (!check) writeFileSync(target, generated)
  else if (generated !== read(target)) {
    console.error(`${target} is out of date: npm run kernels`)
    process.exitCode = 1
  }
}

const args = process.argv.slice(2)
const path = args.find((argument) => !argument.startsWith('--'))
if (path === undefined) {
  for (const [source, memory] of KERNELS) await write(source, memory, args.includes('--check'))
} else {
  // A copy of a source is compiled as the source that has its name.
  const [source, memory] = KERNELS.find(([name]) => basename(name) === basename(path)) ?? KERNELS[0]
  const { module, text } = await compile(source, memory, path)
  process.stdout.write(args.includes('--text') ? text : module)
}
