/** Expected values: guessing and asking (B01, B05, B12 to B16, B25). @module */

import type { Group } from './expected.ts'

export const GUESSED: readonly Group[] = [
  {
    scenario: 'withoutKeys',
    source: 'derived',
    why: 'a preimage by a wrong key is a random direction, which has fewer chances than a stranger’s face: at most the FMR of the threshold',
    rows: [['a preimage by the wrong key, at FMR 1e-3', 0.001, 0.001, 'at most']],
  },
  {
    scenario: 'withoutKeys',
    source: 'derived',
    why: 'masked codes under two keys are coins: mean one half, deviation 1 ÷ 2√m within 3 % (5,000 pairs)',
    rows: [
      ['two keys, one face: Hamming distance', 0.5, 0.002],
      ['two keys, one face: deviation × 2√m', 1, 0.03],
    ],
  },
  {
    scenario: 'withoutKeys',
    source: 'derived',
    why: 'no linkage function tells mated from non-mated: D_sys at most its 95 % quantile by chance (§15.1); a chance in twenty each, so a hundredth is allowed',
    rows: [
      ['Hamming distance: D_sys less its 95 % quantile by chance', 0, 0.01, 'at most'],
      ['spectrum: D_sys less its 95 % quantile by chance', 0, 0.01, 'at most'],
      ['weight: D_sys less its 95 % quantile by chance', 0, 0.01, 'at most'],
    ],
  },
  {
    scenario: 'accuracy',
    source: 'synthetic',
    why: 'measured with the asymmetric score, which does better than the .155, .023 and .0017 of Hamming distances on the same kind of people',
    rows: [
      ['m = 128: FNMR', 0.03, 0.03],
      ['m = 256: FNMR', 0.002, 0.008],
      ['m = 512: FNMR', 0, 0.008],
    ],
  },
  {
    scenario: 'accuracy',
    source: 'definition',
    why: 'the threshold is that of FMR 1e-4 in the other half of the people: the same rate here, within a factor of three',
    rows: [
      ['m = 128: FMR on the other half', 0.0001, 0.0002],
      ['m = 256: FMR on the other half', 0.0001, 0.0002],
      ['m = 512: FMR on the other half', 0.0001, 0.0002],
    ],
  },
  {
    scenario: 'accuracy',
    source: 'derived',
    why: 'under a wrong key the similarity is a sum of m coins over √(m·Q): variance 1 ÷ m',
    rows: [
      ['m = 128: variance of the similarity under a wrong key × m', 1, 0.12],
      ['m = 256: variance of the similarity under a wrong key × m', 1, 0.12],
      ['m = 512: variance of the similarity under a wrong key × m', 1, 0.12],
    ],
  },
  {
    scenario: 'cosineOracle',
    source: 'derived',
    why: 'n random directions hold n/d of a round face: √(n/d)',
    rows: [
      ['round faces, 32 scores: cosine', 0.25, 0.02],
      ['round faces, 128 scores: cosine', 0.5, 0.02],
    ],
  },
  {
    scenario: 'cosineOracle',
    source: 'synthetic',
    why: 'the prior of the population adds to it: .49 and .59 when it is known exactly',
    rows: [
      ['32 scores: cosine', 0.48, 0.04],
      ['64 scores: cosine', 0.58, 0.04],
    ],
  },
  {
    scenario: 'scoreOracle',
    source: 'synthetic',
    why: 'a score under a secret key is a noisy cosine: no library may tell one. The library’s own sum tells more than Hamming distances',
    rows: [
      ['round faces, 256 Hamming distances: cosine', 0.41, 0.03],
      ['32 Hamming distances: cosine', 0.37, 0.05],
      ['32 scores of the library: cosine', 0.4, 0.05],
      ['128 Hamming distances: cosine', 0.5, 0.05],
      ['128 scores of the library: cosine', 0.55, 0.05],
    ],
  },
  {
    scenario: 'decisions',
    source: 'synthetic',
    why: 'a chord tells of one direction only, and the code’s own noise is as large: .018 and .071 of another run with steps that an oracle chose are above what can be had',
    rows: [
      ['100 decisions: cosine gained', 0.012, 0.018, 'at most'],
      ['1000 decisions: cosine gained', 0.06, 0.02],
    ],
  },
  {
    scenario: 'decisions',
    source: 'synthetic',
    why: 'without a limit decisions alone give the face away in the end',
    slow: true,
    rows: [['5000 decisions: cosine gained', 0.105, 0.05]],
  },
  {
    scenario: 'limited',
    source: 'definition',
    why: 'POLICY-6: exactly so many answers of nonmatch before a delay and in all',
    rows: [
      ['limits 5 and 50: failures before a delay', 5, 0],
      ['limits 5 and 50: failures before no answer comes', 50, 0],
      ['limits 10 and 100: failures before a delay', 10, 0],
      ['limits 10 and 100: failures before no answer comes', 100, 0],
    ],
  },
  {
    scenario: 'limited',
    source: 'synthetic',
    why: 'from an accepted capture 100 answers gain no more than a hundredth or two',
    rows: [
      ['vault, at most 100 queries: cosine gained', 0.012, 0.018, 'at most'],
      ['vault, at most 100 queries: answers', 100, 0],
    ],
  },
  {
    scenario: 'limited',
    source: 'synthetic',
    why: 'matches are not limited and end a run of failures: whoever holds an accepted capture gets the 500 failures of a generation, each the end of a chord of ten queries',
    rows: [
      ['vault, one refusal for an end, until no answer comes: cosine gained', 0.085, 0.06],
      ['vault, one refusal for an end, until no answer comes: answers', 4900, 900],
    ],
  },
  {
    scenario: 'dictionary',
    source: 'definition',
    why: 'the rate of the threshold, measured between one half of the people and the other',
    rows: [
      ['FMR 1e-3: pooled rate of a guess', 0.001, 0.0005],
      ['FMR 1e-4: pooled rate of a guess', 0.0001, 0.0001],
    ],
  },
  {
    scenario: 'dictionary',
    source: 'synthetic',
    why: 'below 1 − (1 − FMR)^n (.10, .59; .01, .09): some people are found often and most never, so that guesses repeat what they open',
    rows: [
      ['FMR 1e-3: targets opened by 100 guesses', 0.07, 0.05],
      ['FMR 1e-3: targets opened by 900 guesses', 0.33, 0.1],
      ['FMR 1e-4: targets opened by 100 guesses', 0.01, 0.015],
      ['FMR 1e-4: targets opened by 900 guesses', 0.07, 0.05],
      ['FMR 1e-3: a guess opens one of 400', 0.23, 0.07],
      ['FMR 1e-4: a guess opens one of 400', 0.035, 0.03],
      ['FMR 1e-3: the same over 1 − (1 − FMR)^400', 0.75, 0.2],
      ['FMR 1e-4: the same over 1 − (1 − FMR)^400', 0.85, 0.4],
    ],
  },
  {
    scenario: 'dictionary',
    source: 'synthetic',
    why: 'the same with more guesses (.94 and .24 if all people were alike)',
    slow: true,
    rows: [
      ['FMR 1e-3: targets opened by 2700 guesses', 0.58, 0.08],
      ['FMR 1e-4: targets opened by 2700 guesses', 0.14, 0.06],
    ],
  },
  {
    scenario: 'dictionary',
    source: 'synthetic',
    why: 'the same inequality by target and by guess, at FMR 1e-3: the median target is below the pooled rate, the easiest hundredth is ten times above it',
    rows: [
      ['median target’s rate over the pooled one', 0.5, 0, 'at most'],
      ['99 % target’s rate over the pooled one', 10, 5],
      ['best guess of the gallery over the pooled rate', 20, 12],
    ],
  },
  {
    scenario: 'dictionary',
    source: 'synthetic',
    why: 'a wolf among embeddings survives every rotation: not the mean face, which is nobody, but the ends of the main axes',
    rows: [
      ['wolf, mean face, at FMR 1e-3', 0.01, 0.03, 'at most'],
      ['wolf, best end of three main axes, at FMR 1e-3', 0.1, 0.07],
    ],
  },
  {
    scenario: 'custody',
    source: 'definition',
    why: 'SPEC §17.1: under operator everything opens to who has rows and provider; under holder nothing without that person’s share',
    rows: [
      ['operator: opened by the face itself', 1, 0],
      ['holder, no share: opened by the face itself', 0, 0],
      ['holder, another’s share: opened by the face itself', 0, 0],
      ['holder, with the share: opened by the face itself', 1, 0],
    ],
  },
]
