/** Compiles the kernel in AssemblyScript into the file that carries it; with --check compares, with a path prints that source compiled, with --text before it as text. @module */
import { readFileSync, writeFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

const SOURCE = 'src/transform/kernel.as'
const TARGET = 'src/transform/kernel.generated.ts'

/** Two pages of memory, never more: views of it stay valid. */
const OPTIONS = [
  '--runtime',
  'stub',
  '--noAssert',
  '--enable',
  'simd',
  '-O3',
  '--initialMemory',
  '2',
  '--maximumMemory',
  '2',
]

/** The module of a source, in base64 and as text. */
async function compile(path) {
  const written = new Map()
  const files = ['kernel.ts', '--outFile', 'kernel.wasm', '--textFile', 'kernel.wat']
  const { error, stderr } = await asc.main([...files, ...OPTIONS], {
    readFile: (name) => (name === 'kernel.ts' ? readFileSync(path, 'utf8') : null),
    writeFile: (name, contents) => written.set(name, contents),
    listFiles: () => [],
  })
  if (error !== null) throw new Error(`${path} does not compile\n${stderr}`, { cause: error })
  return {
    module: Buffer.from(written.get('kernel.wasm')).toString('base64'),
    text: written.get('kernel.wat'),
  }
}

const args = process.argv.slice(2)
const path = args.find((argument) => !argument.startsWith('--'))
const { module, text } = await compile(path ?? SOURCE)
const generated = `/** ${SOURCE}, compiled by \`npm run kernels\`. @module */

export const KERNEL: string =
  '${module}'
`
if (path !== undefined) process.stdout.write(args.includes('--text') ? text : module)
else if (!args.includes('--check')) writeFileSync(TARGET, generated)
else if (generated !== readFileSync(TARGET, 'utf8')) {
  console.error(`${TARGET} is out of date: npm run kernels`)
  process.exitCode = 1
}
