import type { QueryOptions } from '@electric-sql/pglite'
import type { Actions } from '../../db/define-sync.ts'
import { type ActionContext, type ActionSql, actionId, type RekeyArguments, readArguments } from '../../db/index.ts'
import { type MutationId, mutationId } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import { beginActionRun, endActionRun } from '../store/rows/settings.ts'
import { KeysOfRun } from './keys-of-run.ts'

/** The call of an action, which is the same in every run of it. */
export interface ActionCall {
  readonly counter: number
  readonly name: string
  /** JSON. */
  readonly args: string
  readonly at: string
}

/** An id that an action made, of the mutation's and these names. */
export type NotedId = (id: string, idIn: (mutation: MutationId) => string) => void

/** Thrown where the app's sync definition has no action of this name. */
export class UnknownAction extends Error {
  override readonly name = 'UnknownAction'
}

/** Keeps every value in and out as text, because a server's driver would parse values otherwise. */
function asText({ parsers, serializers }: Database): QueryOptions {
  const same = (value: string) => value
  return {
    parsers: Object.fromEntries(Object.keys(parsers).map((type) => [type, same])),
    serializers: Object.fromEntries(Object.keys(serializers).map((type) => [type, same])),
  }
}

/** Runs the app's actions in a transaction that is open. */
export class ActionRunner {
  readonly #db: Database
  readonly #actions: Actions
  readonly #clientId: string
  readonly #user: string

  constructor(options: { db: Database; actions: Actions; clientId: string; user: string }) {
    this.#db = options.db
    this.#actions = options.actions
    this.#clientId = options.clientId
    this.#user = options.user
  }

  /** Throws UnknownAction, and the schema's error where the arguments are not the action's. */
  checkCall(name: string, args: string): void {
    const checked = this.#actionOf(name).schema.safeParse(JSON.parse(args))
    if (!checked.success) throw checked.error
  }

  /** Runs an action as the mutation that the transaction is set to; rejects with whatever the action throws. */
  async runAction(
    tx: Executor,
    tables: ReplicaTables,
    { counter, name, args, at }: ActionCall,
    noteId: NotedId = () => undefined,
  ): Promise<void> {
    const action = this.#actionOf(name)
    const parsed: unknown = await readArguments(action, JSON.parse(args))
    await beginActionRun(tx)
    const options = asText(this.#db)
    const sql: ActionSql = async (strings, ...values) => {
      const text = strings.reduce((before, part, index) => `${before}$${index}${part}`)
      const params = values.map((value) => (value === null ? null : String(value)))
      const { rows } = await tx.query<Record<string, string | null>>(text, params, options)
      return rows
    }
    const mutation = mutationId(this.#clientId, counter)
    const keys = new KeysOfRun(tx, tables, counter)
    const context: ActionContext = {
      sql,
      id: (...names) => {
        const id = actionId(mutation, names)
        noteId(id, (other) => actionId(other, names))
        return id
      },
      key: (table) => keys.take(table),
      now: at,
      user: { id: this.#user },
    }
    await action.run(context, parsed)
    await endActionRun(tx)
  }

  /** Answers arguments under other keys; null where the action does not say how. */
  rekeyArguments(
    name: string,
    args: unknown,
    key: Parameters<RekeyArguments<unknown>>[1],
  ): { readonly args: unknown } | null {
    const { rekey } = this.#actionOf(name)
    return rekey ? { args: rekey(args, key) } : null
  }

  #actionOf(name: string): Actions[string] {
    const action = Object.hasOwn(this.#actions, name) ? this.#actions[name] : undefined
    if (!action) throw new UnknownAction(`There is no action of this name: ${name}.`)
    return action
  }
}
