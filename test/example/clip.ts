/** A clip for Chromium's fake camera: one person's pattern, with a light of its own in every picture (YUV4MPEG2). @module */
import { writeFileSync } from 'node:fs'

const WIDTH = 320
const HEIGHT = 240
const COLUMNS = 16
const ROWS = 8
/** Of the light from black to white: what is the person's, and what is the moment's. */
const OWN = 45
const MOMENT = 32

/** Writes `seconds` of clip at ten pictures a second. No two pictures are alike before it starts again. */
export function writeClip(path: string, seconds: number, seed: number): void {
  const next = numbers(seed)
  const own = Array.from({ length: COLUMNS * ROWS }, () => OWN * next())
  const parts: Buffer[] = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`)]
  for (let picture = 0; picture < 10 * seconds; picture++) {
    const light = own.map((value) => Math.round(128 + value + MOMENT * next()))
    const luma = Buffer.alloc(WIDTH * HEIGHT)
    for (let y = 0; y < HEIGHT; y++) {
      const row = Math.floor((y * ROWS) / HEIGHT) * COLUMNS
      for (let x = 0; x < WIDTH; x++)
        luma[y * WIDTH + x] = light[row + Math.floor((x * COLUMNS) / WIDTH)] ?? 0
    }
    parts.push(Buffer.from('FRAME\n'), luma, Buffer.alloc((WIDTH * HEIGHT) / 2, 128))
  }
  writeFileSync(path, Buffer.concat(parts))
}

/** Numbers from −1 to 1 (xorshift). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  }
}
