import * as z from 'zod/mini'
import { quoteIdentifier } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { listOf } from './counters.ts'

/** So many of the keys that were given to rows stay known, so that these rows may be made again by their keys. */
const TAKEN_KEPT = 5_000

/** Reads how many keys of each of these sequences are left. */
export async function countLeft(db: Executor, sequences: Iterable<string>): Promise<Map<string, number>> {
  const asked = [...sequences]
  const { rows } = await db.query<{ sequence: string; left: number | string }>(
    `SELECT asked.value AS sequence, (SELECT count(*) FROM tidemark.leased_key k WHERE k.sequence = asked.value AND NOT k.taken) AS left
     FROM json_array_elements_text($1::text::json) AS asked`,
    [JSON.stringify(asked)],
  )
  return new Map(rows.map(({ sequence, left }) => [sequence, Number(left)]))
}

/** Adds keys that were leased; one that is known stays as it is. */
export async function addLeased(tx: Executor, keys: Readonly<Record<string, readonly string[]>>): Promise<void> {
  await tx.query(
    `INSERT INTO tidemark.leased_key (sequence, key)
     SELECT one.key, k::bigint FROM json_each($1::text::json) AS one, json_array_elements_text(one.value) AS k ON CONFLICT DO NOTHING`,
    [JSON.stringify(keys)],
  )
  await tx.query(
    `DELETE FROM tidemark.leased_key k USING json_object_keys($1::text::json) AS one WHERE k.sequence = one AND k.taken AND k.key < (
       SELECT t.key FROM tidemark.leased_key t WHERE t.sequence = one AND t.taken ORDER BY t.key DESC OFFSET ${TAKEN_KEPT} LIMIT 1)`,
    [JSON.stringify(keys)],
  )
}

/** Answers whether some of these keys were leased here, for all that is known here. */
export async function isAnyLeased(
  db: Executor,
  keys: readonly { readonly sequence: string; readonly key: string }[],
): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM json_to_recordset($1::text::json) AS asked(sequence text, key text)
       JOIN tidemark.leased_key k ON k.sequence = asked.sequence AND k.key::text = asked.key) AS found`,
    [JSON.stringify(keys)],
  )
  return rows[0]?.found === true
}

/** Forgets all keys of these sequences, because the server does not know that it gave them. */
export async function forgetLeases(tx: Executor, sequences: Iterable<string>): Promise<void> {
  await tx.query(
    `DELETE FROM tidemark.leased_key WHERE sequence IN (SELECT json_array_elements_text($1::text::json))`,
    [JSON.stringify([...sequences])],
  )
}

/** Takes the next key for a row of a table, named in SQL, that a sequence numbers. */
export async function takeKey(tx: Executor, sequence: string, table: string, column: string): Promise<string> {
  const { rows } = await tx.query<{ key: string }>('SELECT tidemark.next_key($1, $2, $3)::text AS key', [
    sequence,
    table,
    column,
  ])
  return rows[0]?.key ?? ''
}

/** Works as `takeKey`, for an action that keeps by itself which keys it took. */
export async function takeKeyApart(tx: Executor, sequence: string, table: string, column: string): Promise<string> {
  const { rows } = await tx.query<{ key: string }>('SELECT tidemark.take_key($1, $2, $3, NULL)::text AS key', [
    sequence,
    table,
    column,
  ])
  return rows[0]?.key ?? ''
}

/** The keys that an action took by itself, by sequence and in its order. */
export type ActionKeys = Readonly<Record<string, readonly string[]>>

const actionKeysSchema = z.record(z.string(), z.array(z.string()))

/** Reads what an action took of keys in earlier runs of it. */
export async function readActionKeys(tx: Executor, counter: number): Promise<ActionKeys> {
  const { rows } = await tx.query<{ keys: string | null }>('SELECT keys FROM tidemark.mutation WHERE counter = $1', [
    counter,
  ])
  return parseActionKeys(rows[0]?.keys ?? null)
}

export const parseActionKeys = (keys: string | null): ActionKeys =>
  keys === null ? {} : actionKeysSchema.parse(JSON.parse(keys))

/** Keeps what an action took of keys, so that it gets the same in every run, and the server's too. */
export async function keepActionKeys(tx: Executor, counter: number, keys: ActionKeys): Promise<void> {
  await tx.query('UPDATE tidemark.mutation SET keys = $2 WHERE counter = $1', [counter, JSON.stringify(keys)])
}

/** Removes the row of a table, named in SQL, that has this key, as a write of the mutation which is being done. */
export async function makeWay(tx: Executor, table: string, column: string, key: string): Promise<void> {
  await tx.query(`DELETE FROM ${table} WHERE ${quoteIdentifier(column)} = $1::text::bigint`, [key])
}

/** Gives what a mutation took of keys to the one that it is made anew as. */
export async function handOverKeys(tx: Executor, former: number, made: number): Promise<void> {
  await tx.query('UPDATE tidemark.leased_key SET taken_by = $2 WHERE taken_by = $1', [former, made])
}

/** Takes keys out of what is left that rows of these patches have, as JSON: the database may be older than they are. */
export async function passOverKeysOf(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(
    `DELETE FROM tidemark.leased_key WHERE NOT taken AND key::text IN (
       SELECT named.value FROM tidemark.mutation m, json_array_elements(m.patch::json) AS made, json_each_text(made.value -> 'k') AS named
       WHERE m.counter IN (SELECT json_array_elements_text($1::text::json)::bigint) AND made.value ->> 'o' = 'i'
       UNION ALL SELECT took.value FROM tidemark.mutation m, json_each(m.keys::json) AS of_sequence, json_array_elements_text(of_sequence.value) AS took
       WHERE m.counter IN (SELECT json_array_elements_text($1::text::json)::bigint))`,
    [listOf(counters)],
  )
}
