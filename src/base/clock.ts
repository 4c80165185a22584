/** The one place that reads time: wall clock and a clock that survives a restart of the process. @module */

import { secretBytes } from './bytes.ts'

/** Where time comes from; a test passes its own. */
export interface Clock {
  /** Wall clock: integer milliseconds since 1970-01-01T00:00:00Z. May jump either way. */
  nowMs(): number

  /**
   * Steady clock: `ms` never goes down while `origin` stays the same, whatever happens to the wall clock.
   * `origin` (16 bytes, a copy) names the boot or the process that `ms` counts from: readings with different
   * origins cannot be compared.
   */
  steady(): { readonly origin: Uint8Array; readonly ms: number }
}

/** What the host offers for a clock; `undefined` members are missing on this host. */
export interface ClockHost {
  wallMs(): number
  /** Milliseconds since some start of the process, fractions allowed, never going down. */
  processMs(): number
  /** 16 bytes that name the boot of this machine. */
  readonly bootId: Uint8Array | undefined
  /** Seconds since that boot, sleep included. */
  readonly uptimeSeconds: (() => number) | undefined
}

/** Reading the uptime costs a system call; between two readings the process clock fills in. */
const UPTIME_VALID_MS = 1000

/**
 * The clock of this machine: `Date.now` and, on Linux under Node, the time since boot, named by a hash of the
 * boot id; elsewhere `performance.now`, named by a random origin per process.
 */
export const systemClock: Clock = /* @__PURE__ */ createClock(/* @__PURE__ */ readHost())

/** A clock over the given host. */
export function createClock(host: ClockHost): Clock {
  const { bootId, uptimeSeconds } = host
  if (bootId === undefined || uptimeSeconds === undefined) {
    const origin = globalThis.crypto.getRandomValues(secretBytes(16))
    return {
      nowMs: () => Math.trunc(host.wallMs()),
      steady: () => ({ origin: new Uint8Array(origin), ms: Math.trunc(host.processMs()) }),
    }
  }
  let baseMs = 0
  let readAtMs = Number.NEGATIVE_INFINITY
  let lastMs = 0
  return {
    nowMs: () => Math.trunc(host.wallMs()),
    steady: () => {
      const processMs = host.processMs()
      if (processMs - readAtMs >= UPTIME_VALID_MS) {
        baseMs = uptimeSeconds() * 1000
        readAtMs = processMs
      }
      // The uptime counts in hundredths of a second, so a fresh reading may lie a little behind the last
      // answer.
      lastMs = Math.max(lastMs, Math.trunc(baseMs + processMs - readAtMs))
      return { origin: new Uint8Array(bootId), ms: lastMs }
    },
  }
}

/** Milliseconds of this process with fractions, for how long something took; tells no time of day. */
export function processMs(): number {
  return performance.now()
}

/** The parts of Node that the clock asks for; every one may be missing. */
interface NodeProcess {
  readonly platform?: string
  readonly getBuiltinModule?: (id: string) => unknown
}
interface NodeFiles {
  readFileSync(path: string, encoding: 'utf8'): string
  readlinkSync(path: string): string
}
interface NodeHash {
  createHash(name: 'sha256'): { update(text: string): { digest(): Uint8Array } }
}
interface NodeSystem {
  uptime(): number
}

/** What this host offers. `process` is a parameter for tests; a browser has none. */
export function readHost(
  process: NodeProcess | undefined = (globalThis as { readonly process?: NodeProcess }).process,
): ClockHost {
  const host = { wallMs: () => Date.now(), processMs }
  const none: ClockHost = { ...host, bootId: undefined, uptimeSeconds: undefined }
  const load = process?.getBuiltinModule
  if (load === undefined || process?.platform !== 'linux') return none
  try {
    const system = load('node:os') as NodeSystem
    system.uptime()
    const files = load('node:fs') as NodeFiles
    const id = files.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    // A container shares the boot id with its host, but may count the time since boot from elsewhere.
    const spaces = ['time', 'pid'].map((name) => namespaceOf(files, name)).join(' ')
    // Whoever knows the boot id can link everything this machine does until it restarts: only a hash is kept.
    const hash = (load('node:crypto') as NodeHash).createHash('sha256')
    const digest = hash.update(`guise/v1/boot ${id} ${spaces}`).digest()
    return { ...host, bootId: Uint8Array.from(digest.subarray(0, 16)), uptimeSeconds: () => system.uptime() }
  } catch {
    return none
  }
}

/** What the kernel calls a namespace of this process; kernels before 5.6 have none of time. */
function namespaceOf(files: NodeFiles, name: string): string {
  try {
    return files.readlinkSync(`/proc/self/ns/${name}`)
  } catch {
    return `${name}:none`
  }
}
