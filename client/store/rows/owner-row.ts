import * as z from 'zod/mini'
import type { Executor } from '../copies.ts'

const identitySchema = z.object({ client_id: z.string(), counter: z.coerce.number() })

/** The client id of this replica, and the highest number that it has given to a mutation. */
export interface Identity {
  readonly client: string
  readonly counter: number
}

/** Reads under which client id mutations are numbered here, and how far. */
export async function readIdentity(tx: Executor): Promise<Identity> {
  const { rows } = await tx.query('SELECT client_id, counter FROM tidemark.owner')
  const { client_id: client, counter } = identitySchema.parse(rows[0])
  return { client, counter }
}

/** Goes on under a client id from a number; does nothing where a higher one was given. */
export async function restoreIdentity(tx: Executor, { client, counter }: Identity): Promise<void> {
  await tx.query('UPDATE tidemark.owner SET client_id = $1, counter = $2 WHERE counter <= $2', [client, counter])
}

/** Moves the counter to a number that was used elsewhere, so that none up to it is given here. */
export async function passNumber(tx: Executor, counter: number): Promise<void> {
  await tx.query('UPDATE tidemark.owner SET counter = $1 WHERE counter < $1', [counter])
}

/** Gives so many numbers at once, and answers the first of them. */
export async function giveNumbers(tx: Executor, count: number): Promise<number> {
  const { rows } = await tx.query<{ counter: number | string }>(
    'UPDATE tidemark.owner SET counter = counter + $1 RETURNING counter',
    [count],
  )
  return Number(rows[0]?.counter) - count + 1
}

/** How the storage was found when it was opened. */
export interface FoundOpen {
  /** Who had it last did not close it. */
  readonly wasOpen: boolean
  /** When its rows were last compared with the server's; null: never. */
  readonly comparedAtMs: number | null
}

/** Notes that the storage is open from here on, and answers how it was found. */
export async function noteOpen(db: Executor): Promise<FoundOpen> {
  const { rows } = await db.query<{ open: boolean; compared: string | null }>(
    `WITH before AS (SELECT open, (extract(epoch FROM compared_at) * 1000)::bigint::text AS compared FROM tidemark.owner),
     now AS (UPDATE tidemark.owner SET open = true) SELECT open, compared FROM before`,
  )
  const [found] = rows
  return { wasOpen: found?.open === true, comparedAtMs: found?.compared ? Number(found.compared) : null }
}

export async function noteClosed(db: Executor): Promise<void> {
  await db.query('UPDATE tidemark.owner SET open = false')
}

export async function noteCompared(db: Executor, atIso: string): Promise<void> {
  await db.query('UPDATE tidemark.owner SET compared_at = $1', [atIso])
}
