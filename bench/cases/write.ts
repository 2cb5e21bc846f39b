import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { openReplica, type Replica } from '../../client/index.ts'
import { LIMITS, type PushedMutation, pushAnswerSchema } from '../../protocol/index.ts'
import { type System, startSystem } from '../../testing/system/start-system.ts'
import { until } from '../../testing/system/until.ts'
import { sync } from '../../testing/writing-oracle/app/sync.ts'
import { ORGS, seedWriting } from '../../testing/writing-oracle/plan-writing.ts'
import { openDatabase } from '../../workers/database/index.ts'
import { directUrl } from '../bench-system.ts'
import { localWriteDelays } from '../local-write-delays.ts'
import { type Figure, figure, percentile, timed } from '../measure.ts'
import type { Sighting, WatchOrder } from '../watcher-process.ts'

const [ORG] = ORGS
const LOCAL_WRITES = 300
const ACTIONS = 200
const ACTION_PAUSE_MS = 50
const QUEUED = 1_000
const CLIENTS = 50
const PUSHES = 10
const PER_PUSH = 10

type WritingReplica = Replica<typeof sync>

/** Starts the small app of lists and tasks, as deployed, with a route beside it that does one transaction. */
export async function startWriteSystem(): Promise<System> {
  return await startSystem({
    app: {
      sync,
      syncModule: new URL('../../testing/writing-oracle/app/sync.ts', import.meta.url),
      migrations: new URL('../../testing/writing-oracle/app/migrations/', import.meta.url),
    },
    instrument: new URL('../floor/instrument.ts', import.meta.url),
    proxyAside: true,
    // No limit of the app may bound what is measured.
    workerOptions: { limits: { requests: { burst: 100_000, refillMs: 1 } }, cors: { origins: '*' } },
    seed: async (env) => {
      const database = await openDatabase(env)
      for (const { text, params } of seedWriting()) await database.query(text, params)
      await database.close()
    },
  })
}

export const tokenOf = (system: System, user: string) => system.token({ userId: user, audiences: [`org:${ORG}`] })

export async function openWriter(
  system: System,
  user: string,
  url: string = directUrl(system),
): Promise<WritingReplica> {
  const replica = await openReplica({
    url,
    user,
    token: () => tokenOf(system, user),
    sync,
    storage: 'memory://',
    development: false,
  })
  await replica.ready
  await replica.settled()
  return replica
}

async function tallyOf(replica: WritingReplica): Promise<string> {
  const { rows } = await replica.db.query<{ id: string }>('SELECT id::text AS id FROM public.tally ORDER BY id LIMIT 1')
  const [row] = rows
  if (!row) throw new Error('There is no tally.')
  return row.id
}

/** Measures local writes, each from its call to the callback of a live query that shows it. */
export async function localWrite(system: System): Promise<Figure[]> {
  const replica = await openWriter(system, 'bench-local')
  const delaysMs = await localWriteDelays(replica.db, LOCAL_WRITES)
  await replica.settled()
  await replica.close()
  const detail = `${LOCAL_WRITES} UPDATEs of one row, each from its call to a live query's callback, in memory, pushed meanwhile`
  return [
    figure('write.local.p50_ms', percentile(delaysMs, 0.5), 'ms', { atMost: 5 }, detail),
    figure('write.local.p99_ms', percentile(delaysMs, 0.99), 'ms', null, detail),
  ]
}

/** Measures an action until its author's stream and a replica in another process have it, above a bare transaction. */
export async function actionLatency(system: System): Promise<Figure[]> {
  const author = await openWriter(system, 'bench-author')
  const tally = await tallyOf(author)
  const watcher = fork(new URL('../watcher-process.ts', import.meta.url), { stdio: 'inherit' })
  const exited = once(watcher, 'exit')
  const user = 'bench-other'
  const order: WatchOrder = { url: directUrl(system), user, token: await tokenOf(system, user), tally }
  watcher.send(order)
  await once(watcher, 'message')
  const floorMs: number[] = []
  const confirmedMs: number[] = []
  const otherMs: number[] = []
  let sighted: (sighting: Sighting) => void = () => {}
  watcher.on('message', (sighting: Sighting) => sighted(sighting))
  for (let round = 0; round < ACTIONS; round++) {
    const floor = await timed(async () => {
      const answer = await fetch(`${directUrl(system)}/floor?id=${tally}`, { method: 'POST' })
      if (!answer.ok) throw new Error(`The floor answered ${answer.status}.`)
      await answer.body?.cancel()
    })
    floorMs.push(floor.elapsedMs)
    // By the end of the pause, the changes of this transaction have reached both replicas.
    await wait(ACTION_PAUSE_MS)
    const token = `bench-${round}`
    const startNs = process.hrtime.bigint()
    const sinceMs = (atNs: bigint) => Number(atNs - startNs) / 1e6
    const elsewhere = new Promise<void>((resolve) => {
      sighted = ({ log, atNs }) => {
        if (!log.includes(`${token} `)) return
        otherMs.push(sinceMs(BigInt(atNs)))
        resolve()
      }
    })
    const { confirmed } = await author.actions.add({ tally, token })
    await confirmed
    confirmedMs.push(sinceMs(process.hrtime.bigint()))
    await elsewhere
    await wait(ACTION_PAUSE_MS)
  }
  watcher.disconnect()
  await exited
  await author.close()
  const floor = percentile(floorMs, 0.5)
  const detail = `${ACTIONS} actions one after the other, above the floor of this run`
  return [
    figure('floor.post.p50_ms', floor, 'ms', null, 'an empty route that opens a connection and does one transaction'),
    figure('floor.post.p99_ms', percentile(floorMs, 0.99), 'ms', null, 'likewise'),
    figure('action.confirmed.p50_ms', percentile(confirmedMs, 0.5), 'ms', { atMost: floor + 25 }, detail),
    figure('action.confirmed.p99_ms', percentile(confirmedMs, 0.99), 'ms', null, 'likewise'),
    figure(
      'action.other.p50_ms',
      percentile(otherMs, 0.5),
      'ms',
      { atMost: floor + 25 },
      `${detail}, to a live query of a replica in another process`,
    ),
    figure('action.other.p99_ms', percentile(otherMs, 0.99), 'ms', null, 'likewise'),
  ]
}

/** Measures mutations made offline, from going online until the last one is confirmed. */
export async function pushDrain(system: System): Promise<Figure[]> {
  const replica = await openWriter(system, 'bench-drain')
  const { rows } = await replica.db.query<{ id: string }>('SELECT id::text AS id FROM public.list ORDER BY id LIMIT 1')
  const list = rows[0]?.id
  replica.goOffline()
  for (let made = 0; made < QUEUED; made++) {
    await replica.transaction((tx) =>
      tx.query('INSERT INTO public.task (id, org_id, list_id, title) VALUES ($1, $2, $3, $4)', [
        randomUUID(),
        ORG,
        list,
        `queued ${made}`,
      ]),
    )
  }
  const { elapsedMs } = await timed(async () => {
    replica.goOnline()
    await until(() => replica.status.phase === 'live')
    await replica.settled()
  })
  if (replica.status.pending > 0 || replica.status.failed > 0) throw new Error('Not everything was confirmed.')
  await replica.close()
  return [
    figure(
      'push.drain.per_s',
      QUEUED / (elapsedMs / 1000),
      'mutations/s',
      { atLeast: 500 },
      `${QUEUED} one-row inserts made offline, from going online to all confirmed`,
    ),
  ]
}

/** Measures many clients that push at once, each batch after the answer to the one before. */
export async function pushFromMany(system: System): Promise<Figure[]> {
  const database = await system.openDatabase()
  const [found] = await database.query('SELECT id::text AS id FROM public.list WHERE org_id = $1 ORDER BY id LIMIT 1', [
    ORG,
  ])
  await database.close()
  const list = found?.id ?? ''
  const push = async (client: string, token: string, batch: number) => {
    const mutations = Array.from({ length: PER_PUSH }, (_, place): PushedMutation => {
      const id = randomUUID()
      const row = {
        id,
        org_id: ORG,
        list_id: list,
        parent_id: null,
        title: 'pushed',
        notes: '',
        done: 'f',
        assignee_id: null,
      }
      const d = { ...row, doc: null, weight: '0.00', touched_at: '2026-01-01 00:00:00+00', revision: '0' }
      return {
        kind: 'patch',
        counter: batch * PER_PUSH + place + 1,
        at: new Date().toISOString(),
        after: [],
        rows: [{ o: 'i', t: 'public.task', a: `org:${ORG}`, k: { id }, d }],
      }
    })
    const body = JSON.stringify({ protocol: LIMITS.protocolVersion, client, acknowledged: batch * PER_PUSH, mutations })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`${directUrl(system)}/sync/push`, { method: 'POST', headers, body })
    const { outcomes, retry } = pushAnswerSchema.parse(await answer.json())
    if (retry || outcomes.some(({ status }) => status !== 'committed'))
      throw new Error(JSON.stringify({ retry, outcomes }))
  }
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, number) => ({
      id: `bench-push-client-${number}`,
      token: await tokenOf(system, `bench-push-${number}`),
    })),
  )
  const { elapsedMs } = await timed(() =>
    Promise.all(
      clients.map(async ({ id, token }) => {
        for (let batch = 0; batch < PUSHES; batch++) await push(id, token, batch)
      }),
    ),
  )
  const count = CLIENTS * PUSHES * PER_PUSH
  return [
    figure(
      'push.50_clients.per_s',
      count / (elapsedMs / 1000),
      'mutations/s',
      null,
      `${CLIENTS} clients, ${PUSHES} pushes of ${PER_PUSH} inserts each, all committed`,
    ),
  ]
}
