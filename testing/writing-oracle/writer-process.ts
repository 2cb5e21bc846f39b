import { setPriority } from 'node:os'
import { openReplicaOn } from '../../client/open-replica.ts'
import type { Replica } from '../../client/replica-api.ts'
import { TidemarkError } from '../../protocol/index.ts'
import { sampleReplica } from '../oracle/sample-replica.ts'
import { openPreparedDatabase } from '../replica/prepared-database.ts'
import { sync } from './app/sync.ts'
import { sync as syncWithVisits } from './app/sync-with-visits.ts'
import type { Look, Operation, Retry, WriterAnswer, WriterRequest } from './operation.ts'

/** One replica in a process of its own, which can be killed like a tab. */
let replica: Replica<typeof sync> | null = null

const opened = (): Replica<typeof sync> => {
  if (!replica) throw new Error('The replica is not open.')
  return replica
}

async function perform(operation: Operation): Promise<string | null> {
  const { actions, db } = opened()
  switch (operation.kind) {
    case 'add':
      return (await actions.add({ tally: operation.tally, token: operation.token })).id
    case 'finish':
      return (await actions.finish({ task: operation.task, token: operation.token })).id
    case 'reopen':
      return (await actions.reopen({ task: operation.task, token: operation.token })).id
    case 'split':
      return (await actions.split({ task: operation.task, names: [...operation.names], token: operation.token })).id
    case 'assign':
      return (await actions.assign({ task: operation.task, person: operation.person, token: operation.token })).id
    case 'report':
      return (await actions.report({ org: operation.org, answers: operation.answers, token: operation.token })).id
    case 'answerTo': {
      const { rows } = await db.query<{ id: number; word: string }>(
        'SELECT id, word FROM ticket WHERE org_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1',
        [operation.org, operation.place],
      )
      const [{ id: ticket, word } = { id: 0, word: '' }] = rows
      return (await actions.answerTo({ org: operation.org, ticket, word, token: operation.token })).id
    }
    case 'patch': {
      const { id } = await opened().transaction(async (tx) => {
        for (const { text, params } of operation.statements) await tx.query(text, [...params])
        await tx.query('INSERT INTO entry (id, org_id, token) VALUES (gen_random_uuid(), $1, $2)', [
          operation.org,
          operation.token,
        ])
      })
      return id
    }
    case 'raw':
      for (const { text, params } of operation.statements) await db.query(text, [...params])
      return null
  }
}

async function look(tables: readonly string[], invariants: readonly string[]): Promise<Look> {
  const { db, status } = opened()
  const taken = await db.transaction(async (tx) => {
    await tx.exec(`SET LOCAL TimeZone = 'UTC'`)
    const rows: Record<string, string[]> = {}
    for (const table of tables) {
      const found = await tx.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} AS t ORDER BY 1`)
      rows[table] = found.rows.map(({ row }) => row)
    }
    const broken: string[][] = []
    for (const query of invariants) {
      const found = await tx.query<{ id: string }>(query)
      broken.push(found.rows.map(({ id }) => id))
    }
    return { rows, broken }
  })
  const mutations = await opened().mutations({ limit: 100_000 })
  const sample = await sampleReplica(db)
  return {
    ...taken,
    sample: sample && {
      ...sample,
      lines: [...sample.lines],
      touched: [...sample.touched].map(([table, keys]) => [table, [...keys]] as const),
    },
    phase: status.phase,
    pending: status.pending,
    failed: status.failed,
    error: status.error?.message ?? null,
    mutations: mutations.map(({ id, status }) => ({ id, status })),
  }
}

/** Retries every failure; one that cannot be done here any more stays failed. */
async function retryFailures(): Promise<Retry[]> {
  const retries: Retry[] = []
  for (const failure of opened().failures) {
    const again = await failure.retry().catch(() => null)
    if (again) retries.push({ failed: failure.id, again: again.id === failure.id ? null : again.id })
  }
  return retries
}

async function answer(request: WriterRequest): Promise<{ id?: string | null; look?: Look; retries?: Retry[] }> {
  switch (request.do) {
    case 'open': {
      const { url, user, storage, token, visits } = request
      const options = { url, user, token: async () => token, sync: visits ? syncWithVisits : sync, storage }
      replica = await openReplicaOn(options, openPreparedDatabase)
      await replica.ready
      return {}
    }
    case 'operation':
      return { id: await perform(request.operation) }
    case 'online':
      opened().goOnline()
      return {}
    case 'offline':
      opened().goOffline()
      return {}
    case 'settle':
      await opened().settled()
      return {}
    case 'undo':
      await opened().undo()
      return {}
    case 'retryFailures':
      return { retries: await retryFailures() }
    case 'look':
      return { look: await look(request.tables, request.invariants) }
    case 'close':
      await opened().close()
      return {}
  }
}

// Several of these processes share the machine with the servers that they wait for, so they give way.
setPriority(5)
process.on('message', (message: { readonly number: number; readonly request: WriterRequest }) => {
  const { number, request } = message
  answer(request).then(
    ({ id = null, look = null, retries = [] }) => reply(number, { ok: true, id, look, retries }),
    (error: unknown) =>
      reply(number, {
        ok: false,
        message: error instanceof Error ? error.message : String(error),
        kind: error instanceof TidemarkError ? error.kind : error instanceof Error ? error.name : null,
      }),
  )
})

function reply(number: number, given: WriterAnswer): void {
  process.send?.({ number, answer: given })
}
