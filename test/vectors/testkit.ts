/** Holds a file of the testkit against what a reader makes of it, and against the file that it derives from. @module */
import { equal } from '../reference/bytes.ts'
import { CLASSES, classOf, type KitFile } from '../reference/testkit/file.ts'

/** Gives the result, or fails with an error that has a code. */
export type Reader = (file: KitFile) => string | Promise<string>

/** The code of whatever the reader throws; `undefined` and the result when it reads the file. */
async function outcomeOf(file: KitFile, read: Reader): Promise<{ code?: string; result?: string }> {
  try {
    return { result: await read(file) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : `untyped ${String(error)}`
    return { code }
  }
}

/**
 * What is wrong with a file. `exact` readers have the codes; of others the class is looked at, where a code of a decoder counts as
 * `format`.
 */
export async function faultsOf(
  file: KitFile,
  read: Reader,
  all: ReadonlyMap<string, KitFile>,
  exact: boolean,
): Promise<readonly string[]> {
  const { code, result } = await outcomeOf(file, read)
  const found = code === undefined ? 'success' : code === 'ERR_CONVENTIONS' ? 'format' : classOf(code)
  const faults: string[] = []
  if (found !== file.expect) faults.push(`${found ?? code} instead of ${file.expect}`)
  if (exact && code !== file.code) faults.push(`${code} instead of ${file.code}`)
  if (file.expect === 'success') {
    if (result !== file.result) faults.push('another result')
    if (file.from !== undefined || file.code !== undefined) faults.push('a success with a code or an origin')
    return faults
  }
  if (!(CLASSES[file.expect] ?? []).includes(file.code ?? '')) faults.push('the code is of another class')
  return [...faults, ...(await originFaults(file, read, all))]
}

/** A fault shows nothing unless what it was made from reads well and differs in one thing. */
async function originFaults(
  file: KitFile,
  read: Reader,
  all: ReadonlyMap<string, KitFile>,
): Promise<readonly string[]> {
  const origin = all.get(file.from ?? '')
  if (origin === undefined) return ['derives from no file']
  const faults: string[] = []
  if (origin.kind !== file.kind || origin.expect !== 'success')
    faults.push('derives from a file of another kind or outcome')
  const { result } = await outcomeOf(origin, read)
  if (result === undefined || result !== origin.result) faults.push('what it derives from does not read')
  const names = new Set([...Object.keys(file.inputs), ...Object.keys(origin.inputs)])
  const changed = [...names].filter((name) => file.inputs[name] !== origin.inputs[name]).length
  const differences = changed + (equal(file.payload, origin.payload) ? 0 : 1)
  if (differences !== 1) faults.push(`${differences} differences instead of one`)
  return faults
}
