/** How long does it take to find the nearest of a million codes by their signs alone? @module */

import { codeScan } from '../../dist/compare/scan.js'
import {
  C_LOOP,
  CODE_BITS,
  FAISS,
  NEAREST,
  PLAIN,
  POSTGRES,
  randomCodes,
  rowsOf,
  SCAN,
  scanPeers,
  timeScans,
  USEARCH,
} from './scan-peers.ts'
import { oursTwice, type Plan, type Scenario, type Series } from './scenario.ts'

export const scanScenario: Scenario = {
  name: 'scan',
  question: `the ${NEAREST} nearest of 1,000,000 codes of ${CODE_BITS} bits by Hamming distance, one thread`,
  notes: [
    'ours: what evaluation lists candidates with; random codes of nobody; the C loop counts rows below a limit and lists none',
    'faiss: that of Debian (libfaiss-dev), which is built for any processor, where it is installed',
    'usearch: 100,000 vectors, scaled: its exact search takes no bits; PostgreSQL: one connection, no parallel workers, jit off',
    'fewer rows with --quick, scaled to a million',
  ],
  repeats: true,
  claims: [
    { series: SCAN, over: { variant: C_LOOP, series: SCAN }, most: 1.2 },
    { series: SCAN, over: { variant: FAISS, series: SCAN }, most: 1 / 3 },
    { series: SCAN, over: { variant: USEARCH, series: SCAN }, most: 1 / 20 },
    { series: SCAN, over: { variant: POSTGRES, series: SCAN }, most: 1 / 20 },
    { series: SCAN, over: { variant: PLAIN, series: SCAN }, most: 1 / 9 },
  ],
  variants: [...oursTwice(ours), ...scanPeers],
}

async function ours(plan: Plan): Promise<readonly Series[]> {
  const rows = rowsOf(plan)
  const { codes, code } = randomCodes(rows)
  const scan = codeScan(rows, CODE_BITS)
  for (let row = 0; row < rows; row++) scan.write(row, codes.subarray(64 * row, 64 * row + 64))
  return timeScans(plan, rows, plan.batches, () => scan.nearest(code, rows, NEAREST))
}
