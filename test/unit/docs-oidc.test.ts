/** The recipe of docs/oidc.md for every login that there can be: a face opens nothing by itself, and nobody needs one. @module */
import type { VerifyDecision } from 'guise'
import { expect, test } from 'vitest'

interface Passkey {
  readonly hardware: boolean
  readonly present: boolean
  readonly verified: 'pin' | 'device' | undefined
}
interface Recipe {
  methodsOf(login: { passkey?: Passkey; face?: VerifyDecision }): readonly string[] | undefined
}

const TEXT: string = 'docs/oidc.md.1.ts'
const { methodsOf } = (await import(/* @vite-ignore */ TEXT)) as Recipe
const BOTH = [false, true]
const passkeys = [
  undefined,
  ...BOTH.flatMap((hardware) =>
    BOTH.flatMap((present) =>
      (['pin', 'device', undefined] as const).map((verified) => ({ hardware, present, verified })),
    ),
  ),
]
const faces = [
  undefined,
  { outcome: 'match', exposed: false },
  { outcome: 'match', exposed: true },
  { outcome: 'nonmatch' },
  { outcome: 'refused' },
] as readonly (VerifyDecision | undefined)[]
const given = (passkey: Passkey | undefined, face: VerifyDecision | undefined) => ({
  ...(passkey === undefined ? {} : { passkey }),
  ...(face === undefined ? {} : { face }),
})

test('a login that suffices has a passkey and a second of three, and says `face` for a match alone', () => {
  let enough = 0
  for (const passkey of passkeys)
    for (const face of faces) {
      const methods = methodsOf(given(passkey, face))
      if (methods === undefined) continue
      enough += 1
      expect(passkey?.present).toBe(true)
      expect(methods).toContain(passkey?.hardware === true ? 'hwk' : 'swk')
      expect(methods).toEqual(expect.arrayContaining(['user', 'mfa']))
      expect(methods.includes('face')).toBe(face?.outcome === 'match' && !face.exposed)
      expect(methods.includes('pin')).toBe(passkey?.verified === 'pin')
    }
  // 4 passkeys with a user verified: whatever the face; 2 that only say that somebody is there: with a match.
  expect(enough).toBe(4 * faces.length + 2)
})

test('whoever is refused, or shows no face, comes in by the passkey all the same', () => {
  for (const passkey of passkeys.filter((one) => one?.present === true && one.verified !== undefined))
    for (const face of faces) {
      const without = methodsOf(given(passkey, undefined))
      expect(without).toBeDefined()
      expect(methodsOf(given(passkey, face))?.filter((method) => method !== 'face')).toEqual(without)
    }
})
