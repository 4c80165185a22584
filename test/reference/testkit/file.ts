/** A file of the testkit: header lines, an empty line, the payload (test/vectors/testkit/README.md). @module */
import { hex, unhex } from '../bytes.ts'

/** What may come of reading a file, and the codes that guise has for it. */
export const CLASSES: Readonly<Record<string, readonly string[]>> = {
  success: [],
  format: ['ERR_RECORD_FORMAT', 'ERR_AUDIT_FORMAT'],
  version: ['ERR_RECORD_VERSION'],
  mac: ['ERR_RECORD_MAC'],
  binding: ['ERR_RECORD_BINDING'],
  seal: ['ERR_SEAL_OPEN'],
  missing: ['ERR_KEYS_MISSING'],
  index: ['ERR_KEYS_INDEX'],
  ring: ['ERR_KEYS_RING'],
  'key-state': ['ERR_KEYS_UNKNOWN_EPOCH', 'ERR_KEYS_RETIRED', 'ERR_KEYS_DISABLED', 'ERR_KEYS_DESTROYED'],
  transition: ['ERR_KEYS_TRANSITION'],
  signature: ['ERR_AUDIT_KEY'],
  proof: ['ERR_AUDIT_PROOF'],
  tamper: [
    'ERR_AUDIT_EDIT',
    'ERR_AUDIT_DELETION',
    'ERR_AUDIT_REORDER',
    'ERR_AUDIT_DUPLICATION',
    'ERR_AUDIT_INSERTION',
  ],
  rollback: ['ERR_AUDIT_TRUNCATION', 'ERR_AUDIT_ROLLBACK'],
  fork: ['ERR_AUDIT_FORK'],
}

export type Inputs = Readonly<Record<string, string>>

/** A file, read. `inputs` are the headers that its kind defines; the others have names of their own. */
export interface KitFile {
  readonly name: string
  readonly kind: string
  readonly expect: string
  readonly comment: string
  readonly code?: string
  readonly from?: string
  readonly result?: string
  readonly inputs: Inputs
  readonly payload: Uint8Array
}

const OWN = ['guise-testkit', 'kind', 'expect', 'code', 'from', 'comment', 'result', 'zeros'] as const
const LINE_DIGITS = 64
const MOST_PRINTED = 16_384

/** One thing that reads well, and what is made of it. */
export interface Good {
  readonly kind: string
  readonly name: string
  readonly comment: string
  readonly inputs: Inputs
  readonly payload: Uint8Array
  readonly result: string
}

/** Either another payload, or other inputs: one that is null is left out. */
export type Change = Uint8Array | Readonly<Record<string, string | null>>

export interface Fault {
  readonly name: string
  readonly code: string
  readonly comment: string
  readonly change: Change
}

export function fault(name: string, code: string, comment: string, change: Change): Fault {
  return { name, code, comment, change }
}

/** The success and its faults, each of them the same but for one thing. */
export function family(good: Good, faults: readonly Fault[] = []): KitFile[] {
  return [{ ...good, expect: 'success' }, ...faults.map((each) => broken(good, each))]
}

function broken(good: Good, { name, code, comment, change }: Fault): KitFile {
  const expect = classOf(code)
  if (expect === undefined) throw new RangeError(`${name}: ${code} has no class`)
  const same = { kind: good.kind, name, expect, code, from: good.name, comment }
  if (change instanceof Uint8Array) return { ...same, inputs: good.inputs, payload: change }
  const inputs = Object.entries({ ...good.inputs, ...change }).filter(
    (entry): entry is [string, string] => entry[1] !== null,
  )
  return { ...same, inputs: Object.fromEntries(inputs), payload: good.payload }
}

export function classOf(code: string): string | undefined {
  return Object.keys(CLASSES).find((name) => CLASSES[name]?.includes(code))
}

export function print(file: KitFile): string {
  const { kind, expect, code, from, comment, inputs, result } = file
  const zeros = file.payload.length > MOST_PRINTED ? trailingZeros(file.payload) : 0
  const headers = {
    'guise-testkit': '1',
    kind,
    expect,
    code,
    from,
    comment,
    ...inputs,
    result,
    zeros: zeros > 0 ? String(zeros) : undefined,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`.trimEnd()],
  )
  const digits = hex(file.payload.slice(0, file.payload.length - zeros))
  const body = digits.match(new RegExp(`.{1,${LINE_DIGITS}}`, 'g')) ?? []
  return [...lines, '', ...body].map((line) => `${line}\n`).join('')
}

/** Reads a file. Throws a `RangeError` for one that is not of the form. */
export function parse(name: string, text: string): KitFile {
  const end = text.indexOf('\n\n')
  if (end < 0 || !text.endsWith('\n')) throw new RangeError(`${name}: no payload`)
  const headers: Record<string, string> = {}
  for (const line of text.slice(0, end).split('\n')) {
    const [, key, value] = /^([a-z][a-z0-9-]*):(?: (.*))?$/.exec(line) ?? []
    if (key === undefined || key in headers) throw new RangeError(`${name}: header ${line}`)
    headers[key] = value ?? ''
  }
  if (headers['guise-testkit'] !== '1') throw new RangeError(`${name}: another format`)
  const { kind, expect, comment, code, from, result, zeros = '0' } = headers
  if (kind === undefined || expect === undefined || comment === undefined)
    throw new RangeError(`${name}: a header is missing`)
  const printed = unhex(text.slice(end + 2).replaceAll('\n', ''))
  const payload = new Uint8Array(printed.length + Number(zeros))
  payload.set(printed)
  const inputs = Object.entries(headers).filter(([key]) => !(OWN as readonly string[]).includes(key))
  return {
    name,
    kind,
    expect,
    comment,
    ...(code === undefined ? {} : { code }),
    ...(from === undefined ? {} : { from }),
    ...(result === undefined ? {} : { result }),
    inputs: Object.fromEntries(inputs),
    payload,
  }
}

function trailingZeros(bytes: Uint8Array): number {
  let count = 0
  while (count < bytes.length && bytes[bytes.length - 1 - count] === 0) count++
  return count
}
