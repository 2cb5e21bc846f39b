import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import { getTableConfig, pgTable, text } from 'drizzle-orm/pg-core'
import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica } from '../../client/replica-api.ts'
import { readCopies } from '../../client/store/copies.ts'
import type { Database as LocalDatabase } from '../../client/store/database.ts'
import { addPrimaryKey, createTable, finishings } from '../../client/store/definition-ddl.ts'
import { tableOf } from '../../client/store/replica-table.ts'
import { startParams } from '../../client/store/start-options.ts'
import { applyDefinition, readStart, type Sync } from '../../db/index.ts'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import type { System } from '../../testing/system/start-system.ts'
import { until } from '../../testing/system/until.ts'
import { captureAll, directUrl, LARGE_ORG, SMALL_ORG, sync, tokenFor } from '../bench-system.ts'
import { type Figure, figure, median, timed } from '../measure.ts'

const ROUNDS = 3
/** A column is added so quickly that three rounds would tell more of the machine than of us. */
const ADD_ROUNDS = 9
/** Versions between a replica that was away and today. */
const VERSIONS_BEHIND = 50

/** A replica on a PGlite of ours, of which the longest local transaction is known. */
interface Watched {
  readonly replica: Replica<typeof sync>
  readonly db: LocalDatabase
  /** Answers the duration of the longest transaction since the last call; meanwhile the app waits. */
  longestMs(): number
}

async function openWatched(system: System): Promise<Watched> {
  const db: LocalDatabase = await PGlite.create({ startParams: startParams(PGlite), extensions: { live } })
  let longest = 0
  const transaction = db.transaction.bind(db)
  db.transaction = async (work) => {
    const { result, elapsedMs } = await timed(() => transaction(work))
    longest = Math.max(longest, elapsedMs)
    return result
  }
  const options = { url: directUrl(system), user: 'bench', sync, storage: 'memory://' }
  const token = () => tokenFor(system, LARGE_ORG, 'bench')
  const replica = await openReplicaOn({ ...options, token }, async () => db)
  await replica.ready
  await replica.settled()
  return {
    replica,
    db,
    longestMs() {
      const found = longest
      longest = 0
      return found
    },
  }
}

/** Counts what is downloaded of snapshots while `run` runs, in bytes of the answers' bodies. */
export async function countDownloads(run: () => Promise<unknown>): Promise<number> {
  const original = globalThis.fetch
  let bytes = 0
  globalThis.fetch = async (...args: Parameters<typeof fetch>) => {
    const response = await original(...args)
    if (String(args[0]).includes('/sync/snapshot')) bytes += (await response.clone().arrayBuffer()).byteLength
    return response
  }
  try {
    await run()
    return bytes
  } finally {
    globalThis.fetch = original
  }
}

/** The tracker's definition, with these columns of issues beside its own. */
export function withColumns(...added: readonly string[]): Sync {
  const names = [...getTableConfig(sync.tables.issue.table).columns.map(({ name }) => name), ...added]
  const issue = pgTable('issue', Object.fromEntries(names.map((name) => [name, text(name)])))
  const column = issue.org_id
  if (!column) throw new Error('Issues have no organisation.')
  return {
    ...sync,
    tables: { ...sync.tables, issue: { ...sync.tables.issue, table: issue, audience: { column, prefix: 'org' } } },
  }
}

/** Runs a migration as the command line does, in one transaction. */
export async function migrate(system: System, statements: readonly string[], declared: Sync): Promise<void> {
  const database = await system.openDatabase()
  try {
    await database.transaction(async ({ query }) => {
      const start = await readStart(query)
      for (const statement of statements) await query(statement)
      await applyDefinition(query, declared, { start })
    })
  } finally {
    await database.close()
  }
}

const typeOf = `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'public.issue'::regclass AND attname = $1`

async function untilTyped({ db }: Watched, column: string, type: string): Promise<void> {
  await until(async () => {
    const { rows } = await db.query<{ type: string }>(typeOf, [column])
    return rows[0]?.type === type
  })
}

/** The issues of a replica in bare PGlite, with the same key and indexes, to alter and to load again. */
interface Bare {
  readonly db: LocalDatabase
  load(): Promise<void>
}

async function openBare({ db: source }: Watched): Promise<Bare> {
  const [copy] = await readCopies(source)
  if (!copy) throw new Error('The replica holds no copy.')
  const issue = tableOf(copy.tables, 'public.issue')
  const columns = issue.columns.map(({ name }) => `"${name}"`).join(', ')
  const { blob } = await source.query(`COPY ${issue.name} (${columns}) TO '/dev/blob'`)
  const db: LocalDatabase = await PGlite.create({ extensions: { live } })
  for (const { statement } of copy.definition.definition.types) await db.exec(statement)
  await db.exec(`${createTable(issue, 'aside')} ${addPrimaryKey(issue)}`)
  for (const { statement } of finishings([issue])) if (!statement.includes('FOREIGN KEY')) await db.exec(statement)
  const load = async () => {
    await db.exec(`TRUNCATE ${issue.name}`)
    await db.query(`COPY ${issue.name} (${columns}) FROM '/dev/blob'`, [], { blob: blob as Blob })
  }
  await load()
  return { db, load }
}

/** Adds a column with a default to issues that a replica holds 100,000 of, and takes it away again. */
export async function migrateAddColumn(system: System): Promise<Figure[]> {
  const watched = await openWatched(system)
  const bare = await openBare(watched)
  const add = `ALTER TABLE public.issue ADD COLUMN weight integer NOT NULL DEFAULT 7`
  const drop = `ALTER TABLE public.issue DROP COLUMN weight`
  const [ours, alone, seen]: number[][] = [[], [], []]
  let bytes = 0
  for (let round = 0; round < ADD_ROUNDS; round++) {
    watched.longestMs()
    bytes += await countDownloads(async () => {
      await migrate(system, [add], withColumns('weight'))
      const { elapsedMs } = await timed(() => untilTyped(watched, 'weight', 'integer'))
      seen?.push(elapsedMs)
    })
    ours?.push(watched.longestMs())
    alone?.push((await timed(() => bare.db.exec(add))).elapsedMs)
    await migrate(system, [drop], sync)
    await bare.db.exec(drop)
    await watched.replica.settled()
  }
  const unmigrated = await openFresh(system, [])
  const figures = await migrateMany(system, watched, bare, unmigrated)
  await bare.db.close()
  await watched.replica.close()
  const [held, bareMs] = [median(ours ?? []), median(alone ?? [])]
  const what = 'a column with a default, added to 100,000 issues that a replica holds'
  return [
    figure('migration.add_column.bytes', bytes, 'bytes', { atMost: 0 }, `downloaded for ${what}`),
    figure('migration.add_column.ms', held, 'ms', null, `the longest local transaction meanwhile: ${what}`),
    figure(
      'migration.add_column.bare_ms',
      bareMs,
      'ms',
      null,
      'the same ALTER TABLE in bare PGlite with the same rows',
    ),
    figure('migration.add_column.ratio', held / bareMs, '×', { atMost: 2 }, `of bare; medians of ${ADD_ROUNDS}`),
    figure(
      'migration.add_column.seen_ms',
      median(seen ?? []),
      'ms',
      null,
      'from the commit until the replica has the column',
    ),
    ...figures,
  ]
}

/** Answers how long a new replica of the small organisation takes to be ready, with these columns. */
async function openFresh(system: System, columns: readonly string[]): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const user = `fresh-${columns.length}-${round}`
    const token = () => tokenFor(system, SMALL_ORG, user)
    const options = { url: directUrl(system), user, token, sync, storage: 'memory://' }
    const { result: replica, elapsedMs } = await timed(async () => {
      const opened = await openReplicaOn(options, openPreparedDatabase)
      await opened.ready
      return opened
    })
    times.push(elapsedMs)
    const { rows } = await replica.db.query<{ type: string }>(typeOf, [columns.at(-1) ?? 'id'])
    await replica.close()
    if (rows.length === 0) throw new Error('A new replica lacks a column.')
  }
  return median(times)
}

/** Lets the replica fall many versions behind, and come back; and opens new ones, which see the last version alone. */
async function migrateMany(
  system: System,
  { replica, db }: Watched,
  bare: Bare,
  unmigratedMs: number,
): Promise<Figure[]> {
  replica.goOffline()
  const names = Array.from({ length: VERSIONS_BEHIND }, (_, index) => `added_${index}`)
  const adds = names.map((name) => `ALTER TABLE public.issue ADD COLUMN ${name} integer NOT NULL DEFAULT 7`)
  for (const [index, add] of adds.entries()) await migrate(system, [add], withColumns(...names.slice(0, index + 1)))
  await captureAll(system)
  const { elapsedMs } = await timed(async () => {
    replica.goOnline()
    await replica.settled()
  })
  const { rows } = await db.query<{ type: string }>(typeOf, [names.at(-1) ?? ''])
  if (rows[0]?.type !== 'integer') throw new Error('The replica lacks a column.')
  const alone = await timed(async () => {
    for (const add of adds) await bare.db.exec(add)
  })
  const fresh = await openFresh(system, names)
  await migrate(
    system,
    names.map((name) => `ALTER TABLE public.issue DROP COLUMN ${name}`),
    sync,
  )
  await replica.settled()
  const detail = `${VERSIONS_BEHIND} added columns met at once, from going online to settled; bare PGlite ${alone.elapsedMs.toFixed(0)} ms`
  const opening = `a new replica of 200 issues to ready after ${VERSIONS_BEHIND} added columns, beside ${unmigratedMs.toFixed(0)} ms before them; medians of ${ROUNDS}`
  return [
    figure('migration.many.ms', elapsedMs, 'ms', null, detail),
    figure('migration.fresh.ms', fresh, 'ms', null, opening),
    figure('migration.fresh.ratio', fresh / unmigratedMs, '×', null, opening),
  ]
}

/** Changes the type of a column so that the server rewrites the table, which a replica then loads anew. */
export async function migrateRetype(system: System): Promise<Figure[]> {
  const watched = await openWatched(system)
  const bare = await openBare(watched)
  const [ours, alone]: number[][] = [[], []]
  let type = 'integer'
  for (let round = 0; round < ROUNDS; round++) {
    type = type === 'integer' ? 'bigint' : 'integer'
    const retype = `ALTER TABLE public.issue ALTER COLUMN number TYPE ${type}`
    await migrate(system, [retype], sync)
    const { elapsedMs } = await timed(async () => {
      await untilTyped(watched, 'number', type)
      await watched.replica.settled()
    })
    ours?.push(elapsedMs)
    const { elapsedMs: bareMs } = await timed(async () => {
      await bare.db.exec(retype)
      await bare.load()
    })
    alone?.push(bareMs)
  }
  if (type !== 'integer') await migrate(system, [`ALTER TABLE public.issue ALTER COLUMN number TYPE integer`], sync)
  await watched.replica.settled()
  await bare.db.close()
  await watched.replica.close()
  const [oursMs, bareMs] = [median(ours ?? []), median(alone ?? [])]
  return [
    figure(
      'migration.retype.ms',
      oursMs,
      'ms',
      null,
      'from the commit until 100,000 issues are there with the other type',
    ),
    figure('migration.retype.bare_ms', bareMs, 'ms', null, 'the same ALTER and one COPY of them into bare PGlite'),
    figure(
      'migration.retype.ratio',
      oursMs / bareMs,
      '×',
      { atMost: 1.5 },
      `of bare; medians of ${ROUNDS}; the snapshot is built meanwhile`,
    ),
  ]
}
