/** Comparisons as others make them: a plaintext vector in PostgreSQL, and vectors that are compared while they are encrypted. @module */

import { createRequire } from 'node:module'
import { cosine } from './peers.ts'
import { makePeople, pick } from './people.ts'
import { singleConnection, withServer } from './postgres-server.ts'
import type { Plan, Series } from './scenario.ts'
import { timeCalls } from './timing.ts'

const require = createRequire(import.meta.url)

/** A row by its key over one connection, and its cosine. */
export function plainPostgres(plan: Plan): Promise<readonly Series[]> {
  return withServer(plan.folder, async (url) => {
    const people = await makePeople(plan.seed, plan.people)
    const pool = singleConnection(url)
    await pool.query('DROP TABLE IF EXISTS vectors')
    await pool.query('CREATE TABLE vectors (id integer PRIMARY KEY, embedding bytea NOT NULL)')
    for (const [id, { vector }] of people.entries()) {
      await pool.query('INSERT INTO vectors VALUES ($1, $2)', [id, Buffer.from(vector.slice().buffer)])
    }
    const text = 'SELECT embedding FROM vectors WHERE id = $1'
    const call = async (_: undefined, turn: number): Promise<number> => {
      const { rows } = await pool.query<{ embedding: Buffer }>({
        name: 'select',
        text,
        values: [turn % people.length],
      })
      const bytes = Uint8Array.from(rows[0]?.embedding ?? [])
      return cosine(new Float32Array(bytes.buffer), pick(people, turn).vector)
    }
    const series = await timeCalls('read and cosine', 10 * plan.calls, () => undefined, call)
    await pool.query('DROP TABLE vectors')
    await pool.end()
    return [series]
  })
}

interface Deletable {
  delete(): void
}
interface Saved extends Deletable {
  save(): string
  saveArray(): Uint8Array
}
type Plaintext = Deletable
type Ciphertext = Saved
type Key = Saved

/** The part of node-seal that is used. */
interface Seal {
  readonly SchemeType: { readonly bfv: unknown }
  readonly SecurityLevel: { readonly tc128: unknown }
  readonly ComprModeType: { readonly none: unknown }
  readonly CoeffModulus: { BFVDefault(degree: number, level: unknown): unknown }
  readonly PlainModulus: { Batching(degree: number, bits: number): unknown }
  EncryptionParameters(scheme: unknown): {
    setPolyModulusDegree(degree: number): void
    setCoeffModulus(modulus: unknown): void
    setPlainModulus(modulus: unknown): void
  }
  Context(parameters: unknown, expand: boolean, level: unknown): { parametersSet(): boolean }
  KeyGenerator(context: unknown): {
    secretKey(): Key
    createPublicKey(): Key
    createRelinKeys(): Key
    createGaloisKeys(steps: Int32Array): Key
  }
  CipherText(): Ciphertext
  BatchEncoder(context: unknown): {
    encode(values: Int32Array): Plaintext
    decode(plain: Plaintext, signed: boolean): Int32Array
  }
  Encryptor(context: unknown, key: Key): { encrypt(plain: Plaintext): Ciphertext }
  Decryptor(context: unknown, key: Key): { decrypt(encrypted: Ciphertext): Plaintext }
  Evaluator(context: unknown): {
    multiply(a: Ciphertext, b: Ciphertext): Ciphertext
    relinearize(a: Ciphertext, keys: Key): Ciphertext
    rotateRows(a: Ciphertext, steps: number, keys: Key): Ciphertext
    add(a: Ciphertext, b: Ciphertext): Ciphertext
  }
}

const DEGREE = 4096
const DIMENSIONS = 512
const STEPS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

/**
 * The inner product of two encrypted vectors of 512 small integers (BFV, 128-bit security by SEAL's table): whoever computes
 * it learns neither vectors nor result; whoever has the key learns the score.
 */
export async function encrypted(plan: Plan): Promise<readonly Series[]> {
  const seal = await (require('node-seal') as () => Promise<Seal>)()
  const parameters = seal.EncryptionParameters(seal.SchemeType.bfv)
  parameters.setPolyModulusDegree(DEGREE)
  parameters.setCoeffModulus(seal.CoeffModulus.BFVDefault(DEGREE, seal.SecurityLevel.tc128))
  parameters.setPlainModulus(seal.PlainModulus.Batching(DEGREE, 20))
  const context = seal.Context(parameters, true, seal.SecurityLevel.tc128)
  if (!context.parametersSet()) throw new Error('SEAL refuses the parameters')
  const generator = seal.KeyGenerator(context)
  const relinearisation = generator.createRelinKeys()
  const galois = generator.createGaloisKeys(Int32Array.from(STEPS))
  const encoder = seal.BatchEncoder(context)
  const encryptor = seal.Encryptor(context, generator.createPublicKey())
  const decryptor = seal.Decryptor(context, generator.secretKey())
  const evaluator = seal.Evaluator(context)

  const people = await makePeople(plan.seed, 2)
  const [a, b] = people.map(({ vector }) => stepsOf(vector)) as [Int32Array, Int32Array]
  const record = encryptor.encrypt(encoder.encode(a))
  const values: number[] = []
  for (let turn = -2; turn < Math.ceil(plan.batches / 4); turn++) {
    const begin = performance.now()
    const made: Deletable[] = []
    const keep = <Made extends Deletable>(each: Made): Made => {
      made.push(each)
      return each
    }
    const probe = keep(encryptor.encrypt(keep(encoder.encode(b))))
    let sum = keep(evaluator.relinearize(keep(evaluator.multiply(record, probe)), relinearisation))
    for (const step of STEPS) sum = keep(evaluator.add(sum, keep(evaluator.rotateRows(sum, step, galois))))
    const [score] = encoder.decode(keep(decryptor.decrypt(sum)), true)
    for (const each of made) each.delete()
    if (turn >= 0) values.push((performance.now() - begin) * 1000)
    const expected = a.reduce((product, value, i) => product + value * (b[i] ?? 0), 0)
    if (score !== expected) throw new Error(`${score} instead of ${expected}`)
  }
  const bytes = record.saveArray().length
  return [
    { name: 'encrypt, multiply, relinearise, rotate, decrypt', unit: 'µs', values },
    { name: 'record', unit: 'bytes', values: [bytes] },
  ]
}

/** Steps of the size that templates have, from −7 to 7. */
function stepsOf(vector: Float32Array): Int32Array {
  const step = 0.335 / Math.sqrt(DIMENSIONS)
  return Int32Array.from(vector, (value) => Math.max(-7, Math.min(7, Math.round(value / step))))
}
