/** The handlers of docs/fastify.md and docs/express.md over node:http, in the shape that both frameworks have. @module */
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { allowUnattestedCapture, embedding, GuiseError, StoreError, type Vault } from 'guise'
import { afterEach, expect, test } from 'vitest'
import { basis, face } from '../support/vault.ts'

const MODEL = { id: 'arcface-r100@1', dimensions: 128, metric: 'cosine' } as const
const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

type Handler = (request: { readonly body: unknown }, reply: unknown) => Promise<unknown>
interface Recipe {
  readonly vault: Vault
  statusOf(error: unknown): number
  faceRoutes(app: object, vault: Vault, model: typeof MODEL): void
}
interface Served {
  readonly recipe: Recipe
  readonly hooks: readonly (() => Promise<void>)[]
  ask(body: unknown): Promise<{ readonly status: number; readonly text: string }>
}

/** Both frameworks' names for a status and for an end. */
function replyOver(response: ServerResponse): object {
  const end = (body?: unknown): void => void response.end(body === undefined ? '' : JSON.stringify(body))
  const reply = {
    code: (status: number) => {
      response.statusCode = status
      return reply
    },
    status: (status: number) => reply.code(status),
    send: end,
    json: end,
    end,
  }
  return reply
}

async function serve(text: string): Promise<Served> {
  const recipe = (await import(/* @vite-ignore */ `docs/${text}.md.1.ts`)) as Recipe
  const handlers = new Map<string, Handler>()
  const hooks: (() => Promise<void>)[] = []
  const app = {
    post: (path: string, handler: Handler) => handlers.set(path, handler),
    addHook: (_: string, hook: () => Promise<void>) => hooks.push(hook),
  }
  recipe.faceRoutes(app, recipe.vault, MODEL)
  const server = createServer((request, response) => {
    const handler = handlers.get(request.url ?? '') as Handler
    void json(request).then((body) => handler({ body }, replyOver(response)))
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const ask: Served['ask'] = async (body) => {
    const answer = await fetch(`http://127.0.0.1:${port}/verify`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return { status: answer.status, text: await answer.text() }
  }
  return { recipe, hooks, ask }
}

test.each(['fastify', 'express'])(
  'the handler for %s answers as it says, and tells no more',
  async (text) => {
    const { recipe, hooks, ask } = await serve(text)
    const { vault } = recipe
    const sample = { embedding: embedding(face(1), MODEL), [allowUnattestedCapture]: true } as const
    await vault.enroll({ subject: 'anna', basis: basis(), ...sample })
    const body = { subject: 'anna', vector: [...face(1, 1)], operationId: 'a' }
    expect(await ask(body)).toEqual({ status: 200, text: '{"secondFactor":false}' })
    const stranger = await ask({ ...body, vector: [...face(2)], operationId: 'b' })
    const nobody = await ask({ ...body, subject: 'nobody', operationId: 'c' })
    expect(stranger).toEqual({ status: 401, text: '' })
    expect(nobody).toEqual(stranger)
    for (const wrong of [
      null,
      [],
      { ...body, vector: 'x' },
      { ...body, vector: [1, 2] },
      { ...body, subject: '' },
    ]) {
      expect(await ask(wrong)).toEqual({ status: 400, text: '' })
    }
    expect(recipe.statusOf(new Error('x'))).toBe(500)
    expect(recipe.statusOf(new StoreError('ERR_STORE_FAILED', 'x'))).toBe(500)
    expect(new StoreError('ERR_STORE_BUSY', 'x')).toBeInstanceOf(GuiseError)
    for (const hook of hooks) await hook()
    expect(hooks).toHaveLength(text === 'fastify' ? 1 : 0)
    await vault.close()
    expect(await ask(body)).toEqual({ status: 503, text: '' })
  },
)
