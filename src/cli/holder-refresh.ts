/** `guise holder refresh`: new shares of the same key, by files that the holders send each other (SPEC §13.2). @module */
/// <reference types="node" />

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { concatBytes, toBase64Url, wipe } from '../base/bytes.ts'
import { quorumHolder } from '../quorum/holder.ts'
import { readWhole, writeWhole } from '../quorum/local-files.ts'
import { abandonRefresh, applyRefresh, beginRefresh, dealRefresh } from '../quorum/local-refresh.ts'
import { type OpenFolder, type Request, withFolder } from './holder-options.ts'
import { type Io, UsageError } from './io.ts'
import { needed, wholeNumber } from './secret.ts'

const MAX_FILE_BYTES = 8192
const STEPS = ['begin', 'deal', 'apply', 'retire', 'abandon'] as const

type Step = (typeof STEPS)[number]

/** Takes one step. */
export async function refreshVerb(request: Request, io: Io): Promise<void> {
  const [word = '', ...files] = request.words
  const step = STEPS.find((one) => one === word)
  if (step === undefined) throw new UsageError(`the step is one of ${STEPS.join(', ')}`)
  const takesFiles = step === 'deal' || step === 'apply'
  if (takesFiles !== files.length > 0)
    throw new UsageError(`refresh ${step} takes ${takesFiles ? '' : 'no '}files`)
  if (step === 'begin' || step === 'deal') needed(request.values.out, '--out')
  const done = await withFolder(request, (open) => take(step, open, request, files))
  io.out(request.values.json ? `${JSON.stringify(done)}\n` : `${done.said}\n`)
}

interface Done {
  readonly said: string
  readonly [name: string]: unknown
}

async function take(
  step: Step,
  open: OpenFolder,
  { values }: Request,
  files: readonly string[],
): Promise<Done> {
  const { folder } = open
  const out = values.out ?? ''
  if (step === 'begin') {
    writeWhole(out, beginRefresh(folder))
    return { said: `opening written to ${out}`, opening: out }
  }
  if (step === 'deal') return deal(open, files, out)
  if (step === 'abandon') {
    abandonRefresh(folder)
    return { said: 'the refresh is forgotten' }
  }
  if (step === 'retire') {
    const epoch = wholeNumber(needed(values.epoch, '--epoch'), '--epoch')
    const refresh = wholeNumber(needed(values.refresh, '--refresh'), '--refresh')
    await retire(open, epoch, refresh)
    return { said: `of epoch ${epoch} shares before refresh ${refresh} are retired`, epoch, refresh }
  }
  const packages = files.map(readFile)
  try {
    using share = applyRefresh(folder, packages)
    const { epoch, refresh } = share.key
    const key = toBase64Url(share.key.bytes)
    return { said: `share of epoch ${epoch}, refresh ${refresh}; quorum key ${key}`, epoch, refresh, key }
  } finally {
    wipe(...packages)
  }
}

function deal({ folder }: OpenFolder, files: readonly string[], out: string): Done {
  const packages = dealRefresh(folder, files.map(readFile))
  try {
    mkdirSync(out, { recursive: true, mode: 0o700 })
    const written = [...packages].map(([to, bytes]) => {
      const path = join(out, `package-${folder.index}-to-${to}`)
      writeWhole(path, bytes)
      return path
    })
    return { said: written.join('\n'), packages: written }
  } finally {
    wipe(...packages.values())
  }
}

/** The floor first, then the files: after a crash between them the step is taken again. */
async function retire({ folder, store, anchor }: OpenFolder, epoch: number, refresh: number): Promise<void> {
  const shares = folder.shares()
  const key = folder.use((own) => concatBytes(own))
  const isOld = (share: (typeof shares)[number]): boolean =>
    share.key.epoch === epoch && share.key.refresh < refresh
  try {
    const rest = shares.filter((share) => !isOld(share))
    const newest = rest.some((share) => share.key.epoch === epoch)
    if (!newest) throw new UsageError('no share of this epoch would be left')
    using holder = await quorumHolder({ ...folder.settings(), shares: rest, key, store, anchor })
    await holder.retire({ epoch, refresh })
    for (const share of shares) if (isOld(share)) folder.removeShare(share.key)
  } finally {
    wipe(key)
    for (const share of shares) share.dispose()
  }
}

function readFile(path: string): Uint8Array {
  const bytes = readWhole(path, MAX_FILE_BYTES)
  if (bytes === undefined) throw new UsageError(`there is no file ${path}`)
  return bytes
}
