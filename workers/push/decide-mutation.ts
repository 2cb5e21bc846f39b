import { z } from 'zod'
import { sha256Hex } from '../../db/index.ts'
import {
  mutationId,
  type Outcome,
  type PushedMutation,
  type Rejection,
  type TableDefinition,
  TidemarkError,
} from '../../protocol/index.ts'
import {
  type Database,
  type DatabaseTransaction,
  databaseMessageOf,
  faultField,
  SQL_STATE,
  sqlStateOf,
  textArray,
} from '../database/index.ts'
import { log } from '../log.ts'
import { explainConstraint } from './explain-constraint.ts'
import { mapDecided } from './names-since.ts'
import { checkDependencies, type OpenPush, patchContext, predictionOf, remember, toTell } from './open-push.ts'
import { rejectMutation } from './reject-mutation.ts'
import { checkPatch, type PatchStep } from './rules/check-patch.ts'
import { basisCounters, type Effects, earlierSchema, effectsSchema } from './rules/earlier.ts'
import { knownSchema, outcomeOf } from './rules/known-mutation.ts'
import {
  ACTION_KEY_UNLEASED,
  bringsNoKey,
  keyTaken,
  leasedKeysBrought,
  leasedKeysGiven,
  NONE_UNLEASED,
  type UnleasedKeys,
  unleasedKeys,
} from './rules/leased-keys.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { isMutation, type ParsedMutation } from './rules/parse-mutation.ts'
import { readingsOf } from './rules/readings.ts'
import { TOO_SLOW, type Told, verdictOf } from './rules/verdict.ts'
import { actionVerdict, runAction } from './run-action.ts'
import { Undecided } from './undecided.ts'
import { writeInAnyOrder } from './write-in-any-order.ts'

const begunSchema = z.union([
  z.object({ known: knownSchema }),
  z.object({
    earlier: z.array(earlierSchema.extend({ version: z.number().nullable() })),
    since: z.array(z.record(z.string(), z.string())),
    settledTo: z.number(),
    nowMs: z.number(),
  }),
])

/**
 * Decides one mutation for good: one transaction commits it, or another records why not; the stored outcome is the
 * answer.
 *
 * Throws `Undecided` where the mutation failed and may yet succeed, and errors that are not the mutation's own; then
 * nothing is decided.
 */
export async function decideMutation(push: OpenPush, database: Database, parsed: ParsedMutation): Promise<Outcome> {
  const digest = await sha256Hex(parsed.json)
  const { counter, content } = parsed
  if (!isMutation(content)) return rejectMutation(push, database, parsed, digest, content)
  const tried: Tried = { parsed, digest, isBegun: false }
  try {
    const steps =
      content.kind === 'patch' ? checkPatch(content.rows, push.definition.definition, push.session.audiences) : []
    const { known, effects } = await database.transaction(async ({ query, last, single }) => {
      // Asked first, because what follows the beginning runs as the client role, which may not ask it.
      const isNoKey = content.kind === 'action' && bringsNoKey(content)
      const given = content.kind === 'patch' ? leasedKeysGiven(steps) : isNoKey ? null : leasedKeysBrought(content)
      const unleased = await readUnleased(query, push.client, given)
      const begun = await begin(push, query, content, digest)
      tried.isBegun = true
      if ('known' in begun) return { known: begun.known, effects: null }
      for (const earlier of await mapDecided(query, begun.earlier, begun.since)) push.earlier.add(earlier)
      checkDependencies(push, content, begun.settledTo)
      if (content.kind === 'patch') {
        await writeInAnyOrder({ ...patchContext(push), query, unleased }, steps)
      } else {
        if (isNoKey || unleased.size > 0) throw new MutationRejected(ACTION_KEY_UNLEASED)
        const { client, env, madeMs, session } = push
        const { nowMs } = begun
        const more = push.options.contextIn?.(database) ?? {}
        const { definition } = push.definition
        const request = { client, userId: session.userId, env, definition, query, single, madeMs, nowMs, more }
        // The action may wait for something that never comes.
        await Promise.race([runAction(push.options, content, request), push.deadline.ended])
      }
      return { known: null, effects: await finish(push, last, content, steps) }
    })
    if (known) return outcomeOf(counter, digest, known)
    remember(push, content, effects)
    return { counter, status: 'committed' }
  } catch (error) {
    return rejectMutation(push, database, parsed, digest, await rejectionOf(push, database, tried, error))
  }
}

async function readUnleased(
  query: DatabaseTransaction['query'],
  client: string,
  given: string | null,
): Promise<UnleasedKeys> {
  if (given === null) return NONE_UNLEASED
  const [row] = await query('SELECT tidemark.unleased_keys($1, $2::json)::text AS unleased', [client, given])
  return unleasedKeys(row?.unleased ?? null)
}

async function begin(
  { client, session, earlier, latestVersion }: OpenPush,
  query: DatabaseTransaction['query'],
  mutation: PushedMutation,
  digest: string,
): Promise<z.infer<typeof begunSchema>> {
  const bases = mutation.kind === 'patch' ? basisCounters(mutation.rows) : []
  const asked = [...new Set([...mutation.after, ...bases])].filter((counter) => earlier.statusOf(counter) === null)
  const predicted = predictionOf(mutation)
  const [row] = await query(
    'SELECT tidemark.begin_mutation($1, $2::bigint, $3, $4, $5, $6::bigint[], $7::bigint, $8, $9) AS begun',
    [
      client,
      mutation.counter,
      session.userId,
      digest,
      predicted === null ? null : JSON.stringify(predicted),
      textArray(asked.map(String)),
      latestVersion,
      JSON.stringify(session.audiences),
      JSON.stringify(session.claims),
    ],
  )
  return begunSchema.parse(JSON.parse(row?.begun ?? 'null'))
}

/** Ends the mutation's transaction: nothing may follow. */
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

interface Tried {
  readonly parsed: ParsedMutation
  readonly digest: string
  isBegun: boolean
}

/** Returns the rejection that an error amounts to; throws where it amounts to none. */
async function rejectionOf(push: OpenPush, database: Database, tried: Tried, error: unknown): Promise<Rejection> {
  if (error instanceof MutationRejected) return error.rejection
  // A fault before the mutation has begun is the server's or the connection's, not the mutation's; other errors are
  // judged below, as our own code may fail at the mutation's content.
  const state = sqlStateOf(error)
  if (!tried.isBegun && (error instanceof TidemarkError || state === SQL_STATE.undefinedFunction)) throw error
  if (state === SQL_STATE.anotherDefinition) throw error
  const { content } = tried.parsed
  if (push.deadline.isPast) throw new Undecided(tried.parsed, tried.digest, TOO_SLOW, null, error)
  const told = toldBy(error, database.usable)
  const verdict = content.kind === 'action' ? actionVerdict(told) : verdictOf(told)
  if (verdict.kind === 'again') throw new Undecided(tried.parsed, tried.digest, verdict, told.sqlState, error)
  const { rejection } = verdict
  if (rejection.code === SQL_STATE.insufficientPrivilege)
    log(push.env, 'right-missing', {
      mutation: mutationId(push.client, tried.parsed.counter),
      client: push.client,
      message: `A write was refused because role tidemark_client lacks a right; run \`tidemark doctor\`: ${databaseMessageOf(error)}`,
    })
  if (rejection.kind !== 'constraint') return rejection
  const { definition } = push.definition
  const explained = await explainConstraint(database.query, definition, error)
  const table = state === '23505' && definition.tables.find(({ id }) => id === explained.table)
  return table && isOwnKey(table, explained.columns ?? []) && givesKeysOf(content, table)
    ? keyTaken({ t: table.id })
    : { ...rejection, ...explained }
}

/** Tells whether the author chose the keys of new rows of this table: a patch names them, an action where it takes them. */
const givesKeysOf = (content: ParsedMutation['content'], { columns }: TableDefinition): boolean =>
  isMutation(content) &&
  (content.kind === 'patch' ||
    columns.some(({ leased }) => leased !== undefined && Object.hasOwn(content.keys ?? {}, leased)))

/** Tells whether what is unique by these columns is the key of a table that a sequence numbers. */
const isOwnKey = ({ primaryKey, columns }: TableDefinition, unique: readonly string[]): boolean =>
  columns.some(({ leased }) => leased !== undefined) &&
  unique.length === primaryKey.length &&
  primaryKey.every((name) => unique.includes(name))

const TABLE_DENIED = /^permission denied for (table|view|relation|column)\b/

function toldBy(error: unknown, isAlive: boolean): Told {
  const isOfTable = TABLE_DENIED.test(databaseMessageOf(error) ?? '') && faultField(error, 'where') === null
  return { sqlState: sqlStateOf(error), routine: faultField(error, 'routine'), isOfTable, isAlive }
}
