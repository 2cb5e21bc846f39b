import express from 'express'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { openReplicaOn } from '../client/open-replica.ts'
import { refuse } from '../db/index.ts'
import { APP_SECRET, startAppServer } from '../testing/push/app-server.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { sync } from '../testing/writing/sync.ts'
import { createMutationHandler, toNode } from '../workers/server/index.ts'

it('FLD-200 ACT-R7 what an Express app decides is confirmed in its author’s replica and reaches another; while the app is away it waits', async () => {
  const connectionString = { url: '' }
  const handler = createMutationHandler(sync, {
    connect: () => new pg.Client({ connectionString: connectionString.url }),
    secret: APP_SECRET,
    actions: {
      close: async (run, { args, client, asApp }) => {
        if (args.id === 'locked') refuse('locked', 'It is locked.')
        await run()
        await asApp(() => client.query(`UPDATE public.note SET slug = 'closed-by-the-app' WHERE id = $1`, [args.id]))
      },
    },
  })
  let isAway = false
  let refusals = 0
  const app = express()
  app.post('/api/mutations', (request, response) => {
    if (isAway) {
      refusals += 1
      response.status(502).send('away')
    } else void toNode(handler)(request, response)
  })
  const server = await startAppServer(app)
  onTestFinished(() => server.close())
  const system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/writing/sync.ts', import.meta.url),
      pushTo: server.target,
      migrations: new URL('../testing/writing/migrations/', import.meta.url),
    },
  })
  onTestFinished(() => system.dispose())
  connectionString.url = system.databaseUrl
  const open = async (user: string) => {
    const token = () => system.token({ userId: user, audiences: ['board:a'] })
    const replica = await openReplicaOn(
      { url: system.url, user, token, sync, storage: 'memory://' },
      openPreparedDatabase,
    )
    onTestFinished(() => replica.close())
    await replica.ready
    return replica
  }
  const [ann, bob] = [await open('ann'), await open('bob')]
  const row = async (replica: typeof ann) =>
    (await replica.db.query(`SELECT title, state, slug FROM note WHERE id = 'one'`)).rows

  await ann.db.query(`INSERT INTO note (id, board, title) VALUES ('one', 'a', 'first'), ('locked', 'a', 'second')`)
  await ann.settled()
  isAway = true
  const closing = await ann.actions.close({ id: 'one' })
  await ann.db.query(`UPDATE note SET title = 'while it was away' WHERE id = 'one'`)
  await until(() => refusals > 0)
  isAway = false
  await closing.confirmed
  await ann.settled()
  const expected = [{ title: 'while it was away', state: 'closed', slug: 'closed-by-the-app' }]
  expect(await row(ann)).toEqual(expected)
  await bob.settled()
  expect(await row(bob)).toEqual(expected)

  const refused = await ann.actions.close({ id: 'locked' })
  await expect(refused.confirmed).rejects.toMatchObject({ rejection: { kind: 'refused', code: 'locked' } })
})
