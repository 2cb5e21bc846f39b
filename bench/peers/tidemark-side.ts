import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startSystem } from '../../testing/system/start-system.ts'
import { openDatabase } from '../../workers/database/index.ts'
import { forkClient, type Side, seedSql } from './side.ts'
import { sync } from './sync.ts'

/** Starts Tidemark as it is deployed, on a Postgres of its own. */
export async function startTidemark(groups: number): Promise<Side> {
  const system = await startSystem({
    app: {
      sync,
      syncModule: new URL('sync.ts', import.meta.url),
      migrations: new URL('migrations/', import.meta.url),
    },
    postgres: 'system',
    proxyAside: true,
    workerOptions: { decoder: 'pgoutput' },
    seed: async (env) => {
      const database = await openDatabase(env, { statementTimeoutMs: 0 })
      await database.query(seedSql(groups))
      await database.query('ANALYZE public.item')
      await database.close()
    },
  })
  const url = `http://127.0.0.1:${system.worker.port}`
  return {
    name: 'Tidemark',
    env: system.env,
    async openClient(held, wanted) {
      const user = randomUUID()
      const token = await system.token({ userId: user, audiences: held.map((group) => `grp:${group}`) })
      const module = fileURLToPath(new URL('tidemark-client.ts', import.meta.url))
      return forkClient(module, { do: 'open', url, user, token, groups: held, wanted })
    },
    stop: () => system.dispose(),
  }
}
