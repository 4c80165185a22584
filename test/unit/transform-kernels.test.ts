/** Which kernel runs, what it leaves in its memory, and that its module is its source. @module */
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { fromBase64 } from '../../src/base/bytes.ts'
import { assemblyKernel, checksum, startModule } from '../../src/transform/assembly.ts'
import { KERNEL } from '../../src/transform/kernel.generated.ts'
import { portableKernel } from '../../src/transform/kernel.ts'
import { chooseKernel, kernel } from '../../src/transform/rotate.ts'
import { builtKernel, compiler, kernelText } from '../support/kernels.ts'

const module = fromBase64(KERNEL) as Uint8Array<ArrayBuffer>

test('the module is what the source compiles to', { timeout: 120_000 }, () => {
  expect(compiler(['--check'])).toBe('')
})

test('browsers compile it at once: it is below 4 KiB', () => {
  expect(module.length).toBeLessThan(4096)
})

describe('the choice', () => {
  test('is made once, and is the faster kernel here', () => {
    expect(kernel()).toBe(kernel())
    expect(kernel()).not.toBe(portableKernel)
  })

  test.each([
    ['no base64', '?'],
    ['no module', 'AAAA'],
    ['a module without a memory', 'AGFzbQEAAAA='],
  ])('%s leaves the portable one', (_, text) => {
    expect(assemblyKernel(text)).toBeUndefined()
    expect(chooseKernel(text)).toBe(portableKernel)
  })

  test('so does one that computes anything else, which every kernel is asked for once', () => {
    expect(checksum(portableKernel)).toBe(checksum(builtKernel()))
    const faulty = module.slice()
    // The signs of every fourth value by another bit: the vector 8, 128, 2048, 32768 occurs once.
    const at = Buffer.from(faulty).indexOf(Buffer.from(Int32Array.of(8, 128, 2048, 32_768).buffer))
    faulty[at] = 4
    const text = Buffer.from(faulty).toString('base64')
    expect(checksum(startModule(text))).not.toBe(checksum(portableKernel))
    expect(chooseKernel(text)).toBe(portableKernel)
  })

  test('so does a runtime that has no WebAssembly', () => {
    vi.stubGlobal('WebAssembly', undefined)
    try {
      expect(assemblyKernel()).toBeUndefined()
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('memory', () => {
  /** A kernel whose memory the test sees, all of it set to `fill` where the kernel has not written. */
  function watched() {
    const memories: WebAssembly.Memory[] = []
    const real = WebAssembly.Instance
    vi.stubGlobal('WebAssembly', {
      Module: WebAssembly.Module,
      Instance: function instance(compiled: WebAssembly.Module) {
        const made = new real(compiled)
        memories.push(made.exports['memory'] as WebAssembly.Memory)
        return made
      },
    })
    const own = builtKernel()
    vi.unstubAllGlobals()
    const memory = memories[0] as WebAssembly.Memory
    const bytes = new Uint8Array(memory.buffer)
    const constants = bytes.slice()
    /** Nothing is left but what the module came with. */
    const clean = (): boolean => bytes.every((byte, at) => byte === constants[at])
    return { own, memory, bytes, clean }
  }

  const SIZES = [64, 512, 4096] as const
  const values = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => (i * 7919) % 90_001)

  test.each(SIZES)('what lies elsewhere is copied in and leaves nothing, n = %i', (n) => {
    const { own, clean } = watched()
    const stream = new Uint8Array(30_000).fill(0xa5)
    const work = values(n)
    own.rotate(work, 6, stream)
    own.quantize(work, 5489, new Int8Array(64))
    own.signs(work, new Uint8Array(n / 8))
    expect(clean()).toBe(true)
  })

  test.each(SIZES)('its workspace is within it and is all that a call writes to, n = %i', (n) => {
    const { own, bytes, clean } = watched()
    const space = own.workspace(n, 21_632)
    expect(space.values.buffer).toBe(bytes.buffer)
    expect(space.stream.byteOffset).toBeGreaterThanOrEqual(4 * 4096)
    space.values.set(values(n))
    space.stream.fill(0x5a)
    own.rotate(space.values, 6, space.stream)
    own.quantize(space.values, 5489, new Int8Array(n))
    own.signs(space.values, new Uint8Array(n / 8))
    expect(space.stream.every((byte) => byte === 0x5a)).toBe(true)
    expect(space.values).not.toEqual(values(n))
    space.values.fill(0)
    space.stream.fill(0)
    expect(clean()).toBe(true)
  })

  test('one of the two elsewhere computes the same', () => {
    const { own, clean } = watched()
    const stream = new Uint8Array(1408).fill(0x36)
    const expected = values(512)
    portableKernel.rotate(expected, 4, stream)
    const space = own.workspace(512, 1408)
    space.values.set(values(512))
    own.rotate(space.values, 4, stream)
    expect(space.values).toEqual(expected)
    space.values.fill(0)
    space.stream.set(stream)
    const elsewhere = values(512)
    own.rotate(elsewhere, 4, space.stream)
    expect(elsewhere).toEqual(expected)
    space.stream.fill(0)
    expect(clean()).toBe(true)
  })

  test('a call that throws leaves nothing either', () => {
    const { own, clean } = watched()
    const refusing = (array: Int32Array | Int8Array | Uint8Array): void => {
      array.set = () => {
        expect(clean()).toBe(false)
        throw new RangeError('planted')
      }
    }
    const work = values(512)
    refusing(work)
    expect(() => own.rotate(work, 4, new Uint8Array(1408).fill(1))).toThrow('planted')
    const [q, bits] = [new Int8Array(512), new Uint8Array(64)]
    refusing(q)
    refusing(bits)
    expect(() => own.quantize(work, 5489, q)).toThrow('planted')
    expect(() => own.signs(work, bits)).toThrow('planted')
    expect(clean()).toBe(true)
  })

  test('never grows: views of it stay valid', () => {
    const { memory, bytes } = watched()
    expect(bytes.length).toBe(131_072)
    expect(bytes.filter((byte) => byte !== 0).length).toBeLessThan(100)
    expect(() => memory.grow(1)).toThrow(RangeError)
  })
})

describe('constant time', () => {
  let text = ''
  beforeAll(() => {
    text = kernelText()
  }, 120_000)
  const times = (instruction: RegExp): number => [...text.matchAll(instruction)].length

  test('TRANSFORM-3 what is loaded never becomes a number, on which an address or a branch could depend', () => {
    expect(times(/\bv128\.load\b/g)).toBeGreaterThan(30)
    expect(times(/\bv128\.load32_splat\b/g)).toBeGreaterThan(20)
    expect(times(/\b[if](?:32|64)\.load/g)).toBe(0)
    expect(times(/\bmemory\.(?:copy|fill)\b|\bglobal\.set\b|\b(?:any|all)_true\b/g)).toBe(0)
  })

  test('TRANSFORM-3 but for the results, which are stored at once', () => {
    expect(times(/\b\w*(?:extract_lane|bitmask)/g)).toBe(2)
    expect(times(/i8x16\.bitmask\s+i32\.const -1\s+i32\.xor\s+i32\.store16\b/g)).toBe(1)
    expect(times(/i32x4\.extract_lane 0\s+i32\.store\b/g)).toBe(1)
  })
})
