import { PINNED_SETTINGS, quoteIdentifier, quoteLiteral } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'

/** Values are text under these settings, whatever the app has set. */
const PINNED = Object.entries(PINNED_SETTINGS)
  .map(([name, value]) => `SET LOCAL ${quoteIdentifier(name)} = ${quoteLiteral(value)};`)
  .join(' ')

export async function pinSettings(tx: Executor): Promise<void> {
  await tx.exec(PINNED)
}

const OF_ACTIONS = Object.entries({ ...PINNED_SETTINGS, search_path: 'public' })
  .map(([name, value]) => `SET LOCAL ${quoteIdentifier(name)} = ${quoteLiteral(value)};`)
  .join(' ')

/** Gives the transaction the settings of an action, which may write what actions alone may. */
export async function beginActionRun(tx: Executor): Promise<void> {
  await tx.exec(`${OF_ACTIONS} SELECT set_config('tidemark.action', 'on', true)`)
}

/** Checks what an action left to be checked, and takes its right to write. Rejects where a constraint is broken. */
export async function endActionRun(tx: Executor): Promise<void> {
  await tx.exec(`SET CONSTRAINTS ALL IMMEDIATE; SELECT set_config('tidemark.action', 'off', true)`)
}

/** Lets what is written from here on be captured as work done again, which was admitted before. */
export async function beginRedo(tx: Executor): Promise<void> {
  await tx.exec(`SET LOCAL session_replication_role = origin; SELECT set_config('tidemark.redo', 'on', true)`)
}

/** Ends what `beginRedo` began: the transaction writes the server's rows again. */
export async function endRedo(tx: Executor): Promise<void> {
  await tx.exec(
    `SET LOCAL session_replication_role = replica; SET LOCAL search_path = pg_catalog;
     SELECT set_config('tidemark.redo', 'off', true), set_config('tidemark.mutation', '', true)`,
  )
}

/** Makes a mutation the one whose writes are captured from here on. */
export async function setCurrentMutation(tx: Executor, counter: number): Promise<void> {
  await tx.query(`SELECT set_config('tidemark.mutation', $1, true), set_config('tidemark.size', '', true)`, [
    String(counter),
  ])
}

/** Admits rows by whatever keys they are given from here on: the server decides about those that were not leased here. */
export async function admitKeys(tx: Executor): Promise<void> {
  await tx.exec(`SELECT set_config('tidemark.keys', 'given', true)`)
}

/** Makes what is written from here on a mutation of its own. */
export async function setNoMutation(tx: Executor): Promise<void> {
  await tx.exec(`SELECT set_config('tidemark.mutation', '', true), set_config('tidemark.size', '', true)`)
}

/** Answers whether this transaction has written, and nothing of it belongs to a mutation. */
export async function hasWrittenUnseen(tx: Executor): Promise<boolean> {
  const { rows } = await tx.query<{ unseen: boolean }>(
    `SELECT pg_current_xact_id_if_assigned() IS NOT NULL
       AND nullif(current_setting('tidemark.mutation', true), '') IS NULL AS unseen`,
  )
  return rows[0]?.unseen ?? false
}

/** Reads the number of the mutation that this transaction makes; null while it has written nothing that is synced. */
export async function readCurrentMutation(tx: Executor): Promise<number | null> {
  const { rows } = await tx.query<{ counter: string | null }>(
    `SELECT nullif(current_setting('tidemark.mutation', true), '') AS counter`,
  )
  return Number(rows[0]?.counter ?? 0) || null
}
