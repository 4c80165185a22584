/** Compiles the kernels in AssemblyScript into the files that carry them; with --check compares, with paths prints a source compiled in place of another, with --text before them as text. @module */
import { readFileSync, writeFileSync } from 'node:fs'
import asc from 'assemblyscript/asc'

const OPTIONS = ['--runtime', 'stub', '--noAssert', '--enable', 'simd', '-O3']

/** Each with its memory. `memoryBase`: where a module keeps its constants. */
const KERNELS = [
  {
    source: 'src/transform/kernel.as',
    target: 'src/transform/kernel.generated.ts',
    // Two pages of memory, never more: views of it stay valid.
    options: ['--initialMemory', '2', '--maximumMemory', '2', '--memoryBase', '61440'],
  },
  {
    source: 'src/compare/scan.as',
    target: 'src/compare/scan.generated.ts',
    // The memory is what its host gives it: as many rows as there are.
    options: ['--importMemory'],
  },
  {
    source: 'src/evaluate/pair-kernel.as',
    target: 'src/evaluate/pair-kernel.generated.ts',
    // Constants lie behind everything that is wiped.
    options: ['--initialMemory', '2', '--maximumMemory', '2', '--memoryBase', '61440'],
  },
  {
    source: 'src/gallery/scan.as',
    target: 'src/gallery/scan.generated.ts',
    // The memory is what its host gives it, one for all threads.
    options: [
      ...['--importMemory', '--sharedMemory', '--enable', 'threads'],
      ...['--initialMemory', '1', '--maximumMemory', '65536', '--memoryBase', '1024'],
    ],
  },
]

/** The module of a source, in base64 and as text. `path`: a file that stands in for a part of it, by its name. */
async function compile({ source, options }, part = source, path = part) {
  const written = new Map()
  const entry = source.replace(/\.as$/, '.ts')
  const { error, stderr } = await asc.main(
    [entry, '--outFile', 'kernel.wasm', '--textFile', 'kernel.wat', ...OPTIONS, ...options],
    {
      readFile: (name) => {
        const file = name.replace(/\.ts$/, '.as')
        return file.startsWith('src/') ? readFileSync(file === part ? path : file, 'utf8') : null
      },
      writeFile: (name, contents) => written.set(name, contents),
      listFiles: () => [],
    },
  )
  if (error !== null) throw new Error(`${source} does not compile\n${stderr}`, { cause: error })
  return {
    module: Buffer.from(written.get('kernel.wasm')).toString('base64'),
    text: written.get('kernel.wat'),
  }
}

const args = process.argv.slice(2)
// The kernel, a part of its source, and the file to take for that part.
const [name, part, path] = args.filter((argument) => !argument.startsWith('--'))
if (name !== undefined) {
  const { module, text } = await compile(
    KERNELS.find(({ source }) => source === name),
    part,
    path,
  )
  process.stdout.write(args.includes('--text') ? text : module)
} else {
  for (const kernel of KERNELS) {
    const { module } = await compile(kernel)
    const generated = `/** ${kernel.source}, compiled by \`npm run kernels\`. @module */

export const KERNEL: string =
  '${module}'
`
    if (!args.includes('--check')) writeFileSync(kernel.target, generated)
    else if (generated !== readFileSync(kernel.target, 'utf8')) {
      console.error(`${kernel.target} is out of date: npm run kernels`)
      process.exitCode = 1
    }
  }
}
