/** Writes the example bytes of SPEC.md's chapters from the vectors; with --check compares them. @module */
import { readFileSync, writeFileSync } from 'node:fs'

const vectors = (name) => JSON.parse(readFileSync(`test/vectors/${name}.json`, 'utf8')).positive
const named = (name, title) => vectors(name).find((vector) => vector.name === title)
const short = (hex, bytes = 24) =>
  hex.length > 2 * bytes ? `${hex.slice(0, 2 * bytes)}… (${hex.length / 2} bytes)` : hex
const list = (numbers) => `${numbers.slice(0, 6).join(' ')} …`

const transform = named('transform', 'd 64 m 64 B4')
const { expected } = transform
const [probe] = expected.probes
const keys = named('keys', 'realm keys, version 1')
const seal = vectors('seal')[0]
const row = named('record', 'reference, m 512 of d 512')
const receipt = vectors('receipt')[0]
const quorum = named('quorum', '2 of 3')
const [part] = quorum.parts
const capture = named('capture', 'ES256 token')
const log = named('audit', 'log')
const entry = named('audit', 'entry 0')

const examples = {
  embedding: [`integers of a vector of d = 64: ${list(expected.integers)}`],
  keys: [
    `S_1    ${keys.secret}`,
    `realm  ${keys.realm}`,
    `index  ${keys.keys.index}`,
    `state  ${keys.keys.state}`,
  ],
  transform: [
    `rotation key     ${transform.rotationKey}`,
    `stream           ${short(expected.stream.first)}, ${expected.stream.length} bytes in all`,
    ...expected.rounds.map(({ values }, round) => `after round ${round + 1}    ${list(values)}`),
  ],
  template: [
    `mask  ${expected.mask}`,
    `code  ${expected.code}`,
    `q     ${short(probe.q)} (one signed byte a step)`,
  ],
  comparison: [
    `S = ${probe.sum}, Q = ${probe.energy}, m = 64: accepted at T = ${probe.decisions[2].threshold}, not at ${probe.decisions[3].threshold}`,
  ],
  seal: [
    `k           ${seal.k}`,
    `label       ${seal.label}`,
    `nonce       ${seal.nonce}`,
    `commitment  ${seal.commitment}`,
    `ciphertext  ${short(seal.ciphertext)}`,
  ],
  record: [`key     ${row.key}`, `header  ${short(row.header)}`, `row     ${short(row.row)}`],
  audit: [
    `entry         ${short(entry.entry)}`,
    `leaf          ${entry.leaf}`,
    `verifier key  ${log.key}`,
    'checkpoint:',
    ...log.note.trimEnd().split('\n'),
  ],
  capture: [
    `payload    ${short(capture.payload)}`,
    `header     ${short(capture.header, 40)}`,
    `signed     ${short(capture.signed)}`,
    `plaintext  ${short(capture.plaintext)}`,
    `enc        ${short(capture.enc)}`,
    `sealed     ${short(capture.sealed)}`,
  ],
  quorum: [
    `quorum key  ${short(quorum.key)}`,
    `m           ${short(quorum.input)}`,
    `H           ${quorum.element}`,
    `Y_1         ${part.evaluated}`,
    `proof       ${short(part.proof)}`,
    `output      ${short(quorum.output)}`,
  ],
  lifecycle: [`receipt body  ${short(receipt.body)}`, `signature     ${short(receipt.signature)}`],
}

const spec = readFileSync('SPEC.md', 'utf8')
let next = spec
for (const [name, lines] of Object.entries(examples)) {
  const block = `<!-- example ${name} -->\n\n\`\`\`\n${lines.join('\n')}\n\`\`\`\n\n<!-- /example -->`
  const place = new RegExp(`<!-- example ${name} -->[\\s\\S]*?<!-- /example -->`)
  if (!place.test(next)) throw new Error(`SPEC.md has no place for the example ${name}`)
  next = next.replace(place, () => block)
}
if (!process.argv.includes('--check')) writeFileSync('SPEC.md', next)
else if (next !== spec) {
  console.error('SPEC.md: the example bytes are out of date: npm run index')
  process.exitCode = 1
}
