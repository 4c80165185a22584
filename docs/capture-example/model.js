// @ts-check
/**
 * NOT A FACE MODEL. It stands where yours goes: light and dark of a picture in 16 × 8 fields, which says nothing about who is in it.
 * A real model takes the picture in the same way and gives its numbers; whatever runs in a browser will do.
 */

/** What the vault was opened with. */
export const model = /** @type {const} */ ({ id: 'placeholder-light@1', dimensions: 128, metric: 'cosine' })

const COLUMNS = 16
const ROWS = 8

/**
 * The callback: a picture in, an embedding out. The same picture gives the same numbers.
 *
 * @param {ImageData} picture
 * @returns {Promise<{ vector: Float32Array, quality: number }>} quality: 0 to 100
 */
export async function embed(picture) {
  const light = new Float32Array(COLUMNS * ROWS)
  const seen = new Float32Array(COLUMNS * ROWS)
  for (let y = 0; y < picture.height; y++)
    for (let x = 0; x < picture.width; x++) {
      const field =
        Math.floor((y * ROWS) / picture.height) * COLUMNS + Math.floor((x * COLUMNS) / picture.width)
      const at = 4 * (y * picture.width + x)
      const [red = 0, green = 0, blue = 0] = picture.data.subarray(at, at + 3)
      light[field] = (light[field] ?? 0) + 0.299 * red + 0.587 * green + 0.114 * blue
      seen[field] = (seen[field] ?? 0) + 1
    }
  const fields = light.map((sum, field) => sum / Math.max(1, seen[field] ?? 1))
  const mean = fields.reduce((sum, value) => sum + value, 0) / fields.length
  const vector = fields.map((value) => value - mean)
  const contrast = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0) / vector.length)
  if (contrast === 0) throw new RangeError('the picture shows nothing')
  return { vector, quality: Math.min(100, Math.round(contrast)) }
}
