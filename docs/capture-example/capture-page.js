// @ts-check
/** Capture, statement, signature, seal: what a device does, and the answer of the server. */

import { sealCapture } from 'guise/capture'
import { challenge, enrolDevice, outcomeOf, send } from './calls.js'
import { thisDevice } from './device.js'
import { element } from './elements.js'
import { embed, model } from './model.js'
import { nextPicture, pictureOf, startCamera } from './picture.js'

const PURPOSE = 'login'
const WORDS = {
  enrolled: 'enrolled',
  match: 'match',
  known: 'was enrolled before',
  nonmatch: 'no match',
  'second-factor': 'a second factor is needed',
  refused: 'refused',
}

const form = element('capture', HTMLFormElement)
const video = element('video', HTMLVideoElement)
const file = element('file', HTMLInputElement)
const subject = element('subject', HTMLInputElement)
const masked = element('masked', HTMLInputElement)
const glasses = element('glasses', HTMLInputElement)
const answer = element('answer', HTMLOutputElement)
const steps = element('steps', HTMLOListElement)

const device = await thisDevice()
element('device', HTMLElement).textContent = `${device.id.slice(0, 16)}…`

/** @param {string} text */
function step(text) {
  const item = document.createElement('li')
  item.textContent = text
  steps.append(item)
}

/**
 * @param {string} text
 * @param {'none' | 'good' | 'bad'} outcome
 */
function say(text, outcome) {
  answer.textContent = text
  answer.dataset['outcome'] = outcome
}

/**
 * One thing at a time, and a fault is shown.
 *
 * @param {() => Promise<void>} task
 */
async function during(task) {
  const buttons = [...form.querySelectorAll('button')]
  for (const button of buttons) button.disabled = true
  try {
    await task()
  } catch (error) {
    say(error instanceof Error ? error.message : 'something went wrong', 'bad')
  } finally {
    for (const button of buttons) button.disabled = false
  }
}

/** @returns {Promise<ImageData>} */
async function picture() {
  const [chosen] = file.files ?? []
  if (chosen !== undefined) return pictureOf(chosen)
  if (video.srcObject === null) throw new Error('start the camera, or choose a file')
  return nextPicture(video)
}

/** @param {'enroll' | 'verify'} verb */
async function capture(verb) {
  steps.replaceChildren()
  say('…', 'none')
  const scope = { subject: subject.value, purpose: PURPOSE }
  const question = await challenge({ ...scope, device: device.id })
  step(`the server asked (${question.length} bytes)`)
  const { vector, quality } = await embed(await picture())
  step(`the model gave ${vector.length} numbers`)
  const sealed = await sealCapture({
    challenge: question,
    vector,
    model,
    conditions: { masked: masked.checked, glasses: glasses.checked, quality },
    intent: true, // the person pressed the button
    signer: device.signer,
  })
  vector.fill(0)
  step(`signed by this device and sealed to the server (${sealed.length} bytes)`)
  const outcome = outcomeOf(await send(verb, scope, sealed))
  step('the server answered')
  say(WORDS[outcome], outcome === 'enrolled' || outcome === 'match' ? 'good' : 'bad')
}

element('enrol-device', HTMLButtonElement).addEventListener('click', () => {
  void during(async () => {
    await enrolDevice(device.signer)
    say('this device is enrolled', 'good')
  })
})
element('camera', HTMLButtonElement).addEventListener('click', () => {
  void during(() => startCamera(video))
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  const verb =
    event.submitter instanceof HTMLButtonElement && event.submitter.value === 'enroll' ? 'enroll' : 'verify'
  void during(() => capture(verb))
})
document.documentElement.dataset['ready'] = 'true'
