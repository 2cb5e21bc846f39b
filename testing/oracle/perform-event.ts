import { applyDefinition, type Sync } from '../../db/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import { pruneHistory } from '../../workers/replication/retention.ts'
import type { System } from '../system/start-system.ts'
import { until } from '../system/until.ts'
import { CHANGE_SCHEMA, changedSync, RESTORE_SCHEMA } from './app/changed-sync.ts'
import type { Chronicle } from './chronicle.ts'
import type { OracleEvent } from './events.ts'
import type { FleetMember } from './fleet.ts'
import { appTables, readState, samplePostgres } from './samples.ts'
import { ORGS } from './workload-statements.ts'

/** Everything that an event may touch. */
export interface Scene {
  readonly system: System
  readonly sync: Sync
  readonly fleet: readonly FleetMember[]
  readonly chronicle: Chronicle
  readonly withDatabase: <Result>(run: (database: Database) => Promise<Result>) => Promise<Result>
  /** Lets work go on beside the run, which waits for it at its end. */
  readonly beside: (work: Promise<void>) => void
  readonly note: (what: string) => void
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export async function performEvent(event: OracleEvent, scene: Scene): Promise<void> {
  const { system, fleet, chronicle, withDatabase } = scene
  const member = 'replica' in event ? fleet[event.replica] : undefined
  switch (event.kind) {
    case 'offline':
      return member?.replica.goOffline()
    case 'online':
      return member?.replica.goOnline()
    case 'stall':
      return member?.gate.stall()
    case 'flow':
      return member?.gate.flow()
    case 'reopen':
      await member?.close()
      return await member?.open()
    case 'sample':
      return await member?.sample('by plan')
    case 'samplePostgres':
      return await withDatabase(async (database) => {
        chronicle.postgresSamples.push(await samplePostgres(database))
      })
    case 'killWorkerd':
      return await system.killWorkerd()
    case 'killPostgres':
      await system.killPostgres()
      return await system.restartPostgres()
    case 'dropSockets':
      return system.dropSockets()
    case 'evict':
      // The eviction waits until the object is idle, which it may never be under load; the run goes on meanwhile.
      return scene.beside(
        system.worker.evict('SyncDO', `org:${ORGS[0]}`).then(
          () => scene.note('evicted'),
          (error: unknown) => scene.note(`not evicted: ${String(error)}`),
        ),
      )
    case 'prune':
      return await withDatabase((database) => prune(database, chronicle))
    case 'dropSlot':
      return await withDatabase(dropSlot)
    case 'redefine':
      return await redefine(scene)
    case 'joinOrLeave':
      return (
        member &&
        (await withDatabase((database) =>
          joinOrLeave(database, chronicle, member.options.userId, ORGS[event.org] ?? '', [member.options.name]),
        ))
      )
    case 'holdCommits':
      await system.holdCommits()
      await member?.close()
      await member?.open()
      await pause(event.holdMs)
      return await system.releaseCommits()
    case 'delayNetwork':
      return system.gate.delay(event.delayMs)
    case 'wait':
      return await pause(event.waitMs)
  }
}

/** Prunes history but for its last moment, as more of that may still be on its way. */
export async function prune(database: Database, chronicle: Chronicle): Promise<void> {
  const [row] = await database.query(
    `SELECT (max(committed_at) - interval '300 ms')::text AS until FROM tidemark.change_history`,
  )
  await chronicle.archive(database)
  if (row?.until) while (await pruneHistory(database, row.until));
}

/** Drops the slot; a reader that holds it is cut off. */
export async function dropSlot({ query }: Database): Promise<void> {
  await until(async () => {
    await query(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'tidemark' AND active`,
    )
    try {
      await query(`SELECT pg_drop_replication_slot('tidemark')`)
      return true
    } catch (error) {
      if (sqlStateOf(error) === SQL_STATE.objectInUse) return false
      throw error
    }
  })
}

const MOST_TRIES = 20

/** Puts the other definition in force as a migration does; nobody can write, so the rows at that commit are known. */
async function redefine({ sync, chronicle, withDatabase, note }: Scene): Promise<void> {
  const changed = chronicle.changes.size % 2 === 0
  for (let tries = 1; ; tries++) {
    try {
      const change = await withDatabase(async (database) => {
        const tables = await appTables(database.query)
        const beforeMs = performance.now()
        return await database.transaction(async ({ query }) => {
          await query('LOCK TABLE public.setting, public.unsynced_log IN ACCESS EXCLUSIVE MODE')
          await query(`LOCK TABLE ${tables} IN SHARE MODE`)
          await query(changed ? CHANGE_SCHEMA : RESTORE_SCHEMA)
          const definition = await applyDefinition(query, changed ? changedSync(sync) : sync)
          return { definition, state: await readState(query, definition.definition), adopted: false, beforeMs }
        })
      })
      chronicle.changes.set(change.definition.version, change)
      return
    } catch (error) {
      note(`the definition was not changed at try ${tries}: ${String(error)}`)
      // Deadlocks with the workload and lost connections pass.
      if (tries === MOST_TRIES) throw error
    }
  }
}

/** Makes a user a member of an organisation, or ends the membership; `replicas` are the user's. */
export async function joinOrLeave(
  { query }: Database,
  chronicle: Chronicle,
  userId: string,
  org: string,
  replicas: readonly string[],
): Promise<void> {
  const values = [userId, org]
  const left = await query(
    'DELETE FROM public.membership WHERE user_id = $1 AND org_id = $2 RETURNING org_id::text',
    values,
  )
  const granted = left.length === 0
  if (granted) await query('INSERT INTO public.membership (user_id, org_id) VALUES ($1, $2)', values)
  const [row] = await query('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  const lsn = parsePgLsn(row?.lsn ?? '')
  for (const replica of replicas) chronicle.rights.push({ replica, audience: `org:${org}`, granted, lsn })
}
