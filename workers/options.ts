import { z } from 'zod'
import type { Actions, Sync } from '../db/index.ts'
import { TidemarkError } from '../protocol/index.ts'
import type { Audiences, Authenticate, PlacementOption } from './access/access.ts'
import { LOCATION_HINTS, type LocationHint } from './env.ts'
import type { OnCommitted, ServerActions } from './push/options.ts'
import type { ReplicationOptions } from './replication/options.ts'
import type { SnapshotOptions } from './snapshot/snapshot-object.ts'
import type { SyncIntervals, SyncLimits } from './sync/options.ts'
import type { Rate } from './sync/rules/token-bucket.ts'

/** How an app is served. All but the first two have defaults. */
export interface SyncWorkerOptions<SyncActions extends Actions = Actions> {
  /** Says who holds a token. */
  readonly authenticate: Authenticate
  /** Says what a user may see. */
  readonly audiences: Audiences
  /** Which SyncDO serves a session: it decides cost alone. Default `org`: its first org, else its first audience, else the user. */
  readonly placement?: PlacementOption
  /** The server's halves of actions, by name; an action needs none. */
  readonly actions?: ServerActions<SyncActions>
  /** Told of each committed mutation, at least once, after its commit. */
  readonly onCommitted?: OnCommitted
  readonly decoder?: ReplicationOptions['decoder']
  /** Replication slot, one for each deployment. Default `tidemark`. */
  readonly slotName?: string
  readonly retention?: ReplicationOptions['retention']
  readonly watch?: ReplicationOptions['watch']
  readonly intervals?: NonNullable<ReplicationOptions['intervals']> & Partial<SyncIntervals>
  readonly limits?: Partial<SyncLimits & { readonly requests: Rate }>
  readonly snapshots?: SnapshotOptions
  /** Origins of pages on other hosts, or `'*'`. */
  readonly cors?: { readonly origins: readonly string[] | '*' }
  /** Where the routes are mounted, such as `/tidemark`. */
  readonly basePath?: string
  /** The region that is nearest to the database: capture and pushes go through objects that are made there. */
  readonly location?: LocationHint
}

const aFunction = (name: string, remedy: string) =>
  z.custom<(...args: never[]) => unknown>(
    (value) => typeof value === 'function',
    `${name} must be a function: ${remedy}`,
  )
const positive = z.number().positive()
const rate = z.strictObject({ burst: z.number().min(1), refillMs: positive })

const optionsSchema = z.strictObject({
  authenticate: aFunction(
    'authenticate',
    '({ token, env }) => ({ userId, claims, expiresAtMs }) or null; jwt() has one.',
  ),
  audiences: aFunction('audiences', '({ userId, claims, sql, env }) => string[]; jwt() has one.'),
  placement: z
    .union(
      [z.enum(['org', 'client']), aFunction('placement', 'a function')],
      'placement: `org`, `client`, or ({ userId, claims, audiences, client }) => string.',
    )
    .optional(),
  actions: z
    .record(z.string(), aFunction('actions', 'async (run, { args, sql, user, env }) => { … }, by the name of each.'))
    .optional(),
  onCommitted: aFunction('onCommitted', 'async (mutation, env) => { … }').optional(),
  decoder: z.enum(['auto', 'wal2json', 'pgoutput']).optional(),
  slotName: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'slotName: 1 to 63 of a-z, 0-9 and _')
    .optional(),
  retention: z.unknown().optional(),
  watch: z.boolean().optional(),
  intervals: z.record(z.string(), positive).optional(),
  limits: z.strictObject({ connects: rate, messages: rate, requests: rate }).partial().catchall(positive).optional(),
  snapshots: z.record(z.string(), positive).optional(),
  cors: z
    .strictObject({
      origins: z.union([z.literal('*'), z.array(z.url('cors.origins: origins such as https://app.example'))]),
    })
    .optional(),
  basePath: z
    .string()
    .regex(/^(\/[\w.-]+)+$/, 'basePath: such as /tidemark, without a slash at the end')
    .optional(),
  location: z.enum(LOCATION_HINTS, `location: one of ${LOCATION_HINTS.join(', ')}`).optional(),
})

const syncSchema = z.object({
  tables: z.record(z.string(), z.unknown()),
  actions: z.record(z.string(), z.unknown()).optional(),
})

/** Checks what JavaScript callers may get wrong. Throws `misconfigured` with every fault found. */
export function checkOptions(sync: Pick<Sync, 'tables' | 'actions'>, options: object): void {
  const checked = [
    syncSchema.safeParse(sync).success ? null : 'The first argument is what defineSync() returns.',
    ...(optionsSchema.safeParse(options).error?.issues ?? []).map((issue) =>
      issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`,
    ),
  ]
  const declared = Object.keys(sync?.actions ?? {})
  const halves = 'actions' in options && typeof options.actions === 'object' ? Object.keys(options.actions ?? {}) : []
  for (const name of halves.filter((half) => !declared.includes(half)))
    checked.push(`actions.${name}: defineSync() declares no such action; correct the name.`)
  const faults = checked.filter((fault) => fault !== null)
  if (faults.length > 0) throw new TidemarkError('misconfigured', `createSyncWorker: ${faults.join('; ')}`)
}
