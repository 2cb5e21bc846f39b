import type { Action, ActionContext, ActionSql, Actions, Sync } from '../../db/index.ts'
import type { ActionMutation, PatchMutation } from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import type { Database } from '../database/index.ts'
import type { LocationHint } from '../env.ts'
import type { PushTarget } from './forward-push.ts'

/** The context of the server's half of an action; `sql` runs as the author, under row-level security. */
export interface ServerActionContext<Args> extends ActionContext {
  readonly args: Args
  readonly sql: ActionSql
  /** Bindings and secrets. */
  readonly env: AppEnv
}

/**
 * Wraps the shared function of an action, in its transaction: check, `refuse`, call `run`, write more.
 *
 * An error thrown here ends the mutation; a refusal reaches its author as it is, of any other error they only learn
 * that it failed.
 */
export type ServerAction<Args> = (run: () => Promise<void>, context: ServerActionContext<Args>) => Promise<void>

/** The server's halves by the action's name; an action needs none. */
export type ServerActions<SyncActions extends Actions> = {
  readonly [Name in keyof SyncActions]?: SyncActions[Name] extends Action<infer Args> ? ServerAction<Args> : never
}

/** A mutation that was committed, as `onCommitted` gets it. */
export type CommittedMutation = {
  /** `client:counter`, permanent: the key by which to recognise a second call. */
  readonly id: string
  readonly client: string
  readonly userId: string
} & Pick<PatchMutation | ActionMutation, 'counter' | 'at'> &
  (Pick<PatchMutation, 'kind' | 'rows'> | Pick<ActionMutation, 'kind' | 'name' | 'args'>)

/** Called after a commit, at least once; when it throws, it is called again later. */
export type OnCommitted = (mutation: CommittedMutation, env: AppEnv) => void | Promise<void>

/** The app's own rules for pushes, besides the definition in force. */
export interface PushOptions {
  readonly sync: Pick<Sync, 'tables' | 'actions'>
  readonly actions?: ServerActions<Actions>
  readonly onCommitted?: OnCommitted
  /** Whether calls are queued for an `onCommitted` of the Worker, where another server decides. */
  readonly tells?: boolean
  /** What a server's half gets beside its arguments and `env`, in a transaction of this session. */
  readonly contextIn?: (database: Database) => object
  /** The app's own server, where it decides in place of the Worker. */
  readonly pushTo?: (env: AppEnv) => PushTarget
  /** The longest time a push may take, in ms; then its session is ended. Default 45 s. */
  readonly deadlineMs?: number
  /** The region in which lanes are made. */
  readonly location?: LocationHint
}
