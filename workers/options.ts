import { z } from 'zod'
import { syncFaults } from '../db/check-sync.ts'
import type { Actions, Sync } from '../db/index.ts'
import { nearest } from '../db/nearest.ts'
import { TidemarkError } from '../protocol/index.ts'
import type { AppEnv, Audiences, Authenticate, PlacementOption } from './access/access.ts'
import { LOCATION_HINTS, type LocationHint } from './env.ts'
import type { PushTarget } from './push/forward-push.ts'
import type { OnCommitted, ServerActions } from './push/options.ts'
import type { ReplicationOptions } from './replication/options.ts'
import { DEFAULT_INTERVALS } from './replication/rules/interval.ts'
import type { SnapshotOptions } from './snapshot/snapshot-object.ts'
import { DEFAULT_SYNC_INTERVALS, DEFAULT_SYNC_LIMITS, type SyncIntervals, type SyncLimits } from './sync/options.ts'
import type { Rate } from './token-bucket.ts'

/** The options of `createSyncWorker`. All but the first two have defaults. */
export interface SyncWorkerOptions<SyncActions extends Actions = Actions> {
  /** Says who holds a token. */
  readonly authenticate: Authenticate
  /** Says what a user may see. */
  readonly audiences: Audiences
  /**
   * Names the SyncDO that serves a session: it decides cost alone. Default `org`: by the first org, else the first
   * audience, else the user.
   */
  readonly placement?: PlacementOption
  /** The server's halves of actions, by name; an action needs none. */
  readonly actions?: ServerActions<SyncActions>
  /** Called for each committed mutation, at least once, after its commit. */
  readonly onCommitted?: OnCommitted
  /** The app's own server, where it decides what users write (`createMutationHandler` of `tidemark/server`). */
  readonly pushTo?: (env: AppEnv) => PushTarget
  readonly decoder?: ReplicationOptions['decoder']
  /** Replication slot, one for each deployment. Default `tidemark`. */
  readonly slotName?: string
  readonly retention?: ReplicationOptions['retention']
  /** Lets users read the history of rows that they see: who changed what, when. Default false. */
  readonly history?: boolean
  readonly watch?: ReplicationOptions['watch']
  readonly intervals?: NonNullable<ReplicationOptions['intervals']> & Partial<SyncIntervals>
  readonly limits?: Partial<SyncLimits & { readonly requests: Rate }>
  readonly snapshots?: SnapshotOptions
  /** Origins of pages on other hosts, or `'*'`. */
  readonly cors?: { readonly origins: readonly string[] | '*' }
  /** Path under which the routes are mounted, such as `/tidemark`. */
  readonly basePath?: string
  /** The region that is nearest to the database: capture and pushes go through objects that are made there. */
  readonly location?: LocationHint
}

const aFunction = (name: string, remedy: string) =>
  z.custom<(...args: never[]) => unknown>(
    (value) => typeof value === 'function',
    `${name} must be a function: ${remedy}`,
  )
const NO_ORIGIN = 'cors.origins: scheme, host and port, without a slash at the end, such as https://app.example'
/** As browsers send it; anything else would never match. */
const origin = z.string(NO_ORIGIN).refine((text) => URL.canParse(text) && new URL(text).origin === text, NO_ORIGIN)
const positive = z.number().positive()
const rate = z.strictObject({ burst: z.number().min(1), refillMs: positive })

const each = (defaults: object) => Object.fromEntries(Object.keys(defaults).map((name) => [name, positive]))
const INTERVALS = each({ ...DEFAULT_INTERVALS, ...DEFAULT_SYNC_INTERVALS })
const LIMITS = { ...each(DEFAULT_SYNC_LIMITS), connects: rate, messages: rate, requests: rate }
const SNAPSHOTS = { maxAgeMs: positive, graceMs: positive }
const RETENTION = { days: positive }

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
  pushTo: aFunction('pushTo', '(env) => ({ url, secret })').optional(),
  decoder: z.enum(['auto', 'wal2json', 'pgoutput']).optional(),
  slotName: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'slotName: 1 to 63 of a-z, 0-9 and _')
    .optional(),
  retention: z.strictObject(RETENTION).optional(),
  watch: z.boolean().optional(),
  history: z.boolean().optional(),
  intervals: z.strictObject(INTERVALS).partial().optional(),
  limits: z.strictObject(LIMITS).partial().optional(),
  snapshots: z.strictObject(SNAPSHOTS).partial().optional(),
  cors: z
    .strictObject({
      origins: z.union([z.literal('*'), z.array(origin)]),
    })
    .optional(),
  basePath: z
    .string()
    .regex(/^(\/[\w.-]+)+$/, 'basePath: such as /tidemark, without a slash at the end')
    .optional(),
  location: z.enum(LOCATION_HINTS, `location: one of ${LOCATION_HINTS.join(', ')}`).optional(),
})

/** Known options, by the path of the object that holds them. */
const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(optionsSchema.shape),
  intervals: Object.keys(INTERVALS),
  limits: Object.keys(LIMITS),
  snapshots: Object.keys(SNAPSHOTS),
  retention: Object.keys(RETENTION),
  cors: ['origins'],
}

/** Checks what JavaScript callers may get wrong. Throws `misconfigured` with every fault found. */
export function checkOptions(sync: Pick<Sync, 'tables' | 'actions'>, options: object): void {
  const checked = [
    ...syncFaults(sync).map((fault) => `the first argument, which defineSync() makes: ${fault}`),
    ...(optionsSchema.safeParse(options).error?.issues ?? []).map((issue) =>
      [issue.path.join('.'), messageOf(issue)].filter((text) => text !== '').join(': '),
    ),
  ]
  const declared = Object.keys(sync?.actions ?? {})
  if ('actions' in options && 'pushTo' in options)
    checked.push('actions: with pushTo these are given to createMutationHandler; leave them out here.')
  const halves = 'actions' in options && typeof options.actions === 'object' ? Object.keys(options.actions ?? {}) : []
  for (const name of halves.filter((half) => !declared.includes(half)))
    checked.push(`actions.${name}: defineSync() declares no such action; correct the name.`)
  if (checked.length > 0) throw new TidemarkError('misconfigured', `createSyncWorker: ${checked.join('; ')}`)
}

/** Suggests, for an option that does not exist, the one that was likely meant. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message
  const at = issue.path.join('.')
  const known = KNOWN_KEYS[at] ?? []
  return issue.keys
    .map((key) => {
      const meant = nearest(key, known)
      return `there is no option ${key}${meant === null ? `, only ${known.join(', ')}` : `; did you mean ${meant}?`}`
    })
    .join('; ')
}
