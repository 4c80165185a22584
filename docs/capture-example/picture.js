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
 * What one "person" of the attacks looks like on one occasion: fields of light, the same for a person but for a third that is of the day.
 *
 * @param {string} person
 * @returns {ImageData}
 */
export function drawnPicture(person) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT)
  const context = contextOf(canvas)
  const own = numbersOf(person)
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 16; x++) {
      const light = Math.round(128 + 45 * own() + 32 * (2 * Math.random() - 1))
      context.fillStyle = `rgb(${light} ${light} ${light})`
      context.fillRect((x * WIDTH) / 16, (y * HEIGHT) / 8, WIDTH / 16, HEIGHT / 8)
    }
  return context.getImageData(0, 0, WIDTH, HEIGHT)
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
