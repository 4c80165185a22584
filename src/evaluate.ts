/** Measurements on labelled embeddings: operating points, accuracy, and what a thief gains. @module */

export {
  countGrades,
  countScores,
  type EqualErrorRate,
  equalErrorRate,
  falseMatchRate,
  falseNonMatchRate,
  figuresAt,
  type GradeCounts,
  type OperatingFigures,
  type ScoreCounts,
  type Scores,
  thresholdAt,
  trueMatchRate,
} from './evaluate/accuracy.ts'
export { type BitStatistics, bitStatistics } from './evaluate/bit-statistics.ts'
export type { BootstrapOptions, Difference } from './evaluate/bootstrap.ts'
export {
  type CalibrateOptions,
  type Calibration,
  type ClassCalibration,
  calibrate,
  type OperatingTarget,
  operatingPointAt,
  type ProbeClass,
} from './evaluate/calibrate.ts'
export {
  calibrateGallery,
  type GalleryCalibrateOptions,
  type GalleryCalibration,
} from './evaluate/calibrate-gallery.ts'
export { type CandidateOptions, type CandidateReport, candidateReport } from './evaluate/candidates.ts'
export {
  type Claim,
  type ComparisonRates,
  type Counted,
  claimRate,
  independentFalsePositives,
  type TransactionRates,
  transactionRates,
} from './evaluate/claims.ts'
export { detPoints, scoreHistogram } from './evaluate/curves.ts'
export { EvaluateError, type EvaluateErrorCode } from './evaluate/errors.ts'
export type {
  AcceptedAt,
  AccumulationFigures,
  AreaFigures,
  DetPoint,
  DiversityFigures,
  DrillReport,
  Evaluation,
  GroupRates,
  InformationFigures,
  InversionFigures,
  InversionReport,
  LinkageReport,
  LinkageSetting,
  LinkerFigures,
  Measured,
  Quartiles,
  RateFigures,
  ScoreHistogram,
  TheftFigures,
  ThresholdRates,
  VerificationReport,
  Way,
  WayAccuracy,
} from './evaluate/figures.ts'
export {
  type GroupScores,
  type GroupSpread,
  groupRates,
  groupSpread,
  perSubjectRates,
} from './evaluate/groups.ts'
export {
  type IdentificationOptions,
  type IdentificationReport,
  identificationReport,
  type Shortlist,
  type ThresholdFigures,
  type WayFigures,
} from './evaluate/identification.ts'
export {
  degreesOfFreedom,
  type GradeMoments,
  gradeMoments,
  guessingBits,
  identityBits,
  informationFigures,
  relativeEntropyBits,
} from './evaluate/information.ts'
export { type InversionOptions, inversionReport } from './evaluate/inversion.ts'
export {
  type Linkability,
  type LinkabilityBin,
  type LinkabilityOptions,
  type LinkageScores,
  linkability,
} from './evaluate/linkability.ts'
export { type LinkageMeasurement, type LinkageOptions, linkageReport } from './evaluate/linkage.ts'
export {
  decodeIdentificationPoint,
  decodeOperatingPoint,
  encodeIdentificationPoint,
  encodeOperatingPoint,
} from './evaluate/operating-file.ts'
export { type ParityCounts, type ParityOptions, type ParityReport, parityReport } from './evaluate/parity.ts'
export {
  clopperPearson,
  type Interval,
  ruleOfThirty,
  ruleOfThree,
  wilson,
  zeroErrorBound,
} from './evaluate/rates.ts'
export {
  type AccuracyFigures,
  type AccuracyOptions,
  type AccuracyReport,
  accuracyReport,
} from './evaluate/report.ts'
export type { SearchTarget, WayDifference } from './evaluate/search-bootstrap.ts'
export {
  type SubjectGrades,
  type SubjectRate,
  type SubjectScores,
  type SubjectTally,
  sampleComparisons,
  subjectEqualError,
  subjectEqualErrorDifference,
  subjectRate,
  subjectRateDifference,
  tallyAt,
} from './evaluate/subject-bootstrap.ts'
export { type VerificationOptions, verificationReport } from './evaluate/verification.ts'
