/** All attacks that this folder runs, in the order of their ids (SPEC §15.7). @module */

import { unsupervised } from './alignment.ts'
import { accuracy, dictionary, withoutKeys } from './guesses.ts'
import { exactMatrix, halvesOfColumns, sharedKey, structure } from './known-pairs.ts'
import { custody, limited } from './limiter.ts'
import type { Scenario } from './measure.ts'
import { cosineOracle, decisions, scoreOracle } from './oracles.ts'
import { accepted, accumulated, linear, linkedByKeys } from './stolen.ts'

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  withoutKeys,
  linear,
  accepted,
  accuracy,
  linkedByKeys,
  accumulated,
  sharedKey,
  structure,
  halvesOfColumns,
  exactMatrix,
  unsupervised,
  cosineOracle,
  scoreOracle,
  decisions,
  limited,
  dictionary,
  custody,
}
