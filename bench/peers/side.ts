import { fork } from 'node:child_process'
import type { DatabaseEnv } from '../../workers/env.ts'
import type { ClientAnswer, ClientOrder } from './tidemark-client.ts'

/** The rows that either side carries, and the characters of each one's body. */
export const ROWS = 50_000

/** Makes the rows, in so many groups of equal size. */
export const seedSql = (groups: number) =>
  `INSERT INTO public.item SELECT lpad(i::text, 8, '0'), (i - 1) / ${ROWS / groups}, 'title ' || i,
     md5(i::text) || md5((i + 1)::text) || md5((i + 2)::text) || md5((i + 3)::text), 0
   FROM generate_series(1, ${ROWS}) AS i`

/** A running server of one side, with its database. */
export interface Side {
  readonly name: string
  /** The way of the writer to the database. */
  readonly env: DatabaseEnv
  /** Starts a client, in a process of its own, that holds these groups. */
  openClient(groups: readonly number[], wanted: number): Promise<PeerClient>
  stop(): Promise<void>
}

/** A client in a process of its own. */
export interface PeerClient {
  /** From its opening until all of its rows can be queried, in milliseconds; starting the process is not in it. */
  readonly readyMs: number
  /** Resolves once it watches; answers what resolves to the times at which it saw each update. */
  watch(ids: readonly string[], first: number): Promise<{ readonly arrivals: Promise<readonly number[]> }>
  close(): Promise<void>
}

/** Forks a client's module and has it open. */
export async function forkClient(
  module: string,
  order: Extract<ClientOrder, { do: 'open' }>,
  cwd?: string,
): Promise<PeerClient> {
  const child = fork(module, cwd === undefined ? {} : { cwd })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const answerOf = <Name extends keyof ClientAnswer>(name: Name) =>
    new Promise<NonNullable<ClientAnswer[Name]>>((resolve, reject) => {
      child.on('message', (answer: ClientAnswer) => {
        const found = answer[name]
        if (found !== undefined) resolve(found as NonNullable<ClientAnswer[Name]>)
      })
      ended.then(() => reject(new Error(`A client ended before it said ${name}.`)))
    })
  const ready = answerOf('ready')
  child.send(order)
  return {
    readyMs: await ready,
    async watch(ids, first) {
      const watching = answerOf('watching')
      const arrivals = answerOf('arrivals')
      arrivals.catch(() => undefined)
      child.send({ do: 'watch', ids, first } satisfies ClientOrder)
      await watching
      // In an object, because a promise that is answered would be waited for.
      return { arrivals }
    },
    async close() {
      child.disconnect()
      await ended
    },
  }
}
