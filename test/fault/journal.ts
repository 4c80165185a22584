/** What a process wrote and flushed, in order, read from a trace of its system calls (strace). @module */
/// <reference types="node" />

import { basename, dirname } from 'node:path'

/**
 * `at`: the place in the trace where the call began; `done`: where it had returned. A write with `flushed` went
 * through a descriptor opened with O_DSYNC, so that its own bytes are on the disk when it returns.
 */
export type JournalEvent =
  | {
      readonly kind: 'write'
      readonly at: number
      readonly done: number
      readonly file: string
      readonly offset: number
      readonly data: Buffer
      readonly flushed: boolean
    }
  | { readonly kind: 'flush'; readonly at: number; readonly done: number; readonly file: string }
  | { readonly kind: 'acknowledge'; readonly at: number; readonly done: number; readonly token: string }

/** The calls that must be traced for a journal. */
const TRACED_CALLS = 'openat,close,pwrite64,pwritev,writev,write,lseek,fdatasync,fsync,ftruncate'

/** Options of strace that give the form this file reads: all threads, paths of descriptors, whole data in hex. */
export const TRACE_FORM: readonly string[] = [
  '-f',
  '-qq',
  '-y',
  '-xx',
  '-s',
  '10000000',
  '-e',
  `trace=${TRACED_CALLS}`,
]

/**
 * Reads a trace. Only files that lie in `directory` and are written in place are followed; `ignore` names others
 * that do not matter after a restart.
 */
export function readJournal(
  trace: string,
  directory: string,
  ignore: readonly string[] = ['lock.mdb'],
): readonly JournalEvent[] {
  const reader = new Reader(directory, ignore)
  for (const [at, line] of trace.split('\n').entries()) reader.line(at, line)
  return reader.events.sort((a, b) => a.at - b.at)
}

const CALL = /^(\d+)\s+(\w+)\((.*)$/s
const RESUMED = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$/s
const UNFINISHED = ' <unfinished ...>'

class Reader {
  readonly events: JournalEvent[] = []
  readonly #directory: string
  readonly #ignore: readonly string[]
  readonly #unfinished = new Map<string, { at: number; name: string; text: string }>()
  readonly #synchronous = new Set<string>()
  readonly #positions = new Map<string, number>()

  constructor(directory: string, ignore: readonly string[]) {
    this.#directory = directory
    this.#ignore = ignore
  }

  line(at: number, line: string): void {
    const resumed = RESUMED.exec(line)
    if (resumed !== null) {
      const [, thread = '', name = '', rest = ''] = resumed
      const begun = this.#unfinished.get(thread)
      if (begun?.name !== name) throw new Error(`the trace resumes a call that it does not know: ${name}`)
      this.#unfinished.delete(thread)
      this.#call(begun.at, at, name, begun.text + rest)
      return
    }
    const call = CALL.exec(line)
    if (call === null) return
    const [, thread = '', name = '', text = ''] = call
    if (text.endsWith(UNFINISHED)) {
      this.#unfinished.set(thread, { at, name, text: text.slice(0, -UNFINISHED.length) })
    } else {
      this.#call(at, at, name, text)
    }
  }

  #call(at: number, done: number, name: string, text: string): void {
    const [, given = '', answer = ''] = /^(.*)\) += (.*)$/s.exec(text) ?? []
    const result = Number.parseInt(answer, 10)
    if (name === 'openat') {
      this.#open(given, answer)
      return
    }
    const descriptor = /^\d+/.exec(given)?.[0] ?? ''
    if (name === 'write' && descriptor === '1') {
      this.#acknowledge(at, done, given)
      return
    }
    const file = this.#file(given)
    if (name === 'close') this.#forget(descriptor)
    if (file === undefined || name === 'close') return
    if (result < 0) throw new Error(`${name} failed under the trace`)
    if (name === 'fdatasync' || name === 'fsync') this.events.push({ kind: 'flush', at, done, file })
    else if (name === 'lseek') this.#positions.set(descriptor, result)
    else if (name === 'ftruncate') throw new Error(`${file} is truncated, which the simulator does not model`)
    else this.#write({ at, done, file, descriptor, name, given, result })
  }

  #write(call: {
    at: number
    done: number
    file: string
    descriptor: string
    name: string
    given: string
    result: number
  }): void {
    const { at, done, file, descriptor, name, given, result } = call
    const data = Buffer.concat(quoted(given).slice(1)).subarray(0, result)
    if (data.length !== result) throw new Error(`the trace of ${name} lacks data`)
    const positioned = name.startsWith('p')
    const offset = positioned
      ? Number.parseInt(given.slice(given.lastIndexOf(',') + 1), 10)
      : (this.#positions.get(descriptor) ?? 0)
    if (!positioned) this.#positions.set(descriptor, offset + result)
    const flushed = this.#synchronous.has(descriptor)
    this.events.push({ kind: 'write', at, done, file, offset, data, flushed })
  }

  #open(given: string, answer: string): void {
    const descriptor = /^\d+/.exec(answer)?.[0]
    if (descriptor === undefined) return
    this.#forget(descriptor)
    if (/O_D?SYNC/.test(given)) this.#synchronous.add(descriptor)
  }

  #forget(descriptor: string): void {
    this.#synchronous.delete(descriptor)
    this.#positions.delete(descriptor)
  }

  #acknowledge(at: number, done: number, given: string): void {
    const text = quoted(given).at(-1)?.toString('utf8') ?? ''
    for (const line of text.split('\n')) {
      if (line.startsWith('ack ')) this.events.push({ kind: 'acknowledge', at, done, token: line.slice(4) })
    }
  }

  /** The name of a followed file that the first descriptor of a call stands for. */
  #file(given: string): string | undefined {
    const path = /^\d+<([^>]*)>/.exec(given)?.[1]
    if (path === undefined) return undefined
    const decoded = fromEscapes(path).toString('utf8')
    const name = basename(decoded)
    return dirname(decoded) === this.#directory && !this.#ignore.includes(name) ? name : undefined
  }
}

/** The quoted texts of a call, the path of its descriptor first. */
function quoted(text: string): readonly Buffer[] {
  return Array.from(text.matchAll(/[<"]((?:\\x[0-9a-f]{2})*)[>"]/g), (match) => fromEscapes(match[1] ?? ''))
}

function fromEscapes(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex')
}
