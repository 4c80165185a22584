/** The handlers of docs/fastify.md, docs/express.md and docs/nest.md with the lines beside them, on the frameworks themselves. @module */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterEach, expect, test } from 'vitest'
import { face } from '../support/vault.ts'
import { examplesIn } from '../tidy/readme.ts'
import { type Running, servicesFolder, started } from './running.ts'

const IMPORTS = {
  fastify: "import { fastify as Fastify } from 'fastify'",
  express: "import express from 'express'",
  nest: `import { Body, Controller, HttpCode, HttpException, Inject, Module, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'`,
}
/** What has the port. */
const SERVERS = { fastify: 'app.server', express: 'server', nest: 'app.getHttpServer()' }
const running: Running[] = []
const files: string[] = []

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop()
  for (const file of files.splice(0)) rmSync(file)
})

/** Handler and lines as they stand but for the port, with one person enrolled. */
function program(name: keyof typeof IMPORTS): string {
  const text = readFileSync(`docs/${name}.md`, 'utf8')
  const [handler = { code: '' }] = examplesIn(text, 'ts run')
  const [lines = { code: '' }] = examplesIn(text, 'js')
  const served = lines.code.replace('3000', '0')
  expect(served).not.toBe(lines.code)
  const code = `${IMPORTS[name]}
${handler.code}
const basis = {
  kind: 'consent', separateConsent: true, purpose: 'login', noticeVersion: '2026-01', evidence: new Uint8Array(32),
  grantedAt: new Date(), expiresAt: new Date(Date.now() + 86_400_000),
}
const sample = { embedding: embedding(${JSON.stringify([...face(1)])}, model), [allowUnattestedCapture]: true }
await vault.enroll({ subject: 'anna', basis, ...sample })
${served}
if (!${SERVERS[name]}.listening) await new Promise((resolve) => ${SERVERS[name]}.once('listening', resolve))
console.log('listening on ' + ${SERVERS[name]}.address().port)
`
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  })
  return outputText
}

test.each(['fastify', 'express', 'nest'] as const)('docs/%s.md', { timeout: 60_000 }, async (name) => {
  const file = join(servicesFolder(), `text-${name}.js`)
  files.push(file)
  writeFileSync(file, program(name))
  const service = await started([file])
  running.push(service)
  const body = { subject: 'anna', vector: [...face(1, 1)], operationId: 'a' }
  const ask = async (given: unknown) => {
    const { status, text } = await service.ask('/verify', given)
    return { status, text }
  }
  expect(await ask(body)).toEqual({ status: 200, text: '{"secondFactor":false}' })
  const stranger = await ask({ ...body, vector: [...face(2)], operationId: 'b' })
  expect(stranger.status).toBe(401)
  expect(await ask({ ...body, subject: 'nobody', operationId: 'c' })).toEqual(stranger)
  const wrong = await ask({ ...body, vector: [1, 2] })
  expect(wrong.status).toBe(400)
  expect(await ask({ ...body, vector: 'x' })).toEqual(wrong)
  expect(await ask({})).toEqual(wrong)
  // Nest answers with a body of its own, the same for every refusal of a status.
  if (name !== 'nest') expect([stranger.text, wrong.text]).toEqual(['', ''])
  for (const { text } of [stranger, wrong]) expect(text).not.toMatch(/ERR_|anna|vector|128|embedding/i)
})
