/** The figures of an evaluation, as its file holds them (SPEC §15). @module */

import type { Bits, Rate } from '../policy/operating-point.ts'
import type { Suite } from '../transform/suite.ts'
import type { EqualErrorRate } from './accuracy.ts'
import type { Linkability } from './linkability.ts'
import type { Interval } from './rates.ts'

/** False match rates that thresholds are taken at. */
export type TargetName = '1e-2' | '1e-3' | '1e-4'

/** How two samples are compared: unprotected, as a vault does, or by Hamming distance of two codes. */
export type Way = 'cosine' | 'asymmetric' | 'hamming'

/** What was measured, on what and how. */
export interface Measured {
  readonly dataset: string
  /** True: people who do not exist, no evidence about real faces. */
  readonly synthetic: boolean
  readonly model: string
  readonly dimensions: number
  readonly subjects: number
  readonly samples: number
  readonly suite: Suite
  readonly seed: string
  /** Sentences: what was sampled, under which keys, what the run could not see. */
  readonly protocol: readonly string[]
}

/** A rate with the exact interval over comparisons, and the wider one of a bootstrap over subjects where it was made. */
export interface RateFigures extends Rate {
  readonly bySubject?: Interval & { readonly replicates: number }
}

/** One threshold, chosen as the most permissive whose measured false match rate is at most the target. */
export interface ThresholdRates {
  /** Ten-thousandths of similarity, 1 to 10,000. */
  readonly threshold: number
  readonly falseMatchRate: RateFigures
  readonly trueMatchRate: RateFigures
  /** False match rate of single subjects over all their comparisons, on either side: quantiles over subjects, and the highest. */
  readonly perSubject: {
    readonly subjects: number
    readonly median: number
    readonly q90: number
    readonly q99: number
    readonly highest: number
  }
  /** Where the data have groups: mated comparisons of the group, and non-mated ones of two of its subjects. */
  readonly groups: readonly GroupRates[]
}

export interface GroupRates {
  readonly group: string
  readonly subjects: number
  /** `null`: no such comparison. */
  readonly falseMatchRate: Rate | null
  readonly trueMatchRate: Rate | null
}

/** Equal parts of a scale: `from`, `to`, and the share of all mated and of all non-mated scores in each part. */
export interface ScoreHistogram {
  readonly from: number
  readonly to: number
  readonly mated: readonly number[]
  readonly nonMated: readonly number[]
}

/** A step of the detection error trade-off: both error rates at one threshold. */
export interface DetPoint {
  readonly threshold: number
  readonly falseMatchRate: number
  readonly falseNonMatchRate: number
}

/** Information in right-key scores (SPEC §15). Bits. */
export interface InformationFigures {
  /** μ(1 − μ)/σ² of the non-mated normalised distance (1 − similarity)/2. */
  readonly degreesOfFreedom: number
  /** Degrees of freedom × (1 − h(mean mated distance)). */
  readonly identityBits: number
  /** Kullback–Leibler divergence of the mated from the non-mated histogram. */
  readonly relativeEntropyBits: number
  /** −log2 of the false match rate at each target: what guessing costs at most. */
  readonly guessingBits: Readonly<Record<TargetName, number | null>>
}

/** Accuracy of one way of comparing at one number of bits. */
export interface WayAccuracy {
  readonly way: Way
  /** `null` for the cosine. */
  readonly bits: Bits | null
  readonly mated: number
  readonly nonMated: number
  /** Draws of record keys that the counts are summed over; 0 for the cosine. */
  readonly draws: number
  readonly eer: EqualErrorRate & { readonly bySubject: Interval & { readonly replicates: number } }
  /** `null`: the target is finer than 3 ÷ comparisons, which they cannot show. */
  readonly at: Readonly<Record<TargetName, ThresholdRates | null>>
  readonly histogram: ScoreHistogram
  /** At most 400 steps, from the most permissive; none finer than 3 ÷ comparisons. */
  readonly det: readonly DetPoint[]
  readonly information: InformationFigures
}

export interface VerificationReport extends Measured {
  readonly ways: readonly WayAccuracy[]
}

/** Which two templates a thief compares, and whether their keys are known (SPEC §15.5). */
export type LinkageSetting = 'generations' | 'realms' | 'keys-known'

/** The area under the ROC: .5 is chance. The interval of 95 % over pairs, and that of a bootstrap over subjects. */
export interface AreaFigures extends Interval {
  readonly value: number
  readonly bySubject: Interval & { readonly replicates: number }
}

/** What a thief compares two templates of different keys by (SPEC §15). */
export interface LinkerFigures {
  /** `hamming`, `preimage`, `probe`, `spectrum`, `statistics`, `metadata`, `learned`, `known-keys`. */
  readonly linker: string
  readonly setting: LinkageSetting
  readonly keys: 'unknown' | 'known'
  readonly linkability: Linkability
  readonly auc: AreaFigures
  /** The permutation's p after Holm over all linkers of the report with keys unknown; `null` with keys known. */
  readonly holm: number | null
}

/** Distances of templates reissued from one face, beside those of random codes. */
export interface DiversityFigures {
  readonly reissues: number
  readonly pairs: number
  /** The least distance of two, of all pairs. Bits. */
  readonly nearest: number
  readonly mean: number
  /** m/2; `tolerance` is four standard errors of the mean. */
  readonly expected: number
  readonly tolerance: number
  /** Mean square of the distance from m/2, divided by m/4. */
  readonly varianceRatio: number
  /** Kolmogorov and Smirnov against Binomial(m, ½), over neighbours. */
  readonly shape: { readonly pairs: number; readonly statistic: number; readonly p: number }
  readonly diverse: boolean
}

export interface LinkageReport extends Measured {
  readonly bits: Bits
  readonly linkers: readonly LinkerFigures[]
  /** The linker with the highest D↔sys of each setting. */
  readonly highest: Readonly<
    Record<LinkageSetting, { readonly linker: string; readonly system: number; readonly quantile95: number }>
  >
  /** All linkers with keys unknown together. */
  readonly family: {
    readonly linkers: number
    /** How many have a D↔sys above the 95 % quantile of their null, and how many chance lets. */
    readonly above: number
    readonly expected: number
    /** The least p after Holm, and whether it is at most .05: then templates are linked. */
    readonly holm: number
    readonly linked: boolean
  }
  /** Every length that a row had, by setting: one for either row of a realm. Bytes. */
  readonly rowBytes: Readonly<
    Record<'generations' | 'realms', Readonly<Record<'reference' | 'secret', readonly number[]>>>
  >
  readonly diversity: DiversityFigures
}

/**
 * Shares of targets accepted at the thresholds of two false match rates; `null` where the comparisons cannot show the rate. `trials` are
 * the targets, Wilson's interval takes each for one trial; several may be one person, which `bySubject` allows for.
 */
export type AcceptedAt = Readonly<Record<'1e-3' | '1e-4', RateFigures | null>>

/** What one attack on code and key gains at one number of bits. */
export interface InversionFigures {
  readonly bits: Bits
  /**
   * `linear`; `prior`, which knows the population; `code`, which knows the population and has the code but a wrong key; and the controls
   * `none` (no preimage, a stranger's capture) and `face` (the face itself).
   */
  readonly attack: string
  /** What the thief was given of the target. */
  readonly disclosed: 'nothing' | 'code' | 'code+key' | 'face'
  readonly targets: number
  readonly subjects: number
  /** To the embedding behind the code. */
  readonly cosine: { readonly mean: number; readonly q05: number; readonly q50: number; readonly q95: number }
  /** To another capture of the person. */
  readonly cosineToOther: number
  /** SAR-I: the very template; SAR-II: another capture under another key; SAR-III: another capture, unprotected. */
  readonly sar: { readonly I: AcceptedAt; readonly II: AcceptedAt; readonly III: AcceptedAt }
  /** Post-revocation acceptance: SAR-II over fresh keys, their mean and the worst. */
  readonly prar: { readonly keys: number; readonly mean: AcceptedAt; readonly worst: AcceptedAt }
}

/** Several old templates of fresh captures, keys known, presented to a template of one more capture under fresh keys. */
export interface AccumulationFigures {
  readonly bits: Bits
  readonly generations: number
  readonly targets: number
  readonly subjects: number
  readonly cosineToOther: number
  readonly prar: AcceptedAt
}

export interface InversionReport extends Measured {
  /** What the thief knows of people, and where the thresholds come from: subjects that are not attacked. */
  readonly known: {
    readonly subjects: number
    readonly samples: number
    /** Share of the covariance that was replaced by its mean variance. */
    readonly shrinkage: number
    /** Non-mated pairs that thresholds were taken from, and draws of keys that each was compared under. */
    readonly nonMated: number
    readonly draws: number
    /** Ten-thousandths of similarity; `bits` is `null` for the cosine. */
    readonly thresholds: readonly {
      readonly bits: Bits | null
      readonly at: Readonly<Record<keyof AcceptedAt, number | null>>
    }[]
  }
  readonly inversions: readonly InversionFigures[]
  readonly accumulation: readonly AccumulationFigures[]
  /** A genuine other capture in place of the preimage, by bits. */
  readonly genuine: readonly { readonly bits: Bits; readonly accepted: AcceptedAt }[]
}

/** A row of SPEC §1's table, measured: what was stolen, how many templates it opened, and what they gave. */
export interface TheftFigures {
  /** Such as `rows`, `secrets`, `rows+secrets`, `operator`, `holder` (SPEC §15.8). */
  readonly stolen: string
  readonly says: string
  /** False: stated, not measured; then there are no templates and no figures. */
  readonly measured: boolean
  readonly templates: number
  readonly opened: number
  /** Codes of the errors that opening ended in, sorted; empty when every template opened. */
  readonly ends: readonly string[]
  /** Area under the ROC of genuine against other people for decisions made with what was stolen; .5 is chance. */
  readonly auc: (Interval & { readonly value: number; readonly replicates: number }) | null
  /** Mean over all templates, opened or not, to the embedding that was enrolled. */
  readonly cosine: number | null
  /** Of all templates, by those issued afterwards. */
  readonly prar: AcceptedAt | null
}

export interface DrillReport extends Measured {
  readonly bits: Bits
  /** Thresholds of both rates, from people who are not enrolled; `null` where they cannot show the rate. */
  readonly thresholds: Readonly<Record<'1e-3' | '1e-4', number | null>>
  /** Of other people, for every template. */
  readonly impostorsPerTemplate: number
  readonly thefts: readonly TheftFigures[]
  /** The sample that was enrolled before instead of what was stolen, presented to the same new templates, which were made of another sample. */
  readonly genuine: AcceptedAt
}

/** The file: `format`, how it came about, and every section that was measured. */
export interface Evaluation extends Measured {
  readonly format: 'guise-evaluation/1'
  readonly guise: string
  readonly runtime: string
  readonly command: string
  readonly startedAt: string
  readonly durationMs: number
  /** `null`: not measured, and `protocol` says why. */
  readonly verification: VerificationReport | null
  readonly linkage: LinkageReport | null
  readonly inversion: InversionReport | null
  readonly drill: DrillReport | null
  /** Bytes stored for a template, and milliseconds of processor time to make and to compare one, with the quartiles. */
  readonly cost: CostFigures
}

export interface CostFigures {
  readonly codeBytes: number
  readonly referenceRowBytes: number
  readonly secretRowBytes: number
  readonly enrollMs: Quartiles
  readonly compareMs: Quartiles
}

export interface Quartiles {
  readonly low: number
  readonly median: number
  readonly high: number
  readonly samples: number
}
