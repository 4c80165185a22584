/** Measurements on labelled embeddings: operating points, accuracy, and what a thief gains. @module */

export {
  type EqualErrorRate,
  equalErrorRate,
  falseMatchRate,
  falseNonMatchRate,
  figuresAt,
  type OperatingFigures,
  type Scores,
  trueMatchRate,
} from './evaluate/accuracy.ts'
export {
  type CalibrateOptions,
  type Calibration,
  type ClassCalibration,
  calibrate,
  type OperatingTarget,
  operatingPointAt,
  type ProbeClass,
} from './evaluate/calibrate.ts'
export { type CandidateOptions, type CandidateReport, candidateReport } from './evaluate/candidates.ts'
export { EvaluateError, type EvaluateErrorCode } from './evaluate/errors.ts'
export type {
  AcceptedAt,
  AccumulationFigures,
  DetPoint,
  DrillReport,
  Evaluation,
  GroupRates,
  InformationFigures,
  InversionFigures,
  InversionReport,
  LinkageReport,
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
  type IdentificationOptions,
  type IdentificationReport,
  identificationReport,
  type Shortlist,
  type ThresholdFigures,
  type WayFigures,
} from './evaluate/identification.ts'
export {
  type Linkability,
  type LinkabilityBin,
  type LinkabilityOptions,
  type LinkageScores,
  linkability,
} from './evaluate/linkability.ts'
export { decodeOperatingPoint, encodeOperatingPoint } from './evaluate/operating-file.ts'
export { type ParityCounts, type ParityOptions, type ParityReport, parityReport } from './evaluate/parity.ts'
export {
  type AccuracyFigures,
  type AccuracyOptions,
  type AccuracyReport,
  accuracyReport,
} from './evaluate/report.ts'
export type { SearchTarget, WayDifference } from './evaluate/search-bootstrap.ts'
export { type VerificationOptions, verificationReport } from './evaluate/verification.ts'
