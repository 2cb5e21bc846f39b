import { integer, pgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplica, type Replica } from '../client/index.ts'
import { applyDefinition, defineSync, table } from '../db/index.ts'
import { fillPgbench, pgbenchApp, runClientTool } from '../testing/pgbench/pgbench.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'

const SUMS = `
  SELECT (SELECT sum(abalance) FROM public.pgbench_accounts)::text AS accounts,
         (SELECT sum(tbalance) FROM public.pgbench_tellers)::text AS tellers,
         (SELECT sum(bbalance) FROM public.pgbench_branches)::text AS branches`
const DIGEST = `
  SELECT count(*)::text AS rows, md5(string_agg(a::text, ';' ORDER BY aid)) AS accounts,
         (SELECT md5(string_agg(t::text, ';' ORDER BY tid)) FROM public.pgbench_tellers t) AS tellers,
         (SELECT md5(string_agg(b::text, ';' ORDER BY bid)) FROM public.pgbench_branches b) AS branches
  FROM public.pgbench_accounts a`

interface Sums {
  accounts: string
  tellers: string
  branches: string
}

describe.each([
  { decoder: 'pgoutput', postgres: 'embedded' },
  { decoder: 'wal2json', postgres: 'system' },
] as const)('a bank under pgbench through $decoder', ({ decoder, postgres }) => {
  let system: System
  let replica: Replica

  beforeAll(async () => {
    system = await startSystem({
      app: pgbenchApp,
      postgres,
      workerOptions: { decoder },
      seed: ({ DATABASE_URL }) => fillPgbench(DATABASE_URL),
    })
    replica = await openReplica({
      url: system.url,
      user: 'teller',
      token: () => system.token({ userId: 'teller', audiences: ['all'] }),
      sync: pgbenchApp.sync,
      storage: 'memory://',
    })
    await replica.ready
  })
  afterAll(async () => {
    await replica?.close()
    await system?.dispose()
  })

  it('ORA-03 in every state of a replica the sums of accounts, tellers and branches agree', async () => {
    let running = true
    const load = runClientTool('pgbench', system.databaseUrl, ['-n', '-c', '4', '-R', '400', '-T', '12']).finally(
      () => {
        running = false
      },
    )
    const seen: Sums[] = []
    while (running) {
      const [sums] = (await replica.db.query<Sums>(SUMS)).rows
      if (sums) seen.push(sums)
      // This sets the pace of the looks and leaves a turn for arriving frames; the loop ends with the load.
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await load
    expect(seen.filter(({ accounts, tellers, branches }) => accounts !== tellers || tellers !== branches)).toEqual([])
    await replica.settled()
    const database = await system.openDatabase()
    const [expected] = await database.query(DIGEST)
    const [sums] = (await database.query(SUMS)) as unknown as Sums[]
    await database.close()
    expect((await replica.db.query(DIGEST)).rows).toEqual([expected])
    expect(sums?.accounts).not.toBe('0')
    expect(new Set(seen.map(({ accounts }) => accounts)).size).toBeGreaterThan(2)
  })

  it('ORA-03 CAP-17 refuses pgbench_history, which has no key, and says what to do', async () => {
    const history = pgTable('pgbench_history', { tid: integer('tid'), delta: integer('delta') })
    const withHistory = defineSync({
      tables: { ...pgbenchApp.sync.tables, history: table(history, { audience: 'all' }) },
    })
    const database = await system.openDatabase()
    await expect(database.transaction(({ query }) => applyDefinition(query, withHistory))).rejects.toThrow(
      /pgbench_history has no primary key.*ADD PRIMARY KEY, or take it out of the sync definition/,
    )
    await database.close()
  })
})
