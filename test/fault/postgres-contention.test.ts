/** Every verb at once on the same few people, from 16 connections: typed answers, and soon (I-26); the full run is slow. @module */
import { contentionTests } from './postgres-contention-suite.ts'

contentionTests({ durationMs: 5000, controls: false }, 120_000)
