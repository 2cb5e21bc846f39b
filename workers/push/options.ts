import type { Action, ActionContext, ActionSql, Actions, Sync } from '../../db/index.ts'
import type { ActionMutation, PatchMutation } from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import type { LocationHint } from '../env.ts'

/** What the server's half of an action has to go by; `sql` runs as the author, under row-level security. */
export interface ServerActionContext<Args> extends ActionContext {
  readonly args: Args
  readonly sql: ActionSql
  /** Bindings and secrets. */
  readonly env: AppEnv
}

/**
 * Stands around the shared function of an action, in its transaction: check, `refuse`, call `run`, write more.
 *
 * What it throws ends the mutation; a refusal reaches its author, of anything else only that it failed.
 */
export type ServerAction<Args> = (run: () => Promise<void>, context: ServerActionContext<Args>) => Promise<void>

/** The server's halves by the action's name; an action needs none. */
export type ServerActions<SyncActions extends Actions> = {
  readonly [Name in keyof SyncActions]?: SyncActions[Name] extends Action<infer Args> ? ServerAction<Args> : never
}

/** A mutation that was committed, as the app is told afterwards. */
export type CommittedMutation = {
  /** `client:counter`, for good: the key by which a second call is known. */
  readonly id: string
  readonly client: string
  readonly userId: string
} & Pick<PatchMutation | ActionMutation, 'counter' | 'at'> &
  (Pick<PatchMutation, 'kind' | 'rows'> | Pick<ActionMutation, 'kind' | 'name' | 'args'>)

/** Called after a commit, at least once; what it throws has it called again later. */
export type OnCommitted = (mutation: CommittedMutation, env: AppEnv) => void | Promise<void>

/** What pushes are judged by besides the definition in force. */
export interface PushOptions {
  readonly sync: Pick<Sync, 'tables' | 'actions'>
  readonly actions?: ServerActions<Actions>
  readonly onCommitted?: OnCommitted
  /** How long a push may take at most, in ms; then its session is ended. Default 45 s. */
  readonly deadlineMs?: number
  /** Where lanes are made. */
  readonly location?: LocationHint
}
