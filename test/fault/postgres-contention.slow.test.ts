/** Five minutes of every verb at once on the same few people, from 16 connections (I-26). @module */
import { contentionTests } from './postgres-contention-suite.ts'

const DURATION_MS = Number(process.env['GUISE_CONTENTION_MS'] ?? 300_000)

contentionTests({ durationMs: DURATION_MS, controls: true }, 1_800_000)
