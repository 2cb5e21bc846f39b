import { z } from 'zod'
import { nameOfTable } from '../../db/definition/declared-table.ts'
import { type ConflictPolicy, readDefinitionInForce } from '../../db/index.ts'
import {
  type DefinitionInForce,
  mutationId,
  NO_BUNDLES,
  type Outcome,
  type PushAnswer,
  TidemarkError,
  tableId,
} from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import { checkBundle } from '../access/check-bundle.ts'
import { SQL_STATE, sqlStateOf } from '../database/index.ts'
import { log } from '../log.ts'
import { logFault } from '../typed-error.ts'
import { decideMutation } from './decide-mutation.ts'
import { decidePatches } from './decide-patches.ts'
import { mapMutations } from './names-since.ts'
import type { OpenPush } from './open-push.ts'
import type { PushOptions } from './options.ts'
import type { PushConnection } from './push-connection.ts'
import { DeadlinePassed, PushDeadline } from './push-deadline.ts'
import { parseJson } from './read-body.ts'
import { EarlierMutations } from './rules/earlier.ts'
import { type ParsedMutation, parsePush } from './rules/parse-mutation.ts'
import { isPassing } from './rules/verdict.ts'
import { countTry, tryAlone, Undecided } from './undecided.ts'

const ATTEMPTS = 3
const RETRY_BASE_MS = 40
/** Mutations that have not begun by then are left to the next push. */
const PUSH_MS = 20_000
const RETRY_AFTER_MS = 1_000
/**
 * Then the session is ended, whatever runs in it: even the mutation that began last has by then had longer than a
 * statement may take.
 */
const DEADLINE_MS = 45_000

const openedSchema = z.object({
  madeMs: z.number(),
  definition: z.object({ version: z.number(), hash: z.string() }).nullable(),
  /** The highest counter up to which mutations are tried one by one, because an earlier try failed. */
  stuck: z.number().nullable(),
})

/**
 * Decides a push's mutations one after the other, and stops at the first that cannot be decided now.
 *
 * Throws `bad-input`, `limit-exceeded`, `upgrade-required`, `forbidden` for another user's client, `unavailable`, `misconfigured`.
 */
export async function receivePush(
  options: PushOptions,
  env: AppEnv,
  connection: PushConnection,
  session: OpenPush['session'],
  body: string,
): Promise<PushAnswer> {
  const { client, acknowledged, migration, mutations } = parsePush(parseJson(body))
  log(env, 'push-received', { client, mutations: mutations.length })
  const endMs = Date.now() + Math.min(PUSH_MS, options.deadlineMs ?? DEADLINE_MS)
  const isKept = connection.ageMs > 0
  const open = async () =>
    (await connection.get()).query('SELECT tidemark.open_push($1, $2, $3::bigint) AS opened', [
      client,
      session.userId,
      acknowledged,
    ])
  const [row] = await open().catch((error: unknown) => {
    // A kept connection may have been cut while nobody used it.
    if (!isKept || !isTransient(error)) throw error
    return open()
  })
  if (row?.opened == null) throw new TidemarkError('forbidden', 'This client id is not yours; make a new one.')
  const { madeMs, definition, stuck } = openedSchema.parse(JSON.parse(row.opened))
  const inForce = await definitionOf(connection, definition)
  const query = async () => (await connection.get()).query
  await checkBundle(migration, inForce.bundles ?? NO_BUNDLES, async (ask) => ask(await query()))
  const said = await mapMutations(query, inForce, mutations)
  const push: OpenPush = {
    options,
    env,
    session,
    client,
    madeMs,
    definition: inForce,
    latestVersion: inForce.passedOver ?? inForce.version,
    policyOf: policies(options),
    earlier: new EarlierMutations(),
    deadline: new PushDeadline(options.deadlineMs ?? DEADLINE_MS, () => connection.end()),
  }
  try {
    const answer = await decideAll(push, connection, said, { endMs, aloneTo: stuck ?? 0 })
    if (answer.retry !== null)
      log(env, 'push-put-off', { client, count: said.length - answer.outcomes.length, message: answer.retry.message })
    return answer
  } finally {
    push.deadline.clear()
  }
}

function logOutcomes({ env, client }: OpenPush, outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) {
    const mutation = mutationId(client, outcome.counter)
    if (outcome.status === 'rejected') log(env, 'mutation-rejected', { mutation, client, kind: outcome.rejection.kind })
    else log(env, 'mutation-committed', { mutation, client })
  }
}

interface Course {
  readonly endMs: number
  /** Mutations up to this counter are tried one by one: one of them failed before. */
  aloneTo: number
}

async function decideAll(
  push: OpenPush,
  connection: PushConnection,
  mutations: readonly ParsedMutation[],
  course: Course,
): Promise<PushAnswer> {
  const outcomes: Outcome[] = []
  let together = mutations.length
  while (outcomes.length < mutations.length) {
    if (Date.now() >= course.endMs)
      return { outcomes, retry: { message: 'This took long; send the rest again.', afterMs: 0 } }
    const next = mutations.slice(outcomes.length, outcomes.length + together)
    try {
      const decided = await withRetries(course.endMs, () => decideFirst(push, connection, next, course))
      outcomes.push(...decided)
      logOutcomes(push, decided)
      // An obstacle to one mutation may be one to others too: how many go at once then grows again from one.
      together = decided.length < next.length ? 1 : 2 * together
    } catch (error) {
      if (sqlStateOf(error) === SQL_STATE.anotherDefinition)
        return { outcomes, retry: { message: 'The schema changed during this push; send the rest again.', afterMs: 0 } }
      const refused = await refusedAtLast(push, connection, error, course.aloneTo)
      if (refused === null) {
        const message = 'The database cannot decide this now; send the rest again.'
        return { outcomes, retry: { message, afterMs: RETRY_AFTER_MS } }
      }
      outcomes.push(refused)
      logOutcomes(push, [refused])
      together = 1
    }
  }
  return { outcomes, retry: null }
}

/**
 * Decides about a mutation that failed once more; null where the rest of the push waits for it, or for the database.
 */
async function refusedAtLast(
  push: OpenPush,
  connection: PushConnection,
  error: unknown,
  aloneTo: number,
): Promise<Outcome | null> {
  const cause = error instanceof Undecided ? (error.cause ?? error) : error
  logFault(push.env, asFault(cause), cause, { client: push.client })
  try {
    const database = await connection.get()
    if (error instanceof Undecided) return await countTry(push, database, error)
    await tryAlone(push, database, aloneTo)
    return null
  } catch (fault) {
    logFault(push.env, asFault(fault), fault, { client: push.client })
    return null
  }
}

const asFault = (error: unknown): TidemarkError =>
  error instanceof TidemarkError ? error : new TidemarkError('internal', 'A push failed.', { cause: error })

/** Decides the first mutation at least. */
async function decideFirst(
  push: OpenPush,
  connection: PushConnection,
  mutations: readonly ParsedMutation[],
  course: Course,
): Promise<Outcome[]> {
  const database = await connection.get()
  if (push.deadline.isPast) throw new DeadlinePassed('The push took as long as one may.')
  const [first] = mutations
  if (!first || first.counter <= course.aloneTo) return first ? [await decideMutation(push, database, first)] : []
  try {
    const decided = await decidePatches(push, database, mutations)
    return decided.length > 0 ? decided : [await decideMutation(push, database, first)]
  } catch (error) {
    // Only trying the mutations one by one can show which of them it was.
    if (!(error instanceof Undecided)) course.aloneTo = mutations.at(-1)?.counter ?? first.counter
    throw error
  }
}

/**
 * Retries, because deadlocks and cut connections are over soon; where the answer of a commit was lost, the next attempt
 * finds the outcome.
 */
async function withRetries<Result>(endMs: number, run: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await run()
    } catch (error) {
      if (attempt === ATTEMPTS || Date.now() >= endMs || !isTransient(error)) throw error
      await pause(RETRY_BASE_MS * 2 ** attempt * Math.random())
    }
  }
}

function isTransient(error: unknown): boolean {
  if (error instanceof Undecided) return error.verdict.isBrief
  const sqlState = sqlStateOf(error)
  if (sqlState !== null) return isPassing(sqlState)
  return error instanceof TidemarkError && error.kind === 'unavailable'
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** The last definition that this isolate read. */
let lastDefinition: DefinitionInForce | null = null

async function definitionOf(
  connection: PushConnection,
  named: { version: number; hash: string } | null,
): Promise<DefinitionInForce> {
  if (named === null)
    throw new TidemarkError('misconfigured', 'No sync definition is in force: run `tidemark migrate`.')
  if (lastDefinition?.hash !== named.hash || lastDefinition.version !== named.version)
    lastDefinition = await readDefinitionInForce((await connection.get()).query, named.version)
  if (lastDefinition === null)
    throw new TidemarkError('unavailable', 'The sync definition changed during this push; push again.')
  return lastDefinition
}

function policies({ sync }: PushOptions): OpenPush['policyOf'] {
  const byTable = new Map<string, ConflictPolicy>()
  for (const entry of Object.values(sync.tables)) byTable.set(tableId(nameOfTable(entry)), entry.conflict ?? 'reject')
  return (table) => byTable.get(table) ?? 'reject'
}
