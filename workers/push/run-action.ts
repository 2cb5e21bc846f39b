import { type ActionContext, ActionRefusal, type ActionSql, actionId, readArguments } from '../../db/index.ts'
import {
  type ActionMutation,
  type Definition,
  leasedColumnOf,
  mutationId,
  noLeasedKey,
  type Rejection,
} from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import { type DatabaseTransaction, sqlStateOf } from '../database/index.ts'
import { type LogEvent, log } from '../log.ts'
import type { PushOptions } from './options.ts'
import { isActionStatement } from './rules/action-statement.ts'
import { MutationRejected } from './rules/mutation-rejected.ts'
import { isStorable } from './rules/parse-mutation.ts'
import { type Told, type Verdict, verdictOf } from './rules/verdict.ts'

/** The most data a refusal may carry: it is for showing a reason, not for rows. */
const DATA_CHARS = 16 * 1024
const NOT_OF_ACTIONS =
  'The action failed on the server: a statement in it does more than read and write rows. Its role, settings and transaction are not its own.'

export interface ActionRequest {
  readonly client: string
  readonly userId: string
  readonly env: AppEnv
  readonly definition: Definition
  readonly query: DatabaseTransaction['query']
  readonly single: DatabaseTransaction['single']
  /** The time at which the author's replica was made, and the time now, in ms since 1970 by the database's clock. */
  readonly madeMs: number
  readonly nowMs: number
  /** What the server's half gets besides. */
  readonly more: object
}

/**
 * Runs an action as its author, with its server's half where it has one. Throws MutationRejected, and faults of the
 * database.
 */
export async function runAction(options: PushOptions, mutation: ActionMutation, request: ActionRequest): Promise<void> {
  const { actions = {} } = options.sync
  const action = Object.hasOwn(actions, mutation.name) ? actions[mutation.name] : undefined
  if (!action) throw rejected('unknown-action', 'This server knows no such action.')
  const args: unknown = await readArguments(action, mutation.args).catch(() => {
    throw rejected('invalid', 'The arguments are not of the form that the action takes.')
  })
  const { sql, close } = actionSql(request)
  const context: ActionContext = {
    sql,
    id: (...names) => actionId(mutationId(request.client, mutation.counter), names),
    key: keysOf(mutation, request),
    now: clampedNow(mutation.at, request),
    user: { id: request.userId },
  }
  const half = Object.hasOwn(options.actions ?? {}, mutation.name) ? options.actions?.[mutation.name] : undefined
  const run = () => action.run(context, args)
  try {
    await (half ? half(run, { ...request.more, ...context, args, env: request.env }) : run())
  } catch (error) {
    await close()
    throw thrownBy(request, mutation, error)
  }
  await close()
}

/** Gives an action the keys that it took where it was called, one after the other, and then new ones of the sequence. */
function keysOf({ keys = {} }: ActionMutation, { definition, single }: ActionRequest): ActionContext['key'] {
  const given = new Map<string, number>()
  return async (name) => {
    const leased = leasedColumnOf(definition, name)
    if (!leased) throw new Error(noLeasedKey(name))
    const at = given.get(leased.sequence) ?? 0
    given.set(leased.sequence, at + 1)
    const brought = Object.hasOwn(keys, leased.sequence) ? keys[leased.sequence]?.[at] : undefined
    if (brought !== undefined) return brought
    const [row] = await single('SELECT tidemark.draw_key($1)::text AS key', [leased.sequence])
    return row?.key ?? ''
  }
}

/** Returns the author's time, but none in the future, nor from before their replica was made. */
function clampedNow(at: string, { madeMs, nowMs }: ActionRequest): string {
  return new Date(Math.min(nowMs, Math.max(madeMs, Date.parse(at)))).toISOString()
}

const STANDING = 'SELECT tidemark.standing() AS standing'

/**
 * Gives an action its `sql`. `close` waits for statements not awaited, closes `sql`, and throws the first fault even
 * if it was caught: the transaction is void.
 */
function actionSql({ query, single }: ActionRequest): { sql: ActionSql; close: () => Promise<void> } {
  const running = new Set<Promise<unknown>>()
  let failed: { readonly error: unknown } | null = null
  let closed = false
  const ask = async () => (await query(STANDING))[0]?.standing
  let asked: ReturnType<typeof ask> | null = null
  const run = async (text: string, values: Parameters<typeof single>[1]) => {
    if (!isActionStatement(text)) throw rejected('invalid', NOT_OF_ACTIONS)
    asked ??= ask()
    const [before, rows, after] = await Promise.all([asked, single(text, values), ask()])
    if (before !== after) throw rejected('invalid', NOT_OF_ACTIONS)
    return rows
  }
  const sql: ActionSql = async (strings, ...values) => {
    if (closed) throw new Error('The action has ended: await each `sql` in it.')
    const statement = run(
      strings.reduce((text, part, index) => `${text}$${index}${part}`),
      values,
    )
    running.add(statement)
    try {
      return await statement
    } catch (error) {
      failed ??= { error }
      throw error
    } finally {
      running.delete(statement)
    }
  }
  const close = async () => {
    closed = true
    await Promise.allSettled(running)
    if (failed) throw failed.error
  }
  return { sql, close }
}

function rejected(kind: Rejection['kind'], message: string): MutationRejected {
  return new MutationRejected({ kind, message })
}

function thrownBy({ client, env }: ActionRequest, { name, counter }: ActionMutation, error: unknown): unknown {
  if (error instanceof MutationRejected || sqlStateOf(error) !== null) return error
  const mutation = mutationId(client, counter)
  const warn = (event: LogEvent, message: string) => log(env, event, { mutation, client, message })
  if (error instanceof ActionRefusal) return new MutationRejected(refusal(name, error, warn))
  warn('action-failed', `action ${name} failed: ${error instanceof Error ? error.message : 'it threw no Error'}`)
  return rejected('invalid', 'The action failed on the server.')
}

function refusal(
  name: string,
  { code, message, data }: ActionRefusal,
  warn: (event: LogEvent, message: string) => void,
): Rejection {
  const kept = { kind: 'refused' as const, message, code }
  if (!isStorable([code, message])) return { kind: 'refused', message: 'The app refuses this.' }
  if (data === undefined) return kept
  try {
    const text = JSON.stringify(data)
    const copy = JSON.parse(text)
    if (text.length <= DATA_CHARS && isStorable(copy)) return { ...kept, data: copy }
  } catch {
    // Not JSON: logged below.
  }
  const tooMuch = `no JSON of at most ${DATA_CHARS} characters`
  warn('action-data-dropped', `action ${name} refused with data that is ${tooMuch}: left out`)
  return kept
}

/** Judges an error in an action: a statement that the database does not understand is the app's mistake. */
export function actionVerdict(told: Told): Verdict {
  const verdict = verdictOf(told)
  if (verdict.kind !== 'again' || !told.sqlState?.startsWith('42')) return verdict
  return { kind: 'rejected', rejection: { kind: 'invalid', message: 'The action failed on the server.' } }
}
