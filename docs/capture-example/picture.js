// @ts-check
/** Where pictures come from: the camera, a file, or, for the attacks, a pattern that is drawn. */

const WIDTH = 320
const HEIGHT = 240

/**
 * Shows the camera in `video` until the page goes away.
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<void>}
 */
export async function startCamera(video) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user' }, audio: false })
  video.srcObject = stream
  await video.play()
  addEventListener('pagehide', () => stream.getTracks().forEach((track) => track.stop()), { once: true })
}

/**
 * The picture that the camera gives next: never one that was there before the button was pressed.
 *
 * @param {HTMLVideoElement} video
 * @returns {Promise<ImageData>}
 */
export async function nextPicture(video) {
  await new Promise((resolve) => video.requestVideoFrameCallback(resolve))
  return pixels(video)
}

/**
 * @param {File} file
 * @returns {Promise<ImageData>}
 */
export async function pictureOf(file) {
  const bitmap = await createImageBitmap(file)
  try {
    return pixels(bitmap)
  } finally {
    bitmap.close()
  }
}

/**
 * What one "person" of the attacks looks like on one occasion: 16 × 8 fields of light, of the person's own, and with them something of the day,
 * which has nothing in common with it. Two occasions agree at a cosine of 0.74.
 *
 * @param {string} person
 * @returns {ImageData}
 */
export function drawnPicture(person) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT)
  const context = contextOf(canvas)
  const own = pattern(numbersOf(person))
  const other = pattern(() => 2 * Math.random() - 1)
  const common = product(other, own) / product(own, own)
  const day = other.map((value, field) => value - common * (own[field] ?? 0))
  const share = DAY * Math.sqrt(product(own, own) / product(day, day))
  own.forEach((value, field) => {
    const light = Math.round(128 + 45 * (value + share * (day[field] ?? 0)))
    const [x, y] = [field % 16, Math.floor(field / 16)]
    context.fillStyle = `rgb(${light} ${light} ${light})`
    context.fillRect((x * WIDTH) / 16, (y * HEIGHT) / 8, WIDTH / 16, HEIGHT / 8)
  })
  return context.getImageData(0, 0, WIDTH, HEIGHT)
}

/** The size of what is of the day, beside the person's own. */
const DAY = 0.593

/**
 * A value for each field, zero on average.
 *
 * @param {() => number} next
 */
function pattern(next) {
  const values = Array.from({ length: 16 * 8 }, next)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.map((value) => value - mean)
}

/**
 * @param {readonly number[]} a
 * @param {readonly number[]} b
 */
function product(a, b) {
  return a.reduce((sum, value, field) => sum + value * (b[field] ?? 0), 0)
}

/**
 * @param {CanvasImageSource} source
 * @returns {ImageData}
 */
function pixels(source) {
  const context = contextOf(new OffscreenCanvas(WIDTH, HEIGHT))
  context.drawImage(source, 0, 0, WIDTH, HEIGHT)
  return context.getImageData(0, 0, WIDTH, HEIGHT)
}

/**
 * @param {OffscreenCanvas} canvas
 * @returns {OffscreenCanvasRenderingContext2D}
 */
function contextOf(canvas) {
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (context === null) throw new Error('this browser draws nothing')
  return context
}

/**
 * Numbers from −1 to 1 that depend on a text alone (FNV-1a, then xorshift).
 *
 * @param {string} text
 * @returns {() => number}
 */
function numbersOf(text) {
  let state = 0x811c9dc5
  for (const unit of text) state = Math.imul(state ^ (unit.codePointAt(0) ?? 0), 0x01000193)
  state ||= 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  }
}
