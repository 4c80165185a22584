/** Rules of the package: what it depends on, what it exports, and a lock file that every machine accepts. @module */

interface Manifest {
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly scripts?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages?: Readonly<
    Record<
      string,
      { readonly resolved?: string; readonly optionalDependencies?: Readonly<Record<string, string>> }
    >
  >
}

/** Everything that runs in a user's process. One more is a decision, not an accident. */
const RUNTIME = ['@noble/curves', '@noble/hashes', 'cborg', 'hpke', 'libsodium-wrappers']
/** Run on the machine of whoever installs the package. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

const EXACT = /^\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?$/
/** A folder of the tests: what not every machine can install is optional there. */
const OURS = /^(?:file:)?test\/[a-z-]+$/
/** Of a peer that the caller hands in a lower bound is enough. */
const PEER = /^(?:>=)?\d+\.\d+\.\d+$/

export function manifestFaults(json: string, entries: readonly string[]): string[] {
  const manifest = JSON.parse(json) as Manifest
  const faults: string[] = []
  const runtime = Object.keys(manifest.dependencies ?? {}).sort()
  if (runtime.join() !== RUNTIME.join()) faults.push(`runtime dependencies: ${runtime.join(', ')}`)
  for (const group of [manifest.dependencies, manifest.devDependencies, manifest.peerDependencies])
    for (const [name, version] of Object.entries(group ?? {}))
      if (
        !(group === manifest.peerDependencies ? PEER : EXACT).test(version) &&
        !(group === manifest.devDependencies && OURS.test(version))
      )
        faults.push(`${name}: ${version} is no exact version`)
  for (const name of Object.keys(manifest.peerDependencies ?? {}))
    if (manifest.peerDependenciesMeta?.[name]?.optional !== true) faults.push(`${name}: a peer is optional`)
  for (const name of INSTALL_SCRIPTS)
    if (manifest.scripts?.[name] !== undefined) faults.push(`${name}: runs on the machine of a user`)
  return [...faults, ...exportFaults(manifest.exports ?? {}, entries)]
}

/** The map of exports and the entries in src are the same list; types come first, or compilers overlook them. */
function exportFaults(exports: NonNullable<Manifest['exports']>, entries: readonly string[]): string[] {
  const faults: string[] = []
  const wanted = new Map(
    entries
      .map((path) => path.slice('src/'.length, -'.ts'.length))
      .map((name) => [name, subPath(name)] as const),
  )
  for (const [name, path] of wanted) {
    const target = exports[path]
    const right = JSON.stringify({ types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` })
    if (JSON.stringify(target) !== right) faults.push(`exports ${path}: not ${right}`)
  }
  const known = new Set([...wanted.values(), './package.json'])
  for (const path of Object.keys(exports))
    if (!known.has(path)) faults.push(`exports ${path}: no entry in src`)
  return faults
}

function subPath(name: string): string {
  return name === 'index' ? '.' : `./${name}`
}

/** `npm ci` refuses a lock file that lacks the package of any platform; an address would tie it to one registry. */
export function lockFaults(json: string): string[] {
  const packages = (JSON.parse(json) as Lock).packages ?? {}
  const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')))
  return Object.entries(packages).flatMap(([path, { resolved, optionalDependencies }]) => [
    ...Object.keys(optionalDependencies ?? {})
      .filter((name) => !names.has(name))
      .map((name) => `${path}: ${name} is not in the lock file`),
    ...(resolved === undefined || OURS.test(resolved) ? [] : [`${path}: comes from ${resolved}`]),
  ])
}
