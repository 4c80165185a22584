/** The handlers of docs/fastify.md, docs/express.md and docs/nest.md over node:http, in the shapes that the frameworks have. @module */
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
  faceRoutes?(app: object, vault: Vault, model: typeof MODEL): void
  readonly FaceService?: new (vault: Vault, model: typeof MODEL) => { onModuleDestroy(): Promise<void> }
  faceController?(
    refuse: (status: number) => Error,
  ): new (
    faces: object,
  ) => { verify(body: unknown): Promise<unknown> }
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

/** What Nest does with the classes: one service, its end, and an exception that is a status. */
function nestRoutes(
  { FaceService, faceController, vault }: Recipe,
  app: {
    post(path: string, handler: Handler): unknown
    addHook(name: string, hook: () => Promise<void>): unknown
  },
): void {
  if (FaceService === undefined || faceController === undefined) throw new Error('the recipe lacks a class')
  const service = new FaceService(vault, MODEL)
  const refuse = (status: number): Error => Object.assign(new Error('refused'), { status })
  const controller = new (faceController(refuse))(service)
  app.addHook('onModuleDestroy', () => service.onModuleDestroy())
  app.post('/verify', async ({ body }, reply) => {
    const to = reply as { code(status: number): { send(body?: unknown): unknown } }
    try {
      return to.code(200).send(await controller.verify(body))
    } catch (error) {
      return to.code((error as { status: number }).status).send()
    }
  })
}

async function serve(text: string): Promise<Served> {
  const recipe = (await import(/* @vite-ignore */ `docs/${text}.md.1.ts`)) as Recipe
  const handlers = new Map<string, Handler>()
  const hooks: (() => Promise<void>)[] = []
  const app = {
    post: (path: string, handler: Handler) => handlers.set(path, handler),
    addHook: (_: string, hook: () => Promise<void>) => hooks.push(hook),
  }
  if (recipe.faceRoutes === undefined) nestRoutes(recipe, app)
  else recipe.faceRoutes(app, recipe.vault, MODEL)
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

test.each(['fastify', 'express', 'nest'])(
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
    expect(hooks).toHaveLength(text === 'express' ? 0 : 1)
    await vault.close()
    expect(await ask(body)).toEqual({ status: 503, text: '' })
  },
)
