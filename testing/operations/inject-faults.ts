import { LIMITS, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/index.ts'
import type { HealthCheck } from '../../workers/health-contract.ts'
import type { SyncOperations } from '../../workers/operations-contract.ts'
import type { System } from '../system/start-system.ts'
import { until } from '../system/until.ts'

/** A fault, and how it is found: the check that names its cause, and what that tells to do. */
export interface InjectedFault {
  /** As the table of docs/operate.md has it. */
  readonly fault: string
  readonly check: string
  readonly says: RegExp
  inject(rig: FaultRig): Promise<unknown>
  /** Takes the fault back, where it does not end by itself. */
  mend?(rig: FaultRig): Promise<unknown>
}

/** What faults are injected with. */
export interface FaultRig {
  readonly system: System
  query(text: string): Promise<readonly Record<string, string | null>[]>
  /** Answers a request of an operator's script. */
  operate(action: object): Promise<unknown>
  /** Has capture run, however it ends. */
  capture(): Promise<unknown>
  /** Sends a frame over a socket of a client that streams. */
  say(frame: object): Promise<unknown>
  /** Runs the Worker anew with these variables beside its own. */
  redeploy(vars: Readonly<Record<string, string>>): Promise<unknown>
}

export const AUDIENCE = 'all'

/** Drops the slot, which may be read at the moment, and does what comes with it before capture can make another. */
const dropSlot = ({ query }: FaultRig, besides = '') =>
  until(() =>
    query(`SELECT pg_drop_replication_slot('tidemark')${besides}`).then(
      () => true,
      () => false,
    ),
  )

export const FAULTS: readonly InjectedFault[] = [
  {
    fault: 'the slot was dropped',
    check: 'epoch',
    says: /slot-missing/,
    inject: (rig) => dropSlot(rig),
  },
  {
    fault: 'another made a slot of that name, with another plugin',
    check: 'epoch',
    says: /slot-replaced/,
    inject: (rig) => dropSlot(rig, `, pg_create_logical_replication_slot('tidemark', 'test_decoding')`),
  },
  {
    fault: 'every slot of the server is in use',
    check: 'error',
    says: /misconfigured.*raise max_replication_slots/s,
    inject: async (rig) => {
      await rig.query(
        `SELECT pg_create_physical_replication_slot('taken_' || n) FROM generate_series(1,
           current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots)) AS n`,
      )
      await dropSlot(rig, `, pg_create_physical_replication_slot('taken_last')`)
    },
    mend: ({ query }) =>
      query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE 'taken_%'`),
  },
  {
    fault: 'the publication was dropped',
    check: 'epoch',
    says: /publication/,
    inject: ({ query }) => query('DROP PUBLICATION tidemark'),
  },
  {
    fault: 'a synced table was altered by hand',
    check: 'error',
    says: /schema-drift.*tidemark migrate/s,
    inject: ({ query }) => query('ALTER TABLE public.org ALTER COLUMN name TYPE varchar(500)'),
    mend: ({ query }) => query('ALTER TABLE public.org ALTER COLUMN name TYPE text'),
  },
  {
    fault: 'another deployment captures the database',
    check: 'error',
    says: /misconfigured.*Another deployment \(other:.*release it/s,
    inject: ({ query }) => query(`UPDATE tidemark.epoch SET owner = 'other:' || owner WHERE ended_at IS NULL`),
    mend: ({ query }) => query(`UPDATE tidemark.epoch SET owner = substr(owner, 7) WHERE ended_at IS NULL`),
  },
  {
    fault: 'Tidemark’s own tables are gone',
    check: 'error',
    says: /misconfigured.*run tidemark migrate/s,
    inject: ({ query }) => query('ALTER TABLE tidemark.epoch RENAME TO epoch_away'),
    mend: ({ query }) => query('ALTER TABLE tidemark.epoch_away RENAME TO epoch'),
  },
  {
    fault: 'Postgres is down',
    check: 'error',
    says: /unavailable/,
    inject: ({ system }) => system.killPostgres(),
    mend: ({ system }) => system.restartPostgres(),
  },
  {
    fault: 'the database’s name or password is wrong',
    check: 'error',
    says: /refused the login.*DATABASE_URL/,
    inject: ({ redeploy, system }) => redeploy({ DATABASE_URL: `${system.databaseUrl}_that_is_not_there` }),
    mend: ({ redeploy }) => redeploy({}),
  },
  {
    fault: 'the webhook is not set as it must be',
    check: 'webhook',
    says: /HEALTH_WEBHOOK/,
    inject: ({ redeploy }) => redeploy({ HEALTH_WEBHOOK_URL: 'http://example.com/', HEALTH_WEBHOOK_SECRET: 'x' }),
    mend: ({ redeploy }) => redeploy({}),
  },
  {
    fault: 'capture was paused and forgotten',
    check: 'paused',
    says: /paused by Ada.*resume it on \/ops/,
    inject: ({ operate }) => operate({ kind: 'pause-capture', by: 'Ada' }),
    mend: ({ operate }) => operate({ kind: 'resume-capture' }),
  },
  {
    fault: 'an operator rebuilt the slot',
    check: 'epoch',
    says: /rebuilt by an operator/,
    inject: ({ operate }) => operate({ kind: 'rebuild-slot' }),
  },
  {
    fault: 'the server is close to dropping the slot',
    check: 'safe-wal',
    says: /max_slot_wal_keep_size.*raise the setting/s,
    inject: async ({ query }) => {
      await query(`ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'`)
      await query('SELECT pg_reload_conf()')
    },
    mend: async ({ query }) => {
      await query('ALTER SYSTEM RESET max_slot_wal_keep_size')
      await query('SELECT pg_reload_conf()')
    },
  },
  {
    fault: 'the bundle declares another definition than the one in force',
    check: 'definition',
    says: /run tidemark migrate, or deploy/,
    inject: ({ query }) => query(`UPDATE tidemark.sync_definition SET hash = 'x' || hash`),
    mend: ({ query }) => query(`UPDATE tidemark.sync_definition SET hash = substr(hash, 2)`),
  },
  {
    fault: 'mutations cannot be decided',
    check: 'pushes-stuck',
    says: /SQLSTATE 55P03.*Worker's log/,
    inject: ({ query }) =>
      query(
        `INSERT INTO tidemark.stuck_mutation (client_id, counter, since, tries, sql_state) VALUES ('client-0123456789', 1, now() - interval '5 minutes', 3, '55P03')`,
      ),
    mend: ({ query }) => query('DELETE FROM tidemark.stuck_mutation'),
  },
  {
    fault: 'replicas cannot take a version of the schema',
    check: 'clients-failing',
    says: /tidemark migration:status/,
    inject: async ({ query, redeploy }) => {
      await query(
        `INSERT INTO tidemark.client_status (client_id, version, waiting, retries) VALUES ('client-0123456789', 1, 1, 2)`,
      )
      // Clients are gone through once a minute, and at first by an object that begins.
      await redeploy({})
    },
    mend: ({ query }) => query('DELETE FROM tidemark.client_status'),
  },
  {
    fault: 'the procedure that waits for changes is missing',
    check: 'watch',
    says: /wait_for_wal is missing: run `tidemark migrate`/,
    inject: async ({ query, say }) => {
      await query('ALTER PROCEDURE tidemark.wait_for_wal RENAME TO wait_away')
      await say({ type: 'refused', tables: [] })
    },
    mend: ({ query }) => query('ALTER PROCEDURE tidemark.wait_away RENAME TO wait_for_wal'),
  },
  {
    fault: 'a replica cannot hold a table',
    check: 'tables-refused',
    says: /org.*status\.refused/,
    inject: ({ say }) => say({ type: 'refused', tables: ['public.org'] }),
    mend: ({ say }) => say({ type: 'refused', tables: [] }),
  },
  {
    fault: 'a client could not send its work for hours',
    check: 'unsent-work',
    says: /./,
    inject: ({ say }) => say({ type: 'unsent', count: 1, oldestMs: 3 * 3_600_000, failed: 0 }),
    mend: ({ say }) => say({ type: 'unsent', count: 0, oldestMs: null, failed: 0 }),
  },
  {
    fault: 'pushes fail as a whole',
    check: 'push-faults',
    says: /unavailable.*Worker's log/s,
    inject: async ({ system }) => {
      await system.killPostgres()
      const token = await system.token({ userId: 'ann', audiences: [AUDIENCE] })
      const headers = { authorization: `Bearer ${token}` }
      const body = JSON.stringify({
        protocol: LIMITS.protocolVersion,
        client: 'client-0123456789',
        acknowledged: 0,
        mutations: [{ counter: 1 }],
      })
      await fetch(`${system.url}/sync/push`, { method: 'POST', headers, body })
    },
    mend: ({ system }) => system.restartPostgres(),
  },
]

/** Answers the checks of the ReplicationDO and of the SyncDO that the page shows for this audience. */
export async function checksOf(system: System, syncName: string): Promise<readonly HealthCheck[]> {
  const headers = { authorization: `Bearer ${system.adminToken}` }
  const ask = async (path: string) => (await fetch(`${system.url}/ops/${path}`, { headers })).json()
  const { health } = (await ask('state')) as { health: { checks: HealthCheck[] } }
  const sync = (await ask(`sync?object=${encodeURIComponent(syncName)}`)) as SyncOperations
  return [...health.checks, ...sync.checks]
}

/** Opens a socket of a client that streams, and answers how to say something over it. */
export async function openSpeaker(system: System, hello: object): Promise<(frame: object) => void> {
  const token = await system.token({ userId: 'ann', audiences: [AUDIENCE] })
  const carried = TOKEN_SUBPROTOCOL_PREFIX + Buffer.from(token).toString('base64url')
  const socket = new WebSocket(`${system.url.replace('http', 'ws')}/sync/socket`, [SUBPROTOCOL, carried])
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', () => socket.send(JSON.stringify(hello)))
    socket.addEventListener('message', resolve, { once: true })
    socket.addEventListener('close', ({ reason }) => reject(new Error(`The socket closed: ${reason}`)), { once: true })
  })
  return (frame) => socket.send(JSON.stringify(frame))
}
