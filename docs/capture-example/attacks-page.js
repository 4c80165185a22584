// @ts-check
/** A button for each attack, one for all, and what came of them. */

import { attacks } from './attacks.js'
import { outcomeOf } from './calls.js'
import { element } from './elements.js'

/** @typedef {import('./attacks.js').Attack} Attack */

const list = element('attacks', HTMLUListElement)
const start = element('all', HTMLButtonElement)
const total = element('summary', HTMLOutputElement)

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} text
 * @returns {HTMLElementTagNameMap[Name]}
 */
function made(name, text) {
  const element = document.createElement(name)
  element.textContent = text
  return element
}

/**
 * @param {HTMLElement} output
 * @param {string} text
 * @param {'none' | 'good' | 'bad'} outcome
 */
function say(output, text, outcome) {
  output.textContent = text
  output.dataset['outcome'] = outcome
}

/** @type {(() => Promise<boolean>)[]} */
const runs = attacks.map((attack) => {
  const item = document.createElement('li')
  const title = made('h2', attack.title)
  const button = made('button', 'Run')
  button.id = attack.id
  button.setAttribute('aria-label', `Run: ${attack.title}`)
  const output = made('output', 'did not run yet')
  output.className = 'answer'
  output.dataset['outcome'] = 'none'
  item.append(title, made('p', attack.text), button, output)
  list.append(item)
  const run = async () => {
    button.disabled = true
    say(output, '…', 'none')
    const held = await tried(attack, output)
    button.disabled = false
    return held
  }
  button.addEventListener('click', () => void run())
  return run
})

/**
 * Runs one, and shows the server's answer as it came.
 *
 * @param {Attack} attack
 * @param {HTMLElement} output
 * @returns {Promise<boolean>} whether the answer is what it should be
 */
async function tried(attack, output) {
  try {
    const answer = await attack.run()
    const held = outcomeOf(answer) === attack.wanted
    output.dataset['answer'] = answer
    say(output, `${held ? 'as it should be' : 'BROKEN THROUGH'}: ${answer}`, held ? 'good' : 'bad')
    return held
  } catch (error) {
    say(output, error instanceof Error ? error.message : 'something went wrong', 'bad')
    return false
  }
}

async function runAll() {
  start.disabled = true
  say(total, '…', 'none')
  const held = (await Promise.all(runs.map((run) => run()))).filter(Boolean).length
  say(total, `${held} of ${runs.length} as they should be`, held === runs.length ? 'good' : 'bad')
  start.disabled = false
}

start.addEventListener('click', () => void runAll())
document.documentElement.dataset['ready'] = 'true'
