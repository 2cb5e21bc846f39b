import type { DatabaseEnv } from '../env.ts'
import type { LogSettings } from '../log.ts'

/** Bindings, variables and secrets as the app named them. */
export type AppEnv = DatabaseEnv & LogSettings & Readonly<Record<string, unknown>>

/** The user behind a request, as the app's `authenticate` answers. */
export interface Identity {
  /** At most 256 characters. */
  readonly userId: string
  /** All that `audiences`, `placement` and row-level security may need; policies read it as `request.jwt.claims`. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The time at which the right ends, in ms since 1970; null: it lasts until the token itself is revoked. */
  readonly expiresAtMs: number | null
}

/** Says who holds this token; null, or a `TidemarkError`, refuses. */
export type Authenticate = (request: {
  readonly token: string
  readonly env: AppEnv
}) => Identity | null | Promise<Identity | null>

/**
 * Runs a query as role tidemark_client, with `tidemark.user_id` set: values only as `${…}`. Every value comes back as
 * text or null.
 */
export type ClientSql = (
  strings: TemplateStringsArray,
  ...values: readonly (string | number | boolean | null)[]
) => Promise<Record<string, string | null>[]>

/** Says what a user may see: `all`, or `prefix:value`. */
export type Audiences = (request: {
  readonly userId: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly sql: ClientSql
  readonly env: AppEnv
}) => readonly string[] | Promise<readonly string[]>

/** Names the SyncDO that serves a session: it decides cost, never what anyone sees. */
export type Placement = (session: {
  readonly userId: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly audiences: readonly string[]
  /** Id of the replica; null where the caller does not state it. */
  readonly client: string | null
}) => string

/** `org`: all sessions of an org in one SyncDO, the default. `client`: each replica has its own. */
export type PlacementOption = 'org' | 'client' | Placement
