/** Pools that look on, answer for the server, or give every statement another session. @module */

import type { PostgresClient, PostgresPool } from 'guise/postgres'
import type pg from 'pg'

export interface Sent {
  readonly text: string
  readonly values: readonly unknown[]
}

type Answer = { readonly rows: readonly unknown[] }

/** Runs every statement on a random one of several sessions, as a pooler in transaction mode may. */
export function scatteringPool(sessions: readonly pg.ClientBase[]): PostgresPool {
  const ends: Promise<unknown>[] = sessions.map(() => Promise.resolve())
  return {
    connect: async () => ({
      query: (text: string, values?: unknown[]): Promise<Answer> => {
        const number = Math.floor(Math.random() * sessions.length)
        const ask = async (): Promise<Answer> => (await sessions[number]?.query(text, values)) ?? { rows: [] }
        const answer = (ends[number] ?? Promise.resolve()).then(ask, ask)
        ends[number] = answer
        return answer
      },
      release: () => undefined,
    }),
  }
}

/** Writes down what is sent. */
export function recordingPool(pool: PostgresPool, sent: Sent[]): PostgresPool {
  return answeringPool(pool, (text, values, ask) => {
    sent.push({ text, values })
    return ask()
  })
}

/** Lets a test answer in the place of the server. `listeners` gets what the store listens to. */
export function answeringPool(
  pool: PostgresPool,
  answer: (text: string, values: readonly unknown[], ask: () => Promise<Answer>) => Promise<Answer>,
  listeners: Map<string, (value: unknown) => void> = new Map(),
): PostgresPool {
  return {
    connect: async (): Promise<PostgresClient> => {
      const client = await pool.connect()
      return {
        query: (text, values = []) => answer(text, values, () => client.query(text, values)),
        release: (error) => client.release(error),
        on: (event, listener) => {
          listeners.set(event, listener)
          return client.on?.(event, listener)
        },
        removeListener: (event, listener) => client.removeListener?.(event, listener),
      }
    },
  }
}
