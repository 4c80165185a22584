/** The scan in WebAssembly, on a memory that several threads may share (SPEC §16.5). @module */

import { fromBase64, wipe } from '../base/bytes.ts'
import { stepOf } from '../transform/quantize.ts'
import { rotationSize, type Suite, suiteParameters } from '../transform/suite.ts'
import {
  BLOCKS_AT,
  INTEGERS_AT,
  JOB_AT,
  keyStreamBytes,
  type Layout,
  layoutOf,
  OWN_AT,
  OWN_BYTES,
  streamBlocks,
} from './layout.ts'
import { KERNEL } from './scan.generated.ts'

/** What scan.as exports; places are byte offsets in its memory, shards are counted from 0. */
export interface ScanExports {
  begin(own: number): void
  scan(job: number, own: number, first: number, count: number): void
}

/** A module and the memory that it works on. */
export interface ScanModule {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly exports: ScanExports
}

/** What is searched for. */
export interface ScanJob {
  readonly integers: Int32Array
  readonly threshold: number
  /** Always that of galleries, but where the price of its rounds is measured. */
  readonly suite: Suite
}

/** A slot whose code accepts the probe, as the kernel lists it. */
export interface RawHit {
  /** Counted from 0. */
  readonly shard: number
  readonly slot: number
  /** S and Q of §7. */
  readonly sum: number
  readonly energy: number
  readonly rank: number
}

const PAGE_BYTES = 65_536
/** 4 GiB: engines reserve addresses for it, memory is taken as it is used. */
const MOST_PAGES = 65_536
const HITS_AT = 16
const HIT_BYTES = 16
const PLANES_AT = 1088
const PLANES_BYTES = 512
/** What `knownAnswer` gives for a kernel that is right. */
const KNOWN_ANSWER = -1_748_597_247

/**
 * The kernel on a memory of its own.
 *
 * @returns `undefined` where there is no WebAssembly with 128-bit vectors and shared memory, none that may be compiled at once, or
 * where it does not give a known answer
 */
export function startScan(text: string = KERNEL): ScanModule | undefined {
  try {
    const started = startModule(text)
    return knownAnswer(started) === KNOWN_ANSWER ? started : undefined
  } catch {
    return undefined
  }
}

let compiled: { readonly text: string; readonly module: WebAssembly.Module } | undefined

/** Throws whatever the runtime has against the module or its memory; nobody has checked what it computes. */
export function startModule(text: string): ScanModule {
  if (compiled?.text !== text) {
    compiled = { text, module: new WebAssembly.Module(fromBase64(text) as BufferSource) }
  }
  const { module } = compiled
  const initial = BLOCKS_AT / PAGE_BYTES
  const memory = new WebAssembly.Memory({ initial, maximum: MOST_PAGES, shared: true })
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  return { module, memory, exports: exports as unknown as ScanExports }
}

/** Writes a search where all threads read it. */
export function writeJob(memory: WebAssembly.Memory, layout: Layout, job: ScanJob): void {
  const { integers, threshold, suite } = job
  const { bits } = layout
  const n = rotationSize(integers.length, bits)
  const { rounds, label } = suiteParameters(suite)
  const words = new Uint32Array(memory.buffer, JOB_AT, 14)
  words.set([31 - Math.clz32(n), rounds, bits, stepOf(n), layout.capacity, layout.perBlock])
  words.set([BLOCKS_AT, layout.blockBytes, layout.occupiedAt, layout.keysAt, layout.streamsAt], 6)
  words.set([layout.streamBytes, streamBlocks(keyStreamBytes(integers.length, bits)), INTEGERS_AT], 11)
  new Float64Array(memory.buffer, JOB_AT + 56, 1)[0] = threshold * threshold * bits
  new Uint8Array(memory.buffer, JOB_AT + 64, label.length).set(label)
  const values = new Int32Array(memory.buffer, INTEGERS_AT, n)
  values.fill(0)
  values.set(integers)
}

/** The hits of a thread, the highest rank first. */
export function readHits(memory: WebAssembly.Memory, thread: number): RawHit[] {
  const own = new DataView(memory.buffer, ownAt(thread), OWN_BYTES)
  const found = own.getInt32(0, true)
  return Array.from({ length: found }, (_, i) => {
    const at = HITS_AT + i * HIT_BYTES
    const rank = own.getFloat64(at, true)
    const slotAndSum = own.getUint32(at + 12, true)
    const sum = slotAndSum >>> 8
    // Q has 16 bits at most: the square of the quotient is nearer to it than to any other integer.
    const energy = Math.round((sum / rank) ** 2)
    return { shard: own.getUint32(at + 8, true), slot: slotAndSum & 255, sum, energy, rank }
  })
}

export function ownAt(thread: number): number {
  return OWN_AT + thread * OWN_BYTES
}

/** Overwrites the probe and everything that threads made of it. */
export function wipeJob(memory: WebAssembly.Memory): void {
  wipe(new Uint8Array(memory.buffer, JOB_AT, BLOCKS_AT - JOB_AT))
}

/**
 * A digest of what the kernel makes of two shards with fixed codes, whose key streams it makes itself. Wrong integers would find
 * nobody, or anybody.
 */
export function knownAnswer({ memory, exports }: ScanModule): number {
  const layout = layoutOf(32, 512, 2, undefined)
  const pages = Math.ceil(layout.blockBytes / PAGE_BYTES)
  memory.grow(pages)
  const block = new Uint8Array(memory.buffer, BLOCKS_AT, layout.blockBytes)
  block.forEach((_, i) => {
    block[i] = Math.imul(i + 1, 0x9e37_79b1) >>> 24
  })
  const integers = Int32Array.from({ length: 512 }, (_, i) => Math.imul(i + 1, 0x85eb_ca6b) >> 15)
  writeJob(memory, layout, { integers, threshold: 1, suite: 'B6' })
  exports.begin(ownAt(0))
  exports.scan(JOB_AT, ownAt(0), 0, 2)
  let sum = 0
  const take = (value: number): void => {
    sum = (Math.imul(sum, 31) + value) | 0
  }
  for (const value of new Uint8Array(memory.buffer, ownAt(0) + PLANES_AT, PLANES_BYTES)) take(value)
  for (const { shard, slot, rank } of readHits(memory, 0)) take(8 * shard + slot + Math.round(rank * 1e6))
  wipeJob(memory)
  wipe(block)
  return sum
}
