import type { Hono } from 'hono'
import { TidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { requireAdmin } from '../ops/require-operator.ts'
import { METRICS_TYPE, metricsText } from './rules/metrics-text.ts'

type Env = { Bindings: SyncEnv }

/** Mounts health and metrics; all but `/health` need the operators' token. */
export function addOperatorRoutes(app: Hono<Env>): void {
  app.get('/health', async (context) => {
    const up = await isUp(context.env)
    return context.json({ status: up ? 'up' : 'down' }, up ? 200 : 503)
  })

  app.get('/health/replication', async (context) => {
    await requireAdmin(context)
    const health = await context.env.REPLICATION.getByName(REPLICATION_NAME).health()
    return context.json(health, health.status === 'fail' ? 503 : 200)
  })

  app.get('/health/sync', async (context) => {
    await requireAdmin(context)
    const name = context.req.query('object')
    if (!name) throw new TidemarkError('bad-input', 'Say which SyncDO: /health/sync?object=<name>, e.g. org:42.')
    const health = await context.env.SYNC.getByName(name).health()
    return context.json(health, health.status === 'fail' ? 503 : 200)
  })

  app.get('/metrics', async (context) => {
    await requireAdmin(context)
    const health = await context.env.REPLICATION.getByName(REPLICATION_NAME).health()
    // A failing check is told by its own metric: an answer that is not 200 would be no reading at all.
    return context.body(metricsText(health), 200, { 'content-type': METRICS_TYPE })
  })
}

async function isUp(env: SyncEnv): Promise<boolean> {
  try {
    return (await env.REPLICATION.getByName(REPLICATION_NAME).health()).status !== 'fail'
  } catch {
    return false
  }
}
