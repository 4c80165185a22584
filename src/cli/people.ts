/** `guise people`: how many live persons a realm has, exactly, and the events of their thresholds (SPEC §12.5). @module */
/// <reference types="node" />

import { parseArgs } from 'node:util'
import type { PeopleReached } from '../vault/people-row.ts'
import { checkThresholds } from '../vault/people-thresholds.ts'
import { watchPeople } from '../vault/watch-people.ts'
import { type Inspection, inspect } from './inspect.ts'
import { count, exitCode, type Io, runCommand, UsageError } from './io.ts'
import { needed, secretOptions, secretSource, secretUsage, wholeNumber } from './secret.ts'

const usage = `
Usage: guise people --realm NAME --store DIR --provider DIR <secret> [options]

Counts live persons from the log, exactly, whoever is at work meanwhile. Each time their number came to a threshold from
below, an event is logged, once, by whoever looks first; this command logs those that nobody has logged yet, also when the
number is lower again. A vault that has the log's key integrates them.

Where
  --realm NAME             the realm
  --store DIR              LMDB store that holds keyring and codes
  --provider DIR           directory of the local key provider, or another as guise keys takes it

${secretUsage}

Options
  --thresholds N,N         numbers of people, default 90000,100000 (a filing under China's Order 19 from 100,000 on)
  --actor NAME             who asks, a pseudonym for the log
  --json                   print JSON

Exit codes: 0 below every threshold, 1 failed, 2 wrong usage, 3 at a threshold or above.
`

const REACHED = 3
const text = { type: 'string' } as const
const OPTIONS = {
  realm: text,
  store: text,
  provider: text,
  thresholds: text,
  actor: text,
  ...secretOptions,
  json: { type: 'boolean', default: false },
} as const

interface Request extends Inspection {
  readonly thresholds: readonly number[]
  readonly actor: string | undefined
}

/** Runs `guise people …`. Resolves with the exit code. */
export function peopleCommand(argv: readonly string[], io: Io): Promise<number> {
  return runCommand(io, usage, async () => {
    if (argv.includes('--help')) {
      io.out(usage.trimStart())
      return exitCode.ok
    }
    const request = parse(argv)
    const { thresholds, actor } = request
    const { people, reached } = await inspect(request, io, async ({ keyring, store }) => {
      const watch = watchPeople({ keyring, store, thresholds, ...(actor === undefined ? {} : { actor }) })
      const { value } = await watch.next()
      return value
    })
    const newest = newestOf(reached)
    io.out(request.json ? `${JSON.stringify({ people, reached: newest })}\n` : asText(people, newest))
    return thresholds.some((threshold) => people >= threshold) ? REACHED : exitCode.ok
  })
}

/** Of each threshold its last event. */
function newestOf(reached: readonly PeopleReached[]): readonly PeopleReached[] {
  const last = new Map(reached.map((one) => [one.threshold, one]))
  return [...last.values()].toSorted((a, b) => a.threshold - b.threshold)
}

function asText(people: number, reached: readonly PeopleReached[]): string {
  return [
    `${count(people)} people\n`,
    ...reached.map(
      ({ threshold, at }) => `${count(threshold)} reached, logged ${new Date(at).toISOString()}\n`,
    ),
  ].join('')
}

function parse(argv: readonly string[]): Request {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS })
  const numbers = values.thresholds?.split(',').map((one) => wholeNumber(one, '--thresholds'))
  if (numbers?.includes(0) === true) throw new UsageError('--thresholds must be 1 or more')
  return {
    realm: needed(values.realm, '--realm'),
    store: needed(values.store, '--store'),
    secrets: undefined,
    provider: needed(values.provider, '--provider'),
    secret: secretSource(values),
    json: values.json,
    thresholds: checkThresholds(numbers),
    actor: values.actor,
  }
}
