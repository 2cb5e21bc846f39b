import type { Action, Actions } from '../../db/index.ts'
import type { LogLevel } from '../log.ts'
import type { ServerActionContext } from '../push/options.ts'
import type { PgClient } from './driver-sessions.ts'

/** The context of an action's half on the app's own server. */
export interface AppActionContext<Args, Client> extends Omit<ServerActionContext<Args>, 'env'> {
  /**
   * The app's own driver, in the mutation's transaction: what is written by it is committed with the mutation or not at
   * all. It runs as the author (role tidemark_client), but within `asApp`. The transaction is not to be ended by it.
   */
  readonly client: Client
  /** Runs work in the same transaction as the role that the app connects as, whom no policy of users concerns. */
  asApp<Result>(work: () => Promise<Result>): Promise<Result>
}

/** Wraps the shared function of an action, as `ServerAction` of a Worker does. */
export type AppAction<Args, Client> = (
  run: () => Promise<void>,
  context: AppActionContext<Args, Client>,
) => Promise<void>

export type AppActions<SyncActions extends Actions, Client> = {
  readonly [Name in keyof SyncActions]?: SyncActions[Name] extends Action<infer Args> ? AppAction<Args, Client> : never
}

export interface MutationHandlerOptions<SyncActions extends Actions, Client extends PgClient> {
  /** Makes a client that is not connected yet, to the database of the Worker and as the role that ran `tidemark migrate`. */
  readonly connect: () => Client
  /** At least 32 letters, digits or signs of ASCII, without spaces: the Worker's `pushTo` gives the same. */
  readonly secret: string
  /** The server's halves of actions, by name; an action needs none. */
  readonly actions?: AppActions<SyncActions, Client>
  /** The most pushes, and so sessions, at once; more are told to come again. Default 10. */
  readonly connections?: number
  /** From which level on is logged, as JSON lines on the console. Default `info`. */
  readonly logLevel?: LogLevel
}
