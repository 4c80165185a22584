/** The draining of docs/operations.md in a process of its own: nothing that was answered is lost, and it ends with 0. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { logElsewhere, openKeyring, type VaultOptions } from 'guise'
import { lmdbStore } from 'guise/lmdb'
import { localKeyProvider, vaultStatus } from 'guise/node'
import ts from 'typescript'
import { afterEach, expect, test } from 'vitest'
import { face, point, testVault } from '../support/vault.ts'
import { examplesIn } from '../tidy/readme.ts'

const MODEL = { id: 'arcface-r100@1', dimensions: 128, metric: 'cosine' } as const
const folders: string[] = []
const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** The example as it stands, but for its last line, which does not wait for the signal, and for what a control changes. */
function program(changes: readonly (readonly [from: string, to: string])[]): string {
  const example = examplesIn(readFileSync('docs/operations.md', 'utf8')).find(({ code }) =>
    code.includes('SIGTERM'),
  )
  const all = [[/^await drain\(\).*$/m, ''] as const, ...changes]
  const code = all.reduce((text, [from, to]) => {
    const next = text.replace(from, to)
    if (next === text) throw new Error(`the example lacks ${from}`)
    return next
  }, example?.code ?? '')
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  return outputText
}

interface Served {
  readonly folder: string
  readonly child: ChildProcess
  readonly port: number
}

async function serve(changes: readonly (readonly [from: string, to: string])[] = []): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), 'guise-drain-'))
  folders.push(folder)
  const home = process.cwd()
  symlinkSync(join(home, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const dist = (name: string): string => join(home, 'dist', `${name === '' ? 'index' : name.slice(1)}.js`)
  const text = program(changes).replaceAll(/from 'guise(\/\w+)?'/g, (_, name = '') => `from '${dist(name)}'`)
  writeFileSync(join(folder, 'main.js'), text)
  const child = spawn(process.execPath, ['main.js'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value } = await lines.next()
  return { folder, child, port: Number(/listening on (\d+)/.exec(String(value))?.[1]) }
}

/** The status of one enrolment; 0 when the connection failed. */
function enroll(port: number, agent: Agent, person: number): Promise<number> {
  return new Promise((resolve) => {
    const call = request({ port, agent, method: 'POST', host: '127.0.0.1' }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    call.on('error', () => resolve(0))
    call.end(JSON.stringify({ subject: `person ${person}`, vector: [...face(person)] }))
  })
}

/** Enrols people in eight lanes until every lane meets a refusal; the signal comes in the middle. */
async function enrollUntilDrained({ child, port }: Served): Promise<{ answered: number[]; refused: number }> {
  const agent = new Agent({ keepAlive: true })
  const answered: number[] = []
  let refused = 0
  let person = 0
  const lane = async (): Promise<void> => {
    for (;;) {
      const mine = person++
      const status = await enroll(port, agent, mine)
      if (status !== 201) {
        refused++
        return
      }
      answered.push(mine)
      if (answered.length === 40) child.kill('SIGTERM')
    }
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  agent.destroy()
  return { answered, refused }
}

/** How many of the people are missing, and how many there are. */
async function missing(folder: string, people: readonly number[]): Promise<{ lost: number; stored: number }> {
  const provider = localKeyProvider({
    path: join(folder, 'keys'),
    key: readFileSync(join(folder, 'realm.key')),
  })
  const store = await lmdbStore({ path: join(folder, 'vault') })
  const keyring = await openKeyring({ realm: 'clinic', provider, store })
  const { open } = await testVault({ realm: 'unused' })
  const where = { keyring, store, model: MODEL, operatingPoints: [point(MODEL)] }
  const vault = await open({
    ...where,
    logSigner: undefined,
    [logElsewhere]: true,
  } as unknown as Partial<VaultOptions>)
  let lost = 0
  for (const person of people) {
    if ((await vault.describe(`person ${person}`))?.state !== 'active') lost++
  }
  const { people: stored, ok } = await vaultStatus({ keyring, store })
  expect(ok).toBe(true)
  await vault.close()
  await store.close()
  keyring.close()
  provider.close()
  return { lost, stored }
}

test('a process that is told to end answers what it began, refuses the rest, and ends with 0', async () => {
  const served = await serve()
  const exit = once(served.child, 'exit')
  const { answered, refused } = await enrollUntilDrained(served)
  expect(await exit).toEqual([0, null])
  expect(answered.length).toBeGreaterThanOrEqual(40)
  expect(refused).toBe(8)
  const { lost, stored } = await missing(served.folder, answered)
  expect(lost).toBe(0)
  expect(stored).toBeGreaterThanOrEqual(answered.length)
}, 60_000)

test('the control that answers first and does not wait loses some', async () => {
  const served = await serve([
    [
      'await vault.enroll(',
      'void Promise.resolve().then(() => new Promise((r) => setTimeout(r, 100))).then(() => vault.enroll(',
    ],
    ['operationId: `enroll ${subject}` })\n', 'operationId: `enroll ${subject}` }))\n'],
    ['void drain()', 'process.exit(0)'],
  ])
  const exit = once(served.child, 'exit')
  const { answered } = await enrollUntilDrained(served)
  await exit
  expect((await missing(served.folder, answered)).lost).toBeGreaterThan(0)
}, 60_000)

test('a client that keeps a request half said does not keep the process', async () => {
  const served = await serve()
  const socket = connect(served.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{')
  // A first answer shows that the process reads what is sent.
  const agent = new Agent()
  expect(await enroll(served.port, agent, 1)).toBe(201)
  const exit = once(served.child, 'exit')
  served.child.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
  socket.destroy()
}, 60_000)
