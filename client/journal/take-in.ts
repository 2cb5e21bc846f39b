import { z } from 'zod'
import { type Definition, pushedMutationSchema } from '../../protocol/index.ts'
import { sealNew } from '../mutations/seal.ts'
import { COUNTERS } from '../mutations/unsettled-mutations.ts'
import type { Executor } from '../store/copies.ts'
import { replicaTables } from '../store/replica-table.ts'
import { compareJournal, type KnownOutbox, type Learning, OUTCOME_UNKNOWN } from './rules/compare-journal.ts'
import type { JournalState, OpenMutation } from './rules/fold-journal.ts'

const ownerSchema = z.object({ client_id: z.string(), counter: z.coerce.number() })
const knownSchema = z.object({
  counter: z.coerce.number(),
  status: z.enum(['pending', 'sent', 'confirmed', 'failed']),
  isFrozen: z.boolean(),
})

/**
 * Gives the outbox what it lacks of its journal, in the transaction that opens the database. A mutation that it never
 * knew has no effect yet: it is done at the join, or by `Outbox.learn` where a copy is shown.
 */
export async function takeIn(tx: Executor, journal: JournalState): Promise<Learning> {
  const learning = compareJournal(journal, await readKnown(tx, journal))
  const { client, counter, taken, foreign, frozen, committed } = learning
  await tx.query('UPDATE tidemark.owner SET client_id = $1, counter = $2 WHERE counter <= $2', [client, counter])
  await insertAll(tx, taken, journal.definitions)
  await insertForeign(tx, foreign, journal.definitions)
  for (const open of frozen) await freeze(tx, open)
  await tx.query(
    `UPDATE tidemark.mutation SET status = 'sent', sealed = true,
       outcome = json_build_object('counter', counter, 'status', 'committed')::text
     WHERE counter IN ${COUNTERS('$1')}`,
    [JSON.stringify(committed)],
  )
  return learning
}

async function readKnown(tx: Executor, { open }: JournalState): Promise<KnownOutbox> {
  const owner = ownerSchema.parse((await tx.query('SELECT client_id, counter FROM tidemark.owner')).rows[0])
  const { rows } = await tx.query(
    `SELECT counter, status, request IS NOT NULL AS "isFrozen" FROM tidemark.mutation
     WHERE (status <> 'confirmed' AND squashed_into IS NULL) OR counter IN ${COUNTERS('$1')}`,
    [JSON.stringify([...open.keys()])],
  )
  return { client: owner.client_id, counter: owner.counter, mutations: rows.map((row) => knownSchema.parse(row)) }
}

const byNumber = (a: OpenMutation, b: OpenMutation) => a.made.counter - b.made.counter

/** Inserts these; those captured and not sealed get their rows as sealing makes them, under their own definitions. */
async function insertAll(
  tx: Executor,
  taken: readonly OpenMutation[],
  definitions: ReadonlyMap<string, Definition>,
): Promise<void> {
  const captured: OpenMutation[] = []
  for (const open of [...taken].sort(byNumber)) {
    await insert(tx, open)
    if (open.made.kind === 'patch' && open.made.patch === null && !open.frozen) captured.push(open)
  }
  for (const [hash, group] of Map.groupBy(captured, ({ made }) => made.hash)) {
    for (const { made } of group) {
      await tx.query(
        `INSERT INTO tidemark.write (counter, table_id, op, key, before, after)
         SELECT $1::bigint, * FROM json_to_recordset($2::text::json) AS w(table_id text, op text, key text, before text, after text)`,
        [made.counter, JSON.stringify(made.writes)],
      )
    }
    const definition = hash === null ? null : definitions.get(hash)
    if (definition) await sealNew(tx, replicaTables(definition, 'live'))
  }
  // None of them has done anything to the rows that are here.
  await tx.query(`DELETE FROM tidemark.write WHERE counter IN ${COUNTERS('$1')}`, [
    JSON.stringify(taken.map(({ made }) => made.counter)),
  ])
  const failed = taken.flatMap(({ made, rejection }) => (rejection ? [{ counter: made.counter, rejection }] : []))
  for (const { counter, rejection } of failed) {
    await tx.query(`UPDATE tidemark.mutation SET status = 'failed', rejection = $2 WHERE counter = $1`, [
      counter,
      JSON.stringify(rejection),
    ])
  }
}

/** Inserts it as sent, whether or not it was: its outcome is asked for before anything is done with it. */
async function insert(tx: Executor, { made, frozen }: OpenMutation): Promise<void> {
  const { counter, kind, origin, name, args, at } = made
  const patch = kind === 'action' ? null : frozen ? rowsOf(frozen.request) : made.patch
  await tx.query(
    `INSERT INTO tidemark.mutation (counter, kind, origin, name, args, at, status, sealed, patch, request, predicted)
     VALUES ($1, $2, $3, $4, $5, $6, 'sent', true, $7, $8, $9)`,
    [counter, kind, origin, name, args, at, patch, frozen?.request ?? null, frozen?.predicted ?? null],
  )
}

/** Inserts these under new numbers and as failed: nobody can ask for their outcome, so the app decides. */
async function insertForeign(
  tx: Executor,
  foreign: readonly OpenMutation[],
  definitions: ReadonlyMap<string, Definition>,
): Promise<void> {
  if (foreign.length === 0) return
  const sorted = [...foreign].sort(byNumber)
  const { rows } = await tx.query<{ counter: number | string }>(
    'UPDATE tidemark.owner SET counter = counter + $1 RETURNING counter',
    [sorted.length],
  )
  const first = Number(rows[0]?.counter) - sorted.length + 1
  const renumbered = sorted.map(({ made, frozen, rejection }, index) => {
    const counter = first + index
    return {
      made: { ...made, counter },
      frozen: frozen && { ...frozen, counter },
      rejection: rejection ?? OUTCOME_UNKNOWN,
    }
  })
  await insertAll(tx, renumbered, definitions)
}

/** Stores the text in which it left, the only one in which it may leave again. */
async function freeze(tx: Executor, { made, frozen }: OpenMutation): Promise<void> {
  if (!frozen) return
  const { counter, request, predicted, took } = frozen
  const taken = JSON.stringify(took)
  await tx.query(`UPDATE tidemark.write SET counter = $1 WHERE counter IN ${COUNTERS('$2')}`, [counter, taken])
  await tx.query(
    `UPDATE tidemark.mutation SET squashed_into = $1, status = 'confirmed' WHERE counter IN ${COUNTERS('$2')}`,
    [counter, taken],
  )
  await tx.query(
    `UPDATE tidemark.mutation SET status = 'sent', sealed = true, request = $2, predicted = $3, patch = coalesce($4, patch)
     WHERE counter = $1`,
    [counter, request, predicted, made.kind === 'patch' ? rowsOf(request) : null],
  )
}

function rowsOf(request: string): string {
  const mutation = pushedMutationSchema.parse(JSON.parse(request))
  return JSON.stringify(mutation.kind === 'patch' ? mutation.rows : [])
}
