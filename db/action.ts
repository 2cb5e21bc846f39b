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
   * Takes the next key of a table that a sequence numbers, as text, for an INSERT that names it: one that the replica leased,
   * and on the server the very same, in the order of the calls. A call of which the replica's run had none gets a new one there.
   *
   * Throws where no sequence numbers the table, or replicas do not write it.
   */
  readonly key: (table: string) => Promise<string>
  /**
   * Time at which the action was called; ISO 8601, UTC. On the server it is never in the future, nor before the replica
   * was made.
   */
  readonly now: string
  readonly user: { readonly id: string }
}

type Parsed<Args> = { readonly success: true; readonly data: Args } | { readonly success: false; readonly error: Error }

/** What is asked of a schema of zod, so that one of its mini build does, which is a tenth of the other in a page. */
export interface ArgumentsSchema<Args> {
  safeParse(args: unknown): Parsed<Args>
  safeParseAsync(args: unknown): Promise<Parsed<Args>>
}

/** A function that runs in the replica at once and again on the server, whose result stands. */
export interface Action<Args> {
  readonly schema: ArgumentsSchema<Args>
  readonly run: (context: ActionContext, args: Args) => Promise<void>
  readonly before?: MapArguments
  readonly rekey?: RekeyArguments<Args>
}

/** Says arguments from before a change of the schema in the form of today. */
export type MapArguments = (args: unknown) => unknown

/**
 * Says arguments under other keys. `key(table, its)` answers the key that the row has now which had this one, alike where
 * that did not change.
 */
export type RekeyArguments<Args> = (
  args: Args,
  key: <Key extends string | number>(table: string, its: Key) => Key,
) => Args

export interface ActionOptions<Args = unknown> {
  /**
   * Called with arguments that the schema refuses, which a replica may have kept since an earlier version of the app;
   * answers what they are today, for the schema to check. In replica and server alike: it depends on nothing else.
   */
  readonly before?: MapArguments
  /**
   * Called in a replica before a call is sent that names a row by its leased key, where that row got another one; answers
   * the arguments under the new keys. Without it such a call fails, and its message says so.
   */
  readonly rekey?: RekeyArguments<Args>
}

/**
 * Declares an action: its arguments' schema, of values that JSON can carry, and what it does.
 *
 * It runs in one transaction, in the replica under its rows and on the server under the user's role; `refuse` ends it.
 */
export function action<Args>(
  schema: ArgumentsSchema<Args>,
  run: (context: ActionContext, args: Args) => Promise<void>,
  options: ActionOptions<Args> = {},
): Action<Args> {
  const declared = { schema, run, ...options }
  const [fault] = actionFaults(declared, 'action()')
  if (fault) throw new TidemarkError('misconfigured', `${fault}.`)
  return declared
}

/**
 * Reads arguments by an action's schema; those that it refuses are mapped first, where the action says how.
 *
 * Throws the schema's own error, a `$ZodError`, of the arguments as they came, where neither leads to what the action takes.
 */
export async function readArguments<Args>({ schema, before }: Action<Args>, args: unknown): Promise<Args> {
  const parsed = await schema.safeParseAsync(args)
  if (parsed.success) return parsed.data
  const mapped = before && (await schema.safeParseAsync(mappedBy(before, args)))
  if (mapped?.success) return mapped.data
  throw parsed.error
}

/** The app's function may expect more than a client sent. */
function mappedBy(before: MapArguments, args: unknown): unknown {
  try {
    return before(args)
  } catch {
    return undefined
  }
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
