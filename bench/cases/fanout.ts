import { setTimeout as wait } from 'node:timers/promises'
import type { System } from '../../testing/system/start-system.ts'
import { SMALL_ORG } from '../bench-system.ts'
import { type Figure, figure, median, timed } from '../measure.ts'
import { cpuMs } from '../processes.ts'
import { clockMs, openSocketFleet } from '../socket-fleet.ts'

const ROUNDS = 7
const UPDATES = 100
const UPDATE_PAUSE_MS = 50
const RECONNECTS = 500
/** Statistics of a server process are visible about a second after it went idle. */
const STATISTICS_MS = 3_000

let marks = 0
const newMark = () => {
  marks += 1
  return `mark-${marks.toString(36)}-end`
}

/** Changes one issue with one commit; answers the time at which its author knew of the commit. */
type Commit = (mark: string) => Promise<number>

async function withCommits<Result>(system: System, work: (commit: Commit) => Promise<Result>): Promise<Result> {
  const database = await system.openDatabase()
  try {
    return await work(async (mark) => {
      await database.query(
        'UPDATE public.issue SET title = $1 WHERE id = (SELECT min(id::text)::uuid FROM public.issue WHERE org_id = $2::text::uuid)',
        [mark, SMALL_ORG],
      )
      return clockMs()
    })
  } finally {
    await database.close()
  }
}

export async function fanoutLast(system: System, count: number): Promise<Figure[]> {
  const fleet = await openSocketFleet(system, SMALL_ORG, count)
  const lasts: number[] = []
  const spreads: number[] = []
  const before = { cpu: cpuMs('workerd'), characters: await fleet.received() }
  await withCommits(system, async (commit) => {
    for (let round = 0; round < ROUNDS; round++) {
      const mark = newMark()
      const arrived = fleet.arrivals(mark)
      const committedMs = await commit(mark)
      const times = await arrived
      lasts.push(Math.max(...times) - committedMs)
      spreads.push(Math.max(...times) - Math.min(...times))
      // Rounds fall anywhere within the polling interval.
      await wait((round * 370) % 1_000)
    }
  })
  const perSocket = count * ROUNDS
  const characters = ((await fleet.received()) - before.characters) / perSocket
  const cpuUs = ((cpuMs('workerd') - before.cpu) / perSocket) * 1_000
  await fleet.close()
  const sockets = `${count} socket${count === 1 ? '' : 's'} in another process, medians of ${ROUNDS} commits`
  return [
    figure(`fanout.${count}.last_ms`, median(lasts), 'ms', null, `from commit to the last of ${sockets}`),
    ...(count > 1
      ? [
          figure(`fanout.${count}.spread_ms`, median(spreads), 'ms', null, `from the first to the last of ${sockets}`),
          figure(`fanout.${count}.socket_bytes`, characters, 'bytes', null, 'frames a socket and commit, uncompressed'),
          figure(
            `fanout.${count}.socket_cpu_us`,
            cpuUs,
            'µs',
            null,
            'processor time of the runtime a socket and commit, capture, acknowledgements and compression included',
          ),
        ]
      : []),
  ]
}

export async function fanoutSteady(system: System): Promise<Figure[]> {
  const fleet = await openSocketFleet(system, SMALL_ORG, 100)
  const delaysMs: number[] = []
  await withCommits(system, async (commit) => {
    const pending: Promise<unknown>[] = []
    for (let update = 0; update < UPDATES; update++) {
      const mark = newMark()
      const arrived = fleet.arrivals(mark)
      const committedMs = await commit(mark)
      pending.push(arrived.then((times) => delaysMs.push(...times.map((time) => time - committedMs))))
      await wait(UPDATE_PAUSE_MS)
    }
    await Promise.all(pending)
  })
  await fleet.close()
  return [
    figure(
      'fanout.100.p50_ms',
      median(delaysMs),
      'ms',
      { atMost: 15 },
      `from commit to each of 100 sockets in another process, ${UPDATES} commits about ${UPDATE_PAUSE_MS} ms apart`,
    ),
  ]
}

export async function reconnectStorm(system: System): Promise<Figure[]> {
  const database = await system.openDatabase()
  const transactions = async () => {
    await wait(STATISTICS_MS)
    const [row] = await database.query(
      'SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()',
    )
    return Number(row?.count)
  }
  const atFirst = await transactions()
  const fleet = await openSocketFleet(system, SMALL_ORG, RECONNECTS)
  const opened = await transactions()
  const quiet = await timed(transactions)
  const storm = await timed(async () => {
    await fleet.reconnect()
    return await transactions()
  })
  await database.close()
  await fleet.close()
  const usual = ((quiet.result - opened) / quiet.elapsedMs) * storm.elapsedMs
  const made = storm.result - quiet.result
  return [
    figure(
      'reconnect.500.queries',
      Math.max(0, made - usual),
      'transactions',
      { atMost: 10 },
      `of Postgres (pg_stat_database) while ${RECONNECTS} sockets of as many users came back: ${made}, of which polling makes ${usual.toFixed(1)} in that time; their first connection took ${opened - atFirst}`,
    ),
    figure(
      'reconnect.500.ms',
      storm.elapsedMs - STATISTICS_MS,
      'ms',
      null,
      `until all ${RECONNECTS} were welcomed again`,
    ),
  ]
}
