import { z } from 'zod'
import { sha256Hex } from '../../db/index.ts'
import {
  type ActionMutation,
  type Outcome,
  type PatchMutation,
  type PushedMutation,
  type Rejection,
  TidemarkError,
} from '../../protocol/index.ts'
import { type Database, type DatabaseTransaction, sqlStateOf, textArray } from '../database/index.ts'
import { explainConstraint } from './explain-constraint.ts'
import { checkDependencies, type OpenPush, patchContext, predictionOf, remember, toTell } from './open-push.ts'
import { checkPatch, type PatchStep } from './rules/check-patch.ts'
import { basisCounters, basisEffects, type Effects, earlierSchema, effectsSchema } from './rules/earlier.ts'
import { knownSchema, outcomeOf } from './rules/known-mutation.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'
import { readingsOf } from './rules/readings.ts'
import { verdictOf } from './rules/verdict.ts'
import { actionVerdict, runAction } from './run-action.ts'
import { writePatch } from './write-patch.ts'

const begunSchema = z.union([
  z.object({ known: knownSchema }),
  z.object({ earlier: z.array(earlierSchema), settledTo: z.number(), nowMs: z.number() }),
])

/**
 * Decides one mutation for good: one transaction commits it, or another records why not; what is stored is what is answered.
 *
 * Throws what may pass, or is no fault of the mutation, and then nothing is decided.
 */
export async function settleMutation(push: OpenPush, database: Database, parsed: ParsedMutation): Promise<Outcome> {
  const digest = await sha256Hex(parsed.json)
  const { counter, content } = parsed
  if (!isMutation(content)) return reject(push, database, parsed, digest, content)
  try {
    const steps =
      content.kind === 'patch' ? checkPatch(content.rows, push.definition.definition, push.session.audiences) : []
    const { known, effects } = await database.transaction(async ({ query, last }) => {
      const begun = await begin(push, query, content, digest)
      if ('known' in begun) return { known: begun.known, effects: null }
      for (const earlier of begun.earlier) push.earlier.add(earlier)
      checkDependencies(push, content, begun.settledTo)
      if (content.kind === 'patch') {
        await writePatch({ ...patchContext(push), query }, steps)
      } else {
        const { client, env, madeMs, session } = push
        const { nowMs } = begun
        await runAction(push.options, content, { client, userId: session.userId, env, query, madeMs, nowMs })
      }
      return { known: null, effects: await finish(push, last, content, steps) }
    })
    if (known) return outcomeOf(counter, digest, known)
    remember(push, content, effects)
    return { counter, status: 'committed' }
  } catch (error) {
    return reject(push, database, parsed, digest, await rejectionOf(push, database, content, error))
  }
}

async function begin(
  { client, session, earlier }: OpenPush,
  query: DatabaseTransaction['query'],
  mutation: PushedMutation,
  digest: string,
): Promise<z.infer<typeof begunSchema>> {
  const bases = mutation.kind === 'patch' ? basisCounters(mutation.rows) : []
  const asked = [...new Set([...mutation.after, ...bases])].filter((counter) => earlier.statusOf(counter) === null)
  const predicted = predictionOf(mutation)
  const [row] = await query(
    'SELECT tidemark.begin_mutation($1, $2::bigint, $3, $4, $5, $6::bigint[], $7, $8) AS begun',
    [
      client,
      mutation.counter,
      session.userId,
      digest,
      predicted === null ? null : JSON.stringify(predicted),
      textArray(asked.map(String)),
      JSON.stringify(session.audiences),
      JSON.stringify(session.claims),
    ],
  )
  return begunSchema.parse(JSON.parse(row?.begun ?? 'null'))
}

/** The last of its transaction. */
async function finish(
  push: OpenPush,
  last: DatabaseTransaction['last'],
  mutation: PushedMutation,
  steps: readonly PatchStep[],
): Promise<Effects | null> {
  const { reading, keys } = readingsOf(push.definition.definition, push.session.audiences, mutation, steps)
  const told = toTell(push, mutation)
  const [row] = await last('SELECT tidemark.finish_mutation($1, $2::bigint, $3, $4, $5) AS effects', [
    push.client,
    mutation.counter,
    reading,
    keys,
    told === null ? null : JSON.stringify(told),
  ])
  return row?.effects == null ? null : effectsSchema.parse(JSON.parse(row.effects))
}

/** Why an error refuses a mutation; throws it where it does not. */
async function rejectionOf(
  push: OpenPush,
  database: Database,
  mutation: PatchMutation | ActionMutation,
  error: unknown,
): Promise<Rejection> {
  if (error instanceof MutationRejected) return error.rejection
  // Without an SQLSTATE it is ours, or a connection's.
  if (!(error instanceof TidemarkError) || sqlStateOf(error) === null) throw error
  const verdict = mutation.kind === 'patch' ? verdictOf(sqlStateOf(error)) : actionVerdict(error)
  if (verdict.kind !== 'rejected') throw error
  if (verdict.rejection.kind !== 'constraint') return verdict.rejection
  return { ...verdict.rejection, ...(await explainConstraint(database.query, push.definition.definition, error)) }
}

async function reject(
  { client, session, earlier }: OpenPush,
  database: Database,
  { counter, content }: ParsedMutation,
  digest: string,
  rejection: Rejection,
): Promise<Outcome> {
  const effects = isMutation(content) && content.kind === 'patch' ? basisEffects(content.rows, earlier) : []
  const [row] = await database.query('SELECT tidemark.reject_mutation($1, $2::bigint, $3, $4, $5, $6) AS known', [
    client,
    counter,
    session.userId,
    digest,
    JSON.stringify(rejection),
    effects.length === 0 ? null : JSON.stringify(effects),
  ])
  const known = knownSchema.parse(JSON.parse(row?.known ?? 'null'))
  const outcome = outcomeOf(counter, digest, known)
  // Only if this rejection is the stored one does its basis count.
  if ('digest' in known && known.digest === digest && known.status === 'rejected')
    earlier.add({ counter, status: 'rejected', predicted: null, effects })
  return outcome
}
