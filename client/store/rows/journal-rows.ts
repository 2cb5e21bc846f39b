import * as z from 'zod/mini'
import { type Definition, rejectionSchema } from '../../../protocol/index.ts'
import { type Executor, readDefinition } from '../copies.ts'
import { type Said, saidSchema } from '../rules/said-version.ts'
import { SHOWN_VERSION } from '../words-ddl.ts'
import { COUNTERS, listOf } from './counters.ts'
import { jsonText } from './json-text.ts'

const text = z.nullable(z.string())
const counter = z.coerce.number()
const rejection = z.nullable(jsonText(rejectionSchema))

const madeSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  origin: z.string(),
  tab: text,
  call: text,
  name: text,
  args: text,
  keys: text,
  at: z.string(),
  patch: text,
  request: text,
  predicted: text,
  said: z.nullable(saidSchema),
  rejection,
  took: z.array(counter),
  writes: z.array(
    z.object({
      table_id: z.string(),
      op: z.enum(['insert', 'update', 'delete']),
      key: z.string(),
      before: text,
      after: text,
    }),
  ),
})

/**
 * `last` is the highest number given, `hash` that of the definition which is shown, `said` the version in which all is said
 * that says nothing else; null where there is none.
 */
const sinceSchema = z.object({ last: counter, hash: text, said: z.nullable(saidSchema), made: z.array(madeSchema) })

/** Reads all mutations after the number `seen` that wait for something, as texts that can be kept elsewhere. */
export async function readMade(db: Pick<Executor, 'query'>, seen: number): Promise<z.infer<typeof sinceSchema>> {
  const { rows } = await db.query<{ made: string }>('SELECT tidemark.made_since($1) AS made', [seen])
  return sinceSchema.parse(JSON.parse(rows[0]?.made ?? ''))
}

/** Reads the definition that is shown, which has this hash. */
export async function readShownDefinition(db: Pick<Executor, 'query'>, hash: string): Promise<Definition> {
  const { rows } = await db.query<{ definition: string; changed: string }>(
    `SELECT definition, changed FROM tidemark.copy WHERE place = 'live' AND hash = $1`,
    [hash],
  )
  const { types, tables } = readDefinition(rows[0] ?? { definition: 'null', changed: '' })
  return { types, tables }
}

const endSchema = z.object({ counter, status: z.nullable(z.enum(['confirmed', 'failed'])), rejection })

/** Reads how these mutations ended or failed, `status` null where they are gone; those that did neither are left out. */
export async function readEnds(
  db: Pick<Executor, 'query'>,
  counters: Iterable<number>,
): Promise<z.infer<typeof endSchema>[]> {
  const { rows } = await db.query<{ ended: string }>('SELECT tidemark.ended_of($1) AS ended', [listOf(counters)])
  return z.array(endSchema).parse(JSON.parse(rows[0]?.ended ?? ''))
}

const knownSchema = z.object({
  counter,
  status: z.enum(['pending', 'sent', 'confirmed', 'failed']),
  isFrozen: z.boolean(),
})

/** Reads the mutations that are not confirmed, and those of `also` that are. */
export async function readKnown(tx: Executor, also: Iterable<number>): Promise<z.infer<typeof knownSchema>[]> {
  const { rows } = await tx.query(
    `SELECT counter, status, request IS NOT NULL AS "isFrozen" FROM tidemark.mutation
     WHERE (status <> 'confirmed' AND squashed_into IS NULL) OR counter IN ${COUNTERS('$1')}`,
    [listOf(also)],
  )
  return rows.map((row) => knownSchema.parse(row))
}

/** A mutation as its journal has it; `patch`, `request` and `predicted` are JSON. */
export interface JournalledMutation {
  readonly counter: number
  readonly kind: 'patch' | 'action'
  readonly origin: string
  readonly tab: string | null
  readonly call: string | null
  readonly name: string | null
  readonly args: string | null
  readonly keys: string | null
  readonly at: string
  readonly patch: string | null
  readonly request: string | null
  readonly predicted: string | null
  /** Null where it is said in the version of the copy that is here, or nobody knows. */
  readonly said: Said | null
}

/** Inserts a mutation as sent, whether or not it was: its outcome is asked for before anything is done with it. */
export async function insertSent(tx: Executor, mutation: JournalledMutation): Promise<void> {
  const { counter: number, kind, origin, tab, call, name, args, keys, at, patch, request, predicted, said } = mutation
  await tx.query(
    `INSERT INTO tidemark.mutation (counter, kind, origin, name, args, at, status, sealed, patch, request, predicted, tab, call, said, keys)
     VALUES ($1, $2, $3, $4, $5, $6, 'sent', true, $7, $8, $9, $10, $11, $12, $13)`,
    [number, kind, origin, name, args, at, patch, request, predicted, tab, call, said && JSON.stringify(said), keys],
  )
}

/** Reads the version in which work on the shown copy is said; null where none is shown, or not all is said in one. */
export async function readShownVersion(tx: Executor): Promise<Said | null> {
  const { rows } = await tx.query<{ said: string }>(SHOWN_VERSION)
  return rows[0] ? saidSchema.parse(JSON.parse(rows[0].said)) : null
}

/** Mutations that are said in another version than the copy's. */
export interface SaidMutations {
  readonly said: Said
  readonly counters: readonly number[]
}

export async function readSaid(db: Pick<Executor, 'query'>): Promise<SaidMutations[]> {
  const { rows } = await db.query<{ said: string; counters: string }>(
    `SELECT said, json_agg(counter ORDER BY counter)::text AS counters FROM tidemark.mutation
     WHERE said IS NOT NULL AND status <> 'confirmed' GROUP BY said`,
  )
  return rows.map(({ said, counters }) => ({
    said: saidSchema.parse(JSON.parse(said)),
    counters: z.array(z.number()).parse(JSON.parse(counters)),
  }))
}

/** Notes that these mutations are said in the version of the copy now. */
export async function forgetSaid(tx: Executor, counters: readonly number[]): Promise<void> {
  await tx.query(`UPDATE tidemark.mutation SET said = NULL WHERE counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Stores the text in which a mutation left, the only one in which it may leave again; `patch` null leaves its rows. */
export async function restoreFrozen(
  tx: Executor,
  frozen: Pick<JournalledMutation, 'counter' | 'patch' | 'request' | 'predicted'>,
): Promise<void> {
  const { counter: number, patch, request, predicted } = frozen
  await tx.query(
    `UPDATE tidemark.mutation SET status = 'sent', sealed = true, request = $2, predicted = $3, patch = coalesce($4, patch)
     WHERE counter = $1`,
    [number, request, predicted, patch],
  )
}
