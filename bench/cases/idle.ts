import { setTimeout as wait } from 'node:timers/promises'
import { CLOCK_SPEED, type ObjectCounts } from '../../testing/system/object-counts.ts'
import type { System } from '../../testing/system/start-system.ts'
import { REPLICATION_NAME } from '../../workers/contracts.ts'
import { captureAll, directUrl, SMALL_ORG } from '../bench-system.ts'
import { type Figure, figure } from '../measure.ts'
import { openSocketFleet } from '../socket-fleet.ts'

const MEASURED_HOURS = 4
/** After this time, pauses have grown to their longest. */
const SETTLING_HOURS = 3
const CLIENTS = 100
const HOUR_MS = 3_600_000
/** Idle objects leave memory sooner than their next alarm comes, so every event meets a cold one. */
const EVICTION_MS = 1_000
/** Statistics of a server process are visible about a second after it went idle. */
const STATISTICS_MS = 2_000
const CLASSES = ['ReplicationDO', 'SyncDO'] as const

export async function idleAlone(system: System): Promise<Figure[]> {
  await captureAll(system)
  return measureIdle(system, 'idle.alone', 'without clients')
}

export async function idleClients(system: System): Promise<Figure[]> {
  const fleet = await openSocketFleet(system, SMALL_ORG, CLIENTS)
  const figures = await measureIdle(system, `idle.${CLIENTS}`, `with ${CLIENTS} idle clients of one organisation`)
  await fleet.close()
  return figures
}

async function measureIdle(system: System, id: string, who: string): Promise<Figure[]> {
  const objects = [
    ['ReplicationDO', REPLICATION_NAME],
    ['SyncDO', `org:${SMALL_ORG}`],
  ] as const
  let measuring = true
  const evicting = (async () => {
    while (measuring) {
      await wait(EVICTION_MS)
      // An object that is at work stays.
      for (const [className, name] of objects) await system.worker.evict(className, name).catch(() => {})
    }
  })()
  try {
    // Sockets were opened before this, because a hello has no time on a fast clock.
    await fetch(`${directUrl(system)}/bench/fast`)
    await wait((SETTLING_HOURS * HOUR_MS) / CLOCK_SPEED)
    const before = await look(system)
    await wait((MEASURED_HOURS * HOUR_MS) / CLOCK_SPEED)
    const after = await look(system)
    const how = `an hour ${who}: ${MEASURED_HOURS} hours of a Worker whose clock runs ${CLOCK_SPEED} times as fast, its objects cold before each event`
    const perHour = (from: number, to: number) => (to - from) / MEASURED_HOURS
    return [
      ...CLASSES.flatMap((name) => {
        const [from, to] = [before.counts[name], after.counts[name]]
        const of = (what: keyof ObjectCounts) => perHour(from?.[what] ?? 0, to?.[what] ?? 0)
        return [
          figure(`${id}.${name}.requests`, of('requests'), 'requests/h', null, how),
          figure(`${id}.${name}.rows_written`, of('rowsWritten'), 'rows/h', null, `${how}; alarms included`),
          figure(`${id}.${name}.active_ms`, of('activeMs'), 'ms/h', null, `${how}; real time with work under way`),
        ]
      }),
      figure(
        `${id}.postgres.transactions`,
        Math.max(0, perHour(before.transactions, after.transactions - after.own)),
        'transactions/h',
        null,
        how,
      ),
    ]
  } finally {
    await fetch(`${directUrl(system)}/bench/slow`)
    measuring = false
    await evicting
  }
}

async function look(system: System) {
  const counts = (await (await fetch(`${directUrl(system)}/bench/counts`)).json()) as Record<
    string,
    ObjectCounts | undefined
  >
  const database = await system.openDatabase()
  await wait(STATISTICS_MS)
  const text =
    'SELECT (xact_commit + xact_rollback)::text AS count FROM pg_stat_database WHERE datname = current_database()'
  const [row] = await database.query(text)
  await database.close()
  // Two transactions of the looks themselves fall between the two counts: settings and the question.
  return { counts, transactions: Number(row?.count), own: 2 }
}
