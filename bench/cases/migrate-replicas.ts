import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica } from '../../client/replica-api.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import type { System } from '../../testing/system/start-system.ts'
import { until } from '../../testing/system/until.ts'
import { directUrl, SMALL_ORG, sync, tokenFor } from '../bench-system.ts'
import { type Figure, figure, timed } from '../measure.ts'
import { countDownloads, migrate, withColumns } from './migrate.ts'

const REPLICAS = 100
const HAS_COLUMN = `SELECT count(*)::int AS found FROM pg_attribute WHERE attrelid = 'public.issue'::regclass AND attname = 'shade'`

/** Lets a hundred replicas of one organisation meet one added column, and counts what that asks of the server. */
export async function migrateReplicas(system: System): Promise<Figure[]> {
  const replicas: Replica<typeof sync>[] = []
  try {
    for (let index = 0; index < REPLICAS; index++) replicas.push(await open(system, `bench-${index}`))
    const before = await readScans(system)
    let ms = 0
    const bytes = await countDownloads(async () => {
      const add = `ALTER TABLE public.issue ADD COLUMN shade integer NOT NULL DEFAULT 7`
      await migrate(system, [add], withColumns('shade'))
      const { elapsedMs } = await timed(() =>
        until(async () => (await Promise.all(replicas.map(hasColumn))).every(Boolean)),
      )
      ms = elapsedMs
    })
    const scans = (await readScans(system)) - before
    const what = `${REPLICAS} replicas of one organisation in one process meet one added column`
    return [
      figure('migration.replicas.bytes', bytes, 'bytes', { atMost: 0 }, `downloaded in all: ${what}`),
      figure(
        'migration.replicas.scans',
        scans,
        'scans',
        null,
        `of the tables of definitions, the migration's own included: ${what}`,
      ),
      figure('migration.replicas.ms', ms, 'ms', null, `until the last has it: ${what}`),
    ]
  } finally {
    await Promise.all(replicas.map((replica) => replica.close()))
    await migrate(system, ['ALTER TABLE public.issue DROP COLUMN IF EXISTS shade'], sync)
  }
}

async function open(system: System, user: string): Promise<Replica<typeof sync>> {
  const token = () => tokenFor(system, SMALL_ORG, user)
  const options = { url: directUrl(system), user, token, sync, storage: 'memory://' }
  const replica = await openReplicaOn(options, openPreparedDatabase)
  await replica.ready
  await replica.settled()
  return replica
}

async function hasColumn({ db }: Replica<typeof sync>): Promise<boolean> {
  const { rows } = await db.query<{ found: number }>(HAS_COLUMN)
  return rows[0]?.found === 1
}

/** Reads how often Postgres looked through the definitions so far. */
async function readScans(system: System): Promise<number> {
  const database = await system.openDatabase()
  try {
    await database.query('SELECT pg_stat_force_next_flush()')
    const [row] = await database.query(
      `SELECT (seq_scan + coalesce(idx_scan, 0))::text AS scans FROM pg_stat_user_tables
       WHERE schemaname = 'tidemark' AND relname = 'sync_definition'`,
    )
    return Number(row?.scans)
  } finally {
    await database.close()
  }
}
