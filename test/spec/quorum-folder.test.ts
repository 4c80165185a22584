/** A holder's folder: sealed files, and a refresh by files that a crash does not spoil (SPEC §13.8). @module */
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dealQuorum } from 'guise/quorum'
import { memoryKeyProvider } from 'guise/testing'
import { expect, test } from 'vitest'
import { createHolderFolder, openHolderFolder } from '../../src/quorum/local-holder.ts'
import { abandonRefresh, applyRefresh, beginRefresh, dealRefresh } from '../../src/quorum/local-refresh.ts'
import { hex } from '../reference/bytes.ts'
import { BUDGETS, codeOf, REALM, requestLog } from '../support/quorum.ts'
import { temporaryFolder } from '../unit/cli-support.ts'

const folder = temporaryFolder()
const provider = memoryKeyProvider()

async function dealt(name: string) {
  const { key, shares } = dealQuorum({ realm: REALM, epoch: 1, threshold: 2, holders: 3 })
  const settings = { logKey: (await requestLog()).signer.verifierKey, budgets: BUDGETS, windowMs: 300_000 }
  const paths = shares.map((share) => folder.at(`${name}-${share.index}`))
  const folders = await Promise.all(
    shares.map((share, i) => createHolderFolder(paths[i] ?? '', provider, { share, settings })),
  )
  return { key, settings, paths, folders }
}

test('QUORUM-22 a folder gives back what was put into it, and every file is its owner’s only', async () => {
  const { key, settings, paths } = await dealt('whole')
  const path = paths[1] ?? ''
  const opened = await openHolderFolder(path, provider)
  expect([opened.realm, opened.index, opened.settings()]).toEqual([REALM, 2, settings])
  const shares = opened.shares()
  expect(shares.map((share) => [share.index, hex(share.key.bytes)])).toEqual([[2, hex(key.bytes)]])
  for (const name of readdirSync(path)) expect(statSync(`${path}/${name}`).mode & 0o077).toBe(0)
  const [share] = shares
  expect(share).toBeDefined()
  expect(
    await codeOf(async () => createHolderFolder(path, provider, { share: share as never, settings })),
  ).toBe('ERR_QUORUM_INPUT')
  opened.dispose()
  expect(await codeOf(() => opened.settings())).toBe('ERR_QUORUM_INPUT')
})

test('QUORUM-22 an altered file, one of another name and one of another holder are refused', async () => {
  const { paths } = await dealt('altered')
  const [path = '', other = ''] = paths
  const opened = await openHolderFolder(path, provider)
  const good = readFileSync(`${path}/settings`)
  for (const at of [0, 30, 60, good.length - 1]) {
    writeFileSync(
      `${path}/settings`,
      good.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    )
    expect(await codeOf(() => opened.settings())).toBe('ERR_QUORUM_FORMAT')
  }
  writeFileSync(`${path}/settings`, good.subarray(0, 10))
  expect(await codeOf(() => opened.settings())).toBe('ERR_QUORUM_FORMAT')
  copyFileSync(`${other}/settings`, `${path}/settings`)
  expect(await codeOf(() => opened.settings())).toBe('ERR_QUORUM_FORMAT')
  copyFileSync(`${path}/share-1-0`, `${path}/settings`)
  expect(await codeOf(() => opened.settings())).toBe('ERR_QUORUM_FORMAT')
  copyFileSync(`${path}/share-1-0`, `${path}/share-1-1`)
  expect(await codeOf(() => opened.shares())).toBe('ERR_QUORUM_FORMAT')
  copyFileSync(`${other}/holder.json`, `${path}/holder.json`)
  const swapped = await openHolderFolder(path, provider)
  expect([swapped.index, await codeOf(() => swapped.settings())]).toEqual([2, 'ERR_QUORUM_FORMAT'])
})

test.each(['no JSON', '{}', '{"format":2,"realm":"clinic","index":1,"wrapped":"AA"}', 'null'])(
  'QUORUM-22 a holder.json that is %s is refused',
  async (text) => {
    const { paths } = await dealt(`named-${text.length}`)
    writeFileSync(`${paths[0]}/holder.json`, text)
    expect(await codeOf(() => openHolderFolder(paths[0] ?? '', provider))).toBe('ERR_QUORUM_FORMAT')
  },
)

test('QUORUM-23 every step of a refresh gives the same when it is taken again by another process', async () => {
  const { key, paths } = await dealt('again')
  const open = () => Promise.all(paths.map((path) => openHolderFolder(path, provider)))
  const openings = (await open()).map(beginRefresh)
  expect((await open()).map(beginRefresh).map(hex)).toEqual(openings.map(hex))
  const packages = (await open()).map((one) => dealRefresh(one, openings))
  const again = (await open()).map((one) => dealRefresh(one, openings.toReversed()))
  packages.forEach((sent, i) => {
    for (const [to, bytes] of sent) expect(hex(again[i]?.get(to) ?? new Uint8Array(0))).toBe(hex(bytes))
  })
  const sentTo = (to: number) =>
    packages.flatMap((sent) => [...sent].filter(([i]) => i === to).map(([, b]) => b))
  const first = paths[0] ?? ''
  copyFileSync(`${first}/refresh`, folder.at('kept'))
  const shares = (await open()).map((one) => applyRefresh(one, sentTo(one.index)))
  expect(new Set(shares.map((share) => hex(share.key.bytes))).size).toBe(1)
  expect(shares[0]?.key.refresh).toBe(1)
  expect(shares[0]?.key.commitments[0]?.equals(key.commitments[0] as never)).toBe(true)
  // As a crash leaves it between the new share and the end of the refresh.
  copyFileSync(folder.at('kept'), `${first}/refresh`)
  const [reopened] = await open()
  const same = applyRefresh(reopened as never, [])
  expect(hex(same.encode())).toBe(hex(shares[0]?.encode() ?? new Uint8Array(0)))
  expect(readdirSync(first).filter((name) => /^share|^refresh/.test(name))).toEqual([
    'share-1-0',
    'share-1-1',
  ])
})

test('QUORUM-23 packages are made for one set of openings, and applied only after that', async () => {
  const { folders } = await dealt('once')
  const [one, two, three] = folders
  if (one === undefined || two === undefined || three === undefined) throw new Error('three folders')
  expect(await codeOf(() => dealRefresh(one, []))).toBe('ERR_QUORUM_INPUT')
  const openings = folders.map(beginRefresh)
  expect(await codeOf(() => applyRefresh(one, []))).toBe('ERR_QUORUM_INPUT')
  dealRefresh(one, openings)
  abandonRefresh(two)
  const others = [openings[0], beginRefresh(two), openings[2]] as Uint8Array[]
  expect(await codeOf(() => dealRefresh(one, others))).toBe('ERR_QUORUM_INPUT')
  expect(await codeOf(() => applyRefresh(one, []))).toBe('ERR_QUORUM_ROUND')
  expect(await codeOf(() => dealRefresh(three, openings.slice(1)))).toBe('ERR_QUORUM_ROUND')
})
