/** A whole service on Express: `DESK_TOKEN=… node dist/express.js FOLDER [PORT]`. @module */
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import { openFaces } from './faces.js'

const [folder = 'data', port = '3000'] = process.argv.slice(2)
const token = process.env['DESK_TOKEN'] ?? ''
if (token.length < 16) throw new Error('DESK_TOKEN: at least 16 characters that nobody guesses')
const faces = await openFaces(folder, token)

const app = express()
app.disable('x-powered-by')
app.use((request, response, next) => {
  if (faces.admits(request.headers.authorization)) next()
  else response.status(403).end()
})
app.use(express.json({ limit: '64kb', strict: false }))
for (const [name, call] of Object.entries(faces.calls))
  app.post(`/faces/${name}`, async (request, response) => {
    const { status, body } = await call(request.body)
    response.status(status)
    if (body === undefined) response.end()
    else response.json(body)
  })
app.use((_, response) => void response.status(404).end())
// What is no JSON or too long: a status, and no word of Express's.
const refuse: ErrorRequestHandler = (error: { status?: number }, _, response, _next) =>
  void response.status(error.status ?? 500).end()
app.use(refuse)

const server = app.listen(Number(port), '127.0.0.1', () =>
  console.log(`listening on ${(server.address() as AddressInfo).port}`),
)
process.once('SIGTERM', () => server.close(() => void faces.close()))
