import { isClientAudience } from '../../protocol/index.ts'
import type { SyncHealth } from '../contracts.ts'
import type { AudienceView, ClientView, SyncOperations } from '../operations-contract.ts'
import type { SyncSession } from './sessions.ts'
import type { SyncContext } from './sync-context.ts'

const MOST_SHOWN = 200
/** Clients gone through for those in trouble that are not connected. */
const MOST_STATUSES = 1_000

interface Status {
  readonly version: number
  readonly migration: string | null
  readonly waiting: number
  readonly fault: string | null
  readonly retries: number
}

/** Answers what operators are shown of this SyncDO, from memory and its own SQLite. */
export function viewOperations(context: SyncContext, { status, checks }: SyncHealth): SyncOperations {
  const { storage, sessions, nowMs } = context
  const { name, epoch, head, target, leaseUntilMs, logChars } = storage.state
  const open = [...sessions]
  const audiences = viewAudiences(context, open)
  const { clients, count } = viewClients(context, open)
  return {
    nowMs: nowMs(),
    name,
    status,
    checks,
    epoch,
    head,
    target,
    leaseUntilMs,
    sockets: open.length,
    logChars,
    audiences: audiences.slice(0, MOST_SHOWN),
    audienceCount: audiences.length,
    clients,
    clientCount: count,
  }
}

function viewAudiences({ storage }: SyncContext, open: readonly SyncSession[]): AudienceView[] {
  const counts = new Map<string, number>()
  for (const { audiences } of open) for (const name of audiences) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...storage.audiences]
    .filter(([name]) => !isClientAudience(name))
    .map(([name, { start }]) => ({ name, start, sessions: counts.get(name) ?? 0 }))
    .sort((a, b) => b.sessions - a.sessions || (a.name < b.name ? -1 : 1))
}

function viewClients(
  { storage }: SyncContext,
  open: readonly SyncSession[],
): { readonly clients: readonly ClientView[]; readonly count: number } {
  const { clients } = storage
  const [statuses, errors, ordered] = [clients.statuses(MOST_STATUSES), clients.errors(), clients.ordered()]
  const connected = new Map(open.flatMap((session) => (session.state.client ? [[session.state.client, session]] : [])))
  const names = new Set([...connected.keys(), ...ordered, ...errors.keys(), ...statuses.keys()])
  const view = (client: string): ClientView => {
    const text = statuses.get(client)
    const status = text === undefined ? null : (JSON.parse(text) as Status)
    const state = connected.get(client)?.state
    return {
      client,
      isConnected: state !== undefined,
      userId: state?.userId ?? storage.ownerOf(client),
      phase: state?.phase ?? null,
      position: state?.position?.lsn ?? null,
      connectedAtMs: state?.openedAtMs ?? null,
      version: status?.version ?? null,
      migration: state?.migration ?? status?.migration ?? null,
      waiting: status?.waiting ?? 0,
      retries: status?.retries ?? 0,
      schemaFault: status?.fault ?? null,
      unsentSinceMs: state?.unsent?.sinceMs ?? null,
      failedMutations: state?.unsent?.failed ?? 0,
      refusedTables: state?.refused?.count ?? 0,
      isToLoad: ordered.has(client),
      lastError: errors.get(client) ?? null,
    }
  }
  const weight = (client: string) =>
    (connected.has(client) ? 4 : 0) + (ordered.has(client) ? 2 : 0) + (errors.has(client) ? 1 : 0)
  const shown = [...names].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_SHOWN)
  return { clients: shown.map(view), count: names.size }
}
