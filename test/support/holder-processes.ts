/** Three holders as processes: `guise holder serve` on loopback, killed and started again at will. @module */
/// <reference types="node" />

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { httpsPeer, selfSignedCertificate } from 'guise/node'
import { type QuorumMember, type QuorumPeer, quorumOf, readQuorumKey } from 'guise/quorum'
import { fromBase64 } from '../../src/base/bytes.ts'
import { holderCommand } from '../../src/cli/holder.ts'
import { compile } from '../fault/compile.ts'
import { ran } from '../unit/cli-support.ts'
import { REALM, type RequestLog, requestLog } from './quorum.ts'

const FOLDERS = [
  'base',
  'crypto',
  'store',
  'embedding',
  'policy',
  'audit',
  'transform',
  'keys',
  'quorum',
  'cli',
].map((name) => `src/${name}`)

type Change = (peer: QuorumPeer, index: number) => QuorumPeer
interface Line {
  readonly event: string
  readonly port?: number
}

/** A quorum of 2 of 3 in `folder`, none of whose holders runs yet. */
export class HolderProcesses {
  readonly log: RequestLog
  readonly lines: string[] = []
  readonly #folder: string
  readonly #main: string
  readonly #vault = selfSignedCertificate('vault', 1)
  readonly #pins = new Map<number, string>()
  readonly #running = new Map<number, ChildProcess>()
  readonly #ports = new Map<number, number>()
  readonly #peers = new Map<number, QuorumPeer & Disposable>()

  private constructor(folder: string, log: RequestLog) {
    this.#folder = folder
    this.log = log
    this.#main = join(compile({ folders: FOLDERS }), 'src', 'cli', 'main.js')
  }

  static async deal(folder: string): Promise<HolderProcesses> {
    const log = await requestLog()
    const world = new HolderProcesses(folder, log)
    const secrets = [1, 2, 3].flatMap((index) => {
      const path = join(folder, `key-${index}`)
      writeFileSync(path, new Uint8Array(32).fill(index))
      const { key, certificate, pin } = selfSignedCertificate('localhost', 1)
      writeFileSync(join(folder, `tls-${index}.key`), key)
      writeFileSync(join(folder, `tls-${index}.crt`), certificate)
      world.#pins.set(index, pin)
      return ['--key-file', path]
    })
    const size = ['--realm', REALM, '--threshold', '2', '--holders', '3']
    const budgets = ['--record-per-hour', '100000', '--record-total', '100000', '--all-per-hour', '1000000']
    const made = [
      'init',
      ...size,
      ...budgets,
      '--log-key',
      log.signer.verifierKey,
      '--into',
      join(folder, 'q'),
    ]
    const { code, err } = await ran(holderCommand, [...made, ...secrets])
    if (code !== 0) throw new Error(err)
    return world
  }

  /** The log goes by the clock of the machine, as the holders do. */
  tick(): void {
    this.log.clock.jump(Date.now() - this.log.clock.nowMs())
  }

  /** Starts a holder and waits until it listens; again on the port it had, so that clients find it. */
  async start(index: number): Promise<void> {
    const at = (name: string): string => join(this.#folder, name)
    const listen = `127.0.0.1:${this.#ports.get(index) ?? 0}`
    const where = ['--folder', at(`q/holder-${index}`), '--key-file', at(`key-${index}`), '--listen', listen]
    const own = ['--tls-key', at(`tls-${index}.key`), '--tls-cert', at(`tls-${index}.crt`)]
    const tls = [...own, '--client-pin', this.#vault.pin]
    const child = spawn(process.execPath, [this.#main, 'holder', 'serve', ...where, ...tls], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#running.set(index, child)
    let complaint = ''
    child.stderr.on('data', (chunk) => {
      complaint += String(chunk)
    })
    const port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.lines.push(line)
        const said = JSON.parse(line) as Line
        if (said.event === 'listening') resolve(said.port ?? 0)
      })
      child.once('exit', () => reject(new Error(`holder ${index} ended: ${complaint}`)))
    })
    this.#ports.set(index, port)
  }

  /** Ends a holder, and waits until it is gone. */
  async stop(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#running.get(index)
    if (child === undefined) return null
    this.#running.delete(index)
    const gone = once(child, 'exit')
    child.kill(signal)
    const [code] = (await gone) as [number | null]
    return code
  }

  peer(index: number): QuorumPeer {
    let peer = this.#peers.get(index)
    if (peer === undefined) {
      const url = `https://127.0.0.1:${this.#ports.get(index)}`
      peer = httpsPeer({ url, identity: this.#vault, server: { pins: [this.#pins.get(index) ?? ''] } })
      this.#peers.set(index, peer)
    }
    return peer
  }

  quorum(change: Change = (peer) => peer, timeoutMs = 10_000): ReturnType<typeof quorumOf> {
    const pinned = JSON.parse(readFileSync(join(this.#folder, 'q', 'quorum.json'), 'utf8')) as {
      key: string
      logKey: string
      members: { index: number; verifierKey: string }[]
    }
    const holders: QuorumMember[] = pinned.members.map(({ index, verifierKey }) => ({
      index,
      verifierKey,
      peer: change({ handle: (message, options) => this.peer(index).handle(message, options) }, index),
    }))
    const keys = [readQuorumKey(fromBase64(pinned.key) as Uint8Array)]
    return quorumOf({ keys, holders, logKey: pinned.logKey, timeoutMs })
  }

  async end(): Promise<void> {
    for (const peer of this.#peers.values()) peer[Symbol.dispose]()
    for (const index of this.#running.keys()) await this.stop(index, 'SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
