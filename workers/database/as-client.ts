import type { Query } from '../../db/query.ts'
import type { Database, DatabaseTransaction, TransactionOptions } from './database.ts'

/** The identity a statement runs for. `userId` null: it runs for an audience, not for a user (snapshots). */
export interface ClientIdentity {
  readonly userId: string | null
  readonly audiences: readonly string[]
  readonly claims?: Readonly<Record<string, unknown>>
}

/**
 * Makes everything up to the end of the transaction run as role `tidemark_client` for this identity, under the search
 * path that database and role are set to: policies, and what they call, are the app's.
 *
 * It selects, so in REPEATABLE READ it fixes the snapshot: take locks before.
 */
export async function becomeClient(query: Query, identity: ClientIdentity): Promise<void> {
  await query(
    `SELECT set_config('tidemark.user_id', $1, true), set_config('tidemark.audiences', $2, true),
      set_config('request.jwt.claims', $3, true)`,
    [
      identity.userId ?? '',
      JSON.stringify(identity.audiences),
      JSON.stringify(identity.claims ?? (identity.userId === null ? {} : { sub: identity.userId })),
    ],
  )
  await query('SET LOCAL search_path TO DEFAULT; SET LOCAL ROLE tidemark_client')
}

/** Runs a transaction whose every statement is subject to the row-level security of this identity. */
export async function asClient<T>(
  database: Database,
  identity: ClientIdentity,
  run: (transaction: DatabaseTransaction) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return database.transaction(async (transaction) => {
    await becomeClient(transaction.query, identity)
    return run(transaction)
  }, options)
}
