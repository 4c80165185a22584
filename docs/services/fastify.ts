/** A whole service on Fastify: `DESK_TOKEN=… node dist/fastify.js FOLDER [PORT]`. @module */
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { openFaces } from './faces.js'

const [folder = 'data', port = '3000'] = process.argv.slice(2)
const token = process.env['DESK_TOKEN'] ?? ''
if (token.length < 16) throw new Error('DESK_TOKEN: at least 16 characters that nobody guesses')
const faces = await openFaces(folder, token)

const app = fastify({ bodyLimit: 65_536, logger: false })
app.addHook('onRequest', async (request, reply) => {
  if (!faces.admits(request.headers.authorization)) await reply.code(403).send()
})
for (const [name, call] of Object.entries(faces.calls))
  app.post(`/faces/${name}`, async (request, reply) => {
    const { status, body } = await call(request.body)
    return reply.code(status).send(body)
  })
// What is no JSON, too long, or no route: a status, and no word of Fastify's.
app.setErrorHandler<{ statusCode?: number }>((error, _, reply) => reply.code(error.statusCode ?? 500).send())
app.setNotFoundHandler((_, reply) => reply.code(404).send())
app.addHook('onClose', () => faces.close())
process.once('SIGTERM', () => void app.close())

await app.listen({ host: '127.0.0.1', port: Number(port) })
console.log(`listening on ${(app.server.address() as AddressInfo).port}`)
