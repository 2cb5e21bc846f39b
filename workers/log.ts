import type { ErrorKind, Lsn } from '../protocol/index.ts'

/** From the chattiest on; from a level on all later ones are logged too. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'off'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const DEFAULT_LEVEL: LogLevel = 'info'
/** A line names at most so many transactions, sessions or clients. */
const MOST_NAMED = 100

/** What is logged, and at which level. Rule OPS-R15. */
const LEVEL_OF = {
  'push-received': 'debug',
  'push-put-off': 'debug',
  'mutation-committed': 'debug',
  'mutation-rejected': 'info',
  'mutation-given-up': 'warn',
  'mutation-captured': 'debug',
  'batch-captured': 'debug',
  'delivery-received': 'debug',
  'frames-sent': 'debug',
  'frames-acknowledged': 'debug',
  'session-opened': 'debug',
  'session-closed': 'debug',
  'operator-action': 'info',
  'capture-event': 'warn',
  'capture-failed': 'warn',
  'right-missing': 'warn',
  'action-failed': 'warn',
  'action-data-dropped': 'warn',
  'committed-call-failed': 'warn',
  'webhook-failed': 'warn',
  'audience-misspelt': 'warn',
  'request-failed': 'error',
} as const satisfies Record<string, LogLevel>

export type LogEvent = keyof typeof LEVEL_OF
export const LOG_EVENTS = Object.keys(LEVEL_OF) as LogEvent[]

/** All that a line may say: no field holds a value of a row, a token, a claim, a user or an argument. */
export interface LogFields {
  /** Id of a replica. */
  readonly client?: string | null
  /** `client:counter`, the same from the app's call to its confirmation. */
  readonly mutation?: string
  /** Counts of what the event is about; `code` is that of a socket's close. */
  readonly mutations?: number
  readonly rows?: number
  readonly count?: number
  readonly code?: number
  /** End of the transaction's commit. */
  readonly lsn?: Lsn
  /** The transactions of a stretch of the log; `count` has how many there are. */
  readonly transactions?: readonly Lsn[]
  readonly from?: Lsn | null
  readonly to?: Lsn | null
  /** How far the log of a SyncDO reaches. */
  readonly head?: Lsn
  readonly epoch?: string | null
  /** Name of a SyncDO. */
  readonly object?: string | null
  /** Id of one socket's session. */
  readonly session?: string
  readonly sessions?: readonly string[]
  readonly clients?: readonly string[]
  /** Kind of an error or a rejection. */
  readonly kind?: ErrorKind | string
  readonly sqlState?: string | null
  /** Text for people. */
  readonly message?: string
  /** What an operator asked for. */
  readonly action?: object
}

/** The part of `env` by which logging is set. */
export interface LogSettings {
  /** One of `LOG_LEVELS`; `info` where it is missing or none of them. */
  readonly LOG_LEVEL?: unknown
}

const isLevel = (value: unknown): value is LogLevel => (LOG_LEVELS as readonly unknown[]).includes(value)

/** Answers whether lines of a level are written: what only a line needs need not be gathered otherwise. */
export function logs({ LOG_LEVEL }: LogSettings, level: LogLevel): boolean {
  const from = isLevel(LOG_LEVEL) ? LOG_LEVEL : DEFAULT_LEVEL
  return level !== 'off' && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(from)
}

/** Writes one line of JSON to the console, where the level asks for it; `level` other than the event's own. */
export function log(
  settings: LogSettings,
  event: LogEvent,
  fields: LogFields = {},
  level: Exclude<LogLevel, 'off'> = LEVEL_OF[event],
): void {
  if (!logs(settings, level)) return
  const line = { source: 'tidemark', time: new Date().toISOString(), level, event, ...fields }
  console[level](JSON.stringify(line, (_key, value) => (Array.isArray(value) ? value.slice(0, MOST_NAMED) : value)))
}
