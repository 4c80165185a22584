/** The ring of epochs: what makes it whole, which epochs open, what may become of one (SPEC §4.4). @module */
import { Refused } from './bytes.ts'
import { decodeMacRow, RING_CONTEXT } from './record.ts'
import { type Fields, keyringBody, movedKeyringBody } from './shapes.ts'

type Epoch = readonly [epoch: number, status: number, created: number, changed: number, wrapped: Uint8Array]
type Version = readonly [v: number, created: number, wrapped: Uint8Array]
type Former = readonly [
  provider: string,
  epochs: readonly number[],
  versions: readonly number[],
  proof: Uint8Array,
]

/** The row, once its tag fits and all that §4.4 says of it holds. Every fault is `ERR_KEYS_RING`. */
export function readRing(row: Uint8Array, realm: string, provider: string, ringKey: Uint8Array): Fields {
  const ring = decode(row, ringKey)
  const epochs = ring['epochs'] as readonly Epoch[]
  const versions = ring['versions'] as readonly Version[]
  const primary = ring['primary'] as number
  const lowest = ring['minAccepted'] as number
  const former = (ring['former'] ?? []) as readonly Former[]
  const names = [ring['provider'] as string, ...former.map(([name]) => name)]
  const rules: readonly (readonly [boolean, string])[] = [
    [ring['realm'] === realm, 'realm'],
    [ring['provider'] === provider, 'provider'],
    [(ring['version'] as number) >= 1, 'version'],
    [epochs.every(([e], i) => e === i + 1), 'epochs from 1 without gaps'],
    [versions.every(([v], i) => v === i + 1), 'versions from 1 without gaps'],
    [epochs.every(([, status, , , wrapped]) => lengthFits(wrapped, status === 2)), 'wrapped epoch'],
    [versions.every(([, , wrapped]) => lengthFits(wrapped, false)), 'wrapped realm secret'],
    [epochs.find(([e]) => e === primary)?.[1] === 0, 'primary enabled'],
    [lowest >= 1 && lowest <= primary, 'lowest accepted epoch'],
    [names.every((name, i) => names.indexOf(name) === i), 'a provider named twice'],
    [former.every(([name]) => name.length >= 1 && name.length <= 256), 'former provider'],
    [former.every(([, held]) => areKnown(held, epochs.length)), 'epochs of a former provider'],
    [former.every(([, , held]) => areKnown(held, versions.length)), 'versions of a former provider'],
    [former.every(([, , , proof]) => proof.length <= 4096), 'proof'],
  ]
  for (const [holds, rule] of rules) if (!holds) throw new Refused('ERR_KEYS_RING', rule)
  return ring
}

function decode(row: Uint8Array, ringKey: Uint8Array): Fields {
  try {
    // The format is the first element, behind the head of the array.
    return decodeMacRow(
      row[1] === 2 ? movedKeyringBody : keyringBody,
      row,
      RING_CONTEXT,
      () => ringKey,
      () => 1,
    )
  } catch (error) {
    if (error instanceof Refused) throw new Refused('ERR_KEYS_RING', error.message)
    throw error
  }
}

/** Ascending, from 1, up to the number that the ring has. */
function areKnown(held: readonly number[], most: number): boolean {
  return held.every((number, i) => number > (held[i - 1] ?? 0) && number <= most)
}

function lengthFits(wrapped: Uint8Array, destroyed: boolean): boolean {
  return destroyed ? wrapped.length === 0 : wrapped.length >= 1 && wrapped.length <= 4096
}

/** KEYS-11: unknown is looked at first, then retired. */
export function epochToOpen(ring: Fields, epoch: number): Epoch {
  const found = known(ring, epoch)
  accepted(ring, epoch)
  if (found[1] === 1) throw new Refused('ERR_KEYS_DISABLED', 'disabled')
  if (found[1] === 2) throw new Refused('ERR_KEYS_DESTROYED', 'destroyed')
  return found
}

/** The table of §4.4, by row and column; what is not in it is refused. */
const TABLE: Readonly<Record<string, string>> = {
  'enabled promote': 'primary',
  'enabled disable': 'disabled',
  'disabled enable': 'enabled',
  'disabled destroy': 'destroyed',
}

/** What a verb makes of an epoch. */
export function transition(ring: Fields, verb: string, epoch: number): string {
  const [, status] = known(ring, epoch)
  const name = ring['primary'] === epoch ? 'primary' : ['enabled', 'disabled', 'destroyed'][status]
  const becomes = TABLE[`${name} ${verb}`]
  if (becomes === undefined) throw new Refused('ERR_KEYS_TRANSITION', `${name} ${verb}`)
  if (verb === 'promote') accepted(ring, epoch)
  return becomes
}

function known(ring: Fields, epoch: number): Epoch {
  const found = (ring['epochs'] as readonly Epoch[]).find(([e]) => e === epoch)
  if (found === undefined) throw new Refused('ERR_KEYS_UNKNOWN_EPOCH', 'unknown')
  return found
}

function accepted(ring: Fields, epoch: number): void {
  if (epoch < (ring['minAccepted'] as number)) throw new Refused('ERR_KEYS_RETIRED', 'retired')
}
