import { Hono } from 'hono'
import { withDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'

/** The part of `createSyncWorker`'s result that is used here. */
interface Parts {
  readonly worker: {
    fetch(request: Request, env: object, context?: object): Promise<Response>
    scheduled(controller: object, env: object, context?: object): Promise<void>
  }
}

/** Adds a route that does one transaction and nothing else, which shows the cost of a write without Tidemark. */
export function instrument<Given extends Parts>(parts: Given): Given {
  const { worker } = parts
  const app = new Hono<{ Bindings: DatabaseEnv }>()
  app.post('/floor', async (context) => {
    const id = context.req.query('id') ?? ''
    await withDatabase(context.env, (database) =>
      database.transaction(({ query }) => query('UPDATE public.tally SET count = count WHERE id = $1', [id])),
    )
    return context.json({})
  })
  app.all('*', (context) => worker.fetch(context.req.raw, context.env, context.executionCtx))
  const fetch = (request: Request, env: object, context?: object) =>
    Promise.resolve(app.fetch(request, env, context as Parameters<typeof app.fetch>[2]))
  return { ...parts, worker: { fetch, scheduled: worker.scheduled } }
}
