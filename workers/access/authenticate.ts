import { TidemarkError } from '../../protocol/index.ts'
import type { Session } from '../contracts.ts'
import { asClient, type Database, explainAppCode, openDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import type { Audiences, Authenticate, ClientSql, Identity, Placement, PlacementOption } from './access.ts'
import { checkAudiences, placeByClient, placeByOrg } from './audience-list.ts'

export interface AccessOptions {
  readonly authenticate: Authenticate
  readonly audiences: Audiences
  readonly placement?: PlacementOption | undefined
}

const USER_ID_CHARS = 256
const PLACE_CHARS = 1024

/**
 * Resolves a token to its user. Throws `unauthenticated`, `token-expired`, or `internal` where the app's answer is
 * malformed.
 */
export async function identify(
  options: Pick<AccessOptions, 'authenticate'>,
  token: string | null,
  env: SyncEnv,
  nowMs: number,
): Promise<Identity> {
  const identity = token === null ? null : await options.authenticate({ token, env: { ...env } })
  if (!identity) throw new TidemarkError('unauthenticated', 'A valid token is needed.')
  const { userId, claims, expiresAtMs } = identity
  if (typeof userId !== 'string' || userId === '' || userId.length > USER_ID_CHARS || userId.includes('\0')) {
    throw new TidemarkError('internal', `authenticate() must return a userId of 1 to ${USER_ID_CHARS} characters.`)
  }
  if (expiresAtMs !== null && !Number.isFinite(expiresAtMs)) {
    throw new TidemarkError('internal', 'authenticate() must return expiresAtMs as a number of milliseconds, or null.')
  }
  if (expiresAtMs !== null && expiresAtMs <= nowMs) throw new TidemarkError('token-expired', 'The token has run out.')
  return { userId, claims: claims ?? {}, expiresAtMs }
}

/**
 * Asks the app what this user may see now; `beforeSql` runs before the app's first query.
 *
 * Throws what the app throws, `internal`, `limit-exceeded`, `unavailable`.
 */
export async function askAudiences(
  options: Pick<AccessOptions, 'audiences'>,
  { userId, claims }: Pick<Identity, 'userId' | 'claims'>,
  env: SyncEnv,
  beforeSql: () => Promise<void> = async () => {},
): Promise<string[]> {
  return withClientSql(env, { userId, claims }, beforeSql, async (sql) =>
    checkAudiences(await options.audiences({ userId, claims, sql, env: { ...env } })),
  )
}

const CLIENT_ID = /^[A-Za-z0-9_-]{16,64}$/

function placementOf(option: PlacementOption = 'org'): Placement {
  if (typeof option === 'function') return option
  return option === 'client' ? placeByClient : placeByOrg
}

/**
 * Opens the session of a token: identity, audiences and place. Throws `unauthenticated`, `token-expired`,
 * `unavailable`.
 */
export async function openSession(
  options: AccessOptions,
  token: string | null,
  env: SyncEnv,
  nowMs: number,
  admit: (userId: string) => void = () => {},
  client: string | null = null,
  ask: (identity: Identity) => Promise<readonly string[]> = (identity) => askAudiences(options, identity, env),
): Promise<Session> {
  const identity = await identify(options, token, env, nowMs)
  // Ahead of the app's own query, because that query is what a flood of requests would cost.
  admit(identity.userId)
  const { userId, claims, expiresAtMs } = identity
  const audiences = await ask(identity)
  const named = client !== null && CLIENT_ID.test(client) ? client : null
  const syncName = placementOf(options.placement)({ userId, claims, audiences, client: named })
  if (typeof syncName !== 'string' || syncName === '' || syncName.length > PLACE_CHARS) {
    throw new TidemarkError('internal', `placement() must return a name of 1 to ${PLACE_CHARS} characters.`)
  }
  return { userId, claims, audiences, expiresAtMs, syncName }
}

/** Opens a connection only if a query is made, and closes it afterwards. */
async function withClientSql<T>(
  env: SyncEnv,
  identity: Pick<Identity, 'userId' | 'claims'>,
  beforeSql: () => Promise<void>,
  run: (sql: ClientSql) => Promise<T>,
): Promise<T> {
  let opened: Promise<Database> | null = null
  // Queries run one after the other: transactions of one connection must not overlap.
  let last: Promise<unknown> = Promise.resolve()
  const { userId, claims } = identity
  const sql: ClientSql = (strings, ...values) => {
    const text = strings.reduce((query, part, index) => `${query}$${index}${part}`)
    const turn = last.then(async () => {
      if (opened === null) await beforeSql()
      opened ??= openDatabase(env, { applicationName: 'tidemark access' })
      const client = { userId, audiences: [], claims }
      return await asClient(await opened, client, ({ query }) => query(text, values), { readOnly: true }).catch(
        (error: unknown) => {
          throw explained(error)
        },
      )
    })
    last = turn.catch(() => {})
    return turn
  }
  try {
    return await run(sql)
  } finally {
    await last
    await (opened as Promise<Database> | null)?.then((database) => database.close()).catch(() => {})
  }
}

/** Names in the log what a query of the app did not find or may not use; the cause stays. */
function explained(error: unknown): unknown {
  const why = explainAppCode(error)
  if (why === null || !(error instanceof TidemarkError)) return error
  return new TidemarkError('misconfigured', `A query of audiences() failed: ${why}.`, { cause: error.cause })
}
