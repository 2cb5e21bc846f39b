import type { z } from 'zod'
import { TidemarkError } from '../protocol/index.ts'
import { actionFaults } from './check-sync.ts'

/** A value that a statement in an action may take. */
export type ActionValue = string | number | boolean | null

/** Runs one statement, values only as `${…}`; every value comes back as Postgres text or null, in the replica and on the server alike. */
export type ActionSql = (
  strings: TemplateStringsArray,
  ...values: readonly ActionValue[]
) => Promise<Record<string, string | null>[]>

/**
 * All that an action may use. Anything else could differ between replica and server: no clock, no randomness, no
 * request.
 */
export interface ActionContext {
  readonly sql: ActionSql
  /** Derives a uuid from the mutation and these names, equal wherever and however often the action runs. */
  readonly id: (...names: readonly [string | number, ...(string | number)[]]) => string
  /**
   * Time at which the action was called; ISO 8601, UTC. On the server it is never in the future, nor before the replica
   * was made.
   */
  readonly now: string
  readonly user: { readonly id: string }
}

/** A function that runs in the replica at once and again on the server, whose result stands. */
export interface Action<Args> {
  readonly schema: z.ZodType<Args>
  readonly run: (context: ActionContext, args: Args) => Promise<void>
}

/**
 * Declares an action: its arguments' schema, of values that JSON can carry, and what it does.
 *
 * It runs in one transaction, in the replica under its rows and on the server under the user's role; `refuse` ends it.
 */
export function action<Args>(
  schema: z.ZodType<Args>,
  run: (context: ActionContext, args: Args) => Promise<void>,
): Action<Args> {
  const declared = { schema, run }
  const [fault] = actionFaults(declared, 'action()')
  if (fault) throw new TidemarkError('misconfigured', `${fault}.`)
  return declared
}

/** The app's own refusal of an action, thrown by `refuse`. */
export class ActionRefusal extends Error {
  override readonly name = 'ActionRefusal'
  readonly code: string
  /** JSON. */
  readonly data: unknown

  constructor(code: string, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** Ends an action: none of its writes stay, and its author receives code, message and data. */
export function refuse(code: string, message: string, data?: unknown): never {
  throw new ActionRefusal(code, message, data)
}
