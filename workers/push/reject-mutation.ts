import type { Outcome, Rejection } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { OpenPush } from './open-push.ts'
import { basisEffects } from './rules/earlier.ts'
import { knownSchema, outcomeOf } from './rules/known-mutation.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'

/**
 * Records why a mutation is refused, in a transaction of its own; the answer is whatever is stored by then, perhaps by
 * others.
 *
 * Throws the database's TM002 where another definition is in force than the mutation was judged by.
 */
export async function rejectMutation(
  { client, session, earlier, latestVersion }: OpenPush,
  database: Database,
  { counter, content }: ParsedMutation,
  digest: string,
  rejection: Rejection,
): Promise<Outcome> {
  const effects = isMutation(content) && content.kind === 'patch' ? basisEffects(content.rows, earlier) : []
  const [row] = await database.query(
    'SELECT tidemark.reject_mutation($1, $2::bigint, $3, $4, $5, $6, $7::bigint) AS known',
    [
      client,
      counter,
      session.userId,
      digest,
      JSON.stringify(rejection),
      effects.length === 0 ? null : JSON.stringify(effects),
      latestVersion,
    ],
  )
  const known = knownSchema.parse(JSON.parse(row?.known ?? 'null'))
  const outcome = outcomeOf(counter, digest, known)
  // The basis counts only if this rejection is the stored one.
  if ('digest' in known && known.digest === digest && known.status === 'rejected')
    earlier.add({ counter, status: 'rejected', predicted: null, effects })
  return outcome
}
