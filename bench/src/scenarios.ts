/** All measurements, in the order in which they run. @module */

import { auditScenario } from './audit.ts'
import { auditLogScenario } from './audit-log.ts'
import { bundleScenario } from './bundle.ts'
import { captureScenario } from './capture.ts'
import { enrollScenario } from './enroll.ts'
import { evaluateScenario } from './evaluate.ts'
import { identifyScenario } from './identify.ts'
import { identifyPartsScenario } from './identify-parts.ts'
import { keyingScenario } from './keying.ts'
import { postgresScenario } from './postgres.ts'
import { quorumScenario } from './quorum.ts'
import { quorumVerifyScenario } from './quorum-verify.ts'
import { rotateScenario } from './rotate.ts'
import { scanScenario } from './scan.ts'
import type { Scenario } from './scenario.ts'
import { sealScenario } from './seal.ts'
import { sizeScenario } from './size.ts'
import { verifyScenario } from './verify.ts'
import { verifyDurableScenario } from './verify-durable.ts'

export const SCENARIOS: readonly Scenario[] = [
  rotateScenario,
  keyingScenario,
  sealScenario,
  verifyScenario,
  verifyDurableScenario,
  captureScenario,
  postgresScenario,
  identifyPartsScenario,
  auditScenario,
  auditLogScenario,
  quorumScenario,
  quorumVerifyScenario,
  enrollScenario,
  scanScenario,
  evaluateScenario,
  identifyScenario,
  sizeScenario,
  bundleScenario,
]
