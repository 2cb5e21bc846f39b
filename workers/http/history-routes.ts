import type { Context, Hono } from 'hono'
import { asLsn, TidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME, type Session } from '../contracts.ts'
import { withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { readActivity } from '../history/activity.ts'
import { readMutationHistory } from '../history/mutation-history.ts'
import { readRowAt } from '../history/row-at.ts'
import { type ChangePlace, findTable, keyOf, readBounds, readChanges } from '../history/row-history.ts'
import type { HistoryPlace } from '../history/version-at.ts'

type Env = { Bindings: SyncEnv }

const PAGE_CHANGES = 50
const MOST_CHANGES = 100
const PLACE = /^([0-9a-f]{16})\.(\d{1,9})$/
const LSN = /^[0-9a-f]{16}$/
const READS_HISTORY = { applicationName: 'tidemark history' }

/** Mounts the history of rows, of mutations and of audiences, for users: under the rights of the session. */
export function addHistoryRoutes(app: Hono<Env>, session: (context: Context<Env>) => Promise<Session>): void {
  app.get('/sync/activity', async (context) => {
    const reader = await session(context)
    const { audience = null, before, limit } = context.req.query()
    const below = before === undefined ? null : changePlaceOf(before)
    const most = limitOf(limit)
    return withDatabase(
      context.env,
      async (database) => context.json(await readActivity(database, reader, audience, below, most)),
      READS_HISTORY,
    )
  })

  // No table has this name: each is named with its schema.
  app.get('/sync/history/mutation/:id', async (context) => {
    const reader = await session(context)
    const id = context.req.param('id')
    return withDatabase(
      context.env,
      async (database) => context.json(await readMutationHistory(database, reader, id)),
      READS_HISTORY,
    )
  })

  app.get('/sync/history/:table/:key', async (context) => {
    const reader = await session(context)
    const { table: id = '', key: keyText = '' } = context.req.param()
    const { before, limit, at } = context.req.query()
    return withDatabase(
      context.env,
      async (database) => {
        const table = await findTable(database.query, id)
        const key = keyOf(table, keyText)
        if (at !== undefined) {
          const captureAll = () => context.env.REPLICATION.getByName(REPLICATION_NAME).freshHead(null)
          return context.json(await readRowAt(database, reader, { table, key }, placeOf(at), captureAll))
        }
        const { epoch, from } = await readBounds(database.query)
        const most = limitOf(limit)
        const below = before === undefined ? null : changePlaceOf(before)
        const changes = await readChanges(database, reader, { epoch, table, key }, below, most)
        const last = changes.length === most ? changes.at(-1) : undefined
        return context.json({ epoch, from, changes, next: last ? `${last.lsn}.${last.seq}` : null })
      },
      READS_HISTORY,
    )
  })
}

function limitOf(text: string | undefined): number {
  const limit = text === undefined ? PAGE_CHANGES : Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_CHANGES)
    throw new TidemarkError('bad-input', `limit is a whole number from 1 to ${MOST_CHANGES}.`)
  return limit
}

function changePlaceOf(text: string): ChangePlace {
  const [, lsn, seq] = PLACE.exec(text) ?? []
  if (lsn === undefined || Number(seq) > 2_147_483_647)
    throw new TidemarkError('bad-input', 'before is the `next` of a page.')
  return { lsn: asLsn(lsn), seq: Number(seq) }
}

function placeOf(text: string): HistoryPlace {
  if (LSN.test(text)) return { lsn: asLsn(text) }
  const timeMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(timeMs))
    throw new TidemarkError('bad-input', 'at is an LSN of 16 hex digits, or a time such as 2026-11-26T09:00:00Z.')
  return { timeMs }
}
