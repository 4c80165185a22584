/** Vectors of rows that have one more element at their end, and of the migration of models (SPEC §9.3, §9.4, §9.8). @module */
import type { Value } from '../cbor.ts'
import { bytesFor } from '../inputs.ts'
import { generationOf, MODEL_CONTEXT, modelKey } from '../record.ts'
import { adaptedAttemptsBody, type Fields, modelBody, stateBodyOfMany } from '../shapes.ts'
import * as person from './person.ts'
import type { MacRow } from './recordfaults.ts'

/** A further reference of that person. */
function further(probeClass: string, m = 128): Value {
  return [
    probeClass,
    bytesFor(`record ${probeClass}`, 16),
    generationOf(1, bytesFor(`generation ${probeClass}`, 16)),
    m,
  ]
}

/** `state` and `attempts`: good rows without the element. */
export function longerRows(state: MacRow, attempts: MacRow): MacRow[] {
  const many = (name: string, references: readonly Value[], faulty = false): MacRow => ({
    ...state,
    name,
    shape: stateBodyOfMany,
    fields: { ...state.fields, bits: 128, references },
    faulty,
  })
  return [
    many('state, two further references', [further('masked'), further('glasses')], true),
    many(
      'state, four further references',
      ['masked', 'glasses', 'desk', 'phone'].map((name) => further(name, 64)),
    ),
    {
      ...attempts,
      name: 'attempts, third adaptation in a row',
      shape: adaptedAttemptsBody,
      fields: { ...attempts.fields, adapted: [3, person.CREATED + 4_000] },
      faulty: true,
    },
    {
      ...attempts,
      name: 'attempts, of live captures alone',
      fields: { ...attempts.fields, kind: 68 },
      faulty: false,
    },
    ...[0, 1].map(migration),
  ]
}

function migration(finished: number): MacRow {
  const opens = person.CREATED + 86_400_000
  const fields: Fields = {
    format: 1,
    kind: 50,
    realm: person.REALM,
    version: 2 + finished,
    finished,
    from: ['example-model@1', bytesFor('mean of the old model', 32), 512, 512],
    to: [
      'example-model@2',
      bytesFor('mean of the new model', 32),
      256,
      256,
      ['0123456789abcdef', 'fedcba9876543210'],
    ],
    opens,
    closes: finished === 1 ? opens : opens + 2_592_000_000,
    changed: person.CREATED,
    v: 1,
  }
  return {
    table: 'states',
    key: modelKey(person.REALM),
    macKey: person.keys.state,
    context: MODEL_CONTEXT,
    name: finished === 1 ? 'migration of models, finished' : 'migration of models',
    shape: modelBody,
    fields,
    faulty: finished === 0,
  }
}

/** What else can be wrong with such an element, by the field that it is. */
export function longerFaults(
  row: MacRow,
  one: (name: string, value: Value) => Uint8Array,
): Record<string, Uint8Array> {
  const has = (name: string): boolean => row.shape.some(([each]) => each === name)
  if (has('references')) {
    const classes = (...names: readonly string[]): Uint8Array =>
      one(
        'references',
        names.map((name) => further(name)),
      )
    const [, record, generation] = further('masked') as readonly Value[]
    return {
      'an empty list of references': one('references', []),
      'five references': classes('a', 'b', 'c', 'd', 'e'),
      'a class twice': one('references', [
        further('masked'),
        ['masked', ...(further('glasses') as readonly Value[]).slice(1)],
      ]),
      'a record twice': one('references', [
        further('masked'),
        ['glasses', record as Value, generation as Value, 128],
      ]),
      'the primary record as a further one': one('references', [
        ['masked', row.fields['record'] as Value, generation as Value, 128],
      ]),
      'the class any': classes('any'),
      'an empty class': classes(''),
      'a class of 65 bytes': classes('c'.repeat(65)),
      'a reference of three parts': one('references', [(further('masked') as readonly Value[]).slice(0, 3)]),
      'a reference of 100 bits': one('references', [further('masked', 100)]),
      'null in place of the list': one('references', null),
    }
  }
  if (has('adapted')) {
    return {
      'no adaptation': one('adapted', [0, person.CREATED]),
      'adapted as a number': one('adapted', 3),
      'adapted of three parts': one('adapted', [1, 2, 3]),
    }
  }
  if (!has('opens')) return {}
  const from = row.fields['from'] as readonly Value[]
  const to = row.fields['to'] as readonly Value[]
  return {
    'finished twice': one('finished', 2),
    'a model of three parts': one('from', from.slice(0, 3)),
    'a next model without points': one('to', to.slice(0, 4)),
    'no point': one('to', [...to.slice(0, 4), []]),
    '65 points': one('to', [...to.slice(0, 4), Array.from({ length: 65 }, () => '0123456789abcdef')]),
    'a mean hash of 31 bytes': one('from', [from[0] as Value, bytesFor('h', 31), 512, 512]),
  }
}
