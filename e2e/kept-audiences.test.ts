import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openReplica, type Replica } from '../client/index.ts'
import { PATH_ROWS, sync as pathSync } from '../testing/audiences/path-app.ts'
import { PATH_MIGRATIONS } from '../testing/audiences/path-schema.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { type Database, withDatabase } from '../workers/database/index.ts'

const TABLES = ['project', 'issue', 'comment', 'page']

describe('audiences by path and by condition', () => {
  let system: System
  let database: Database
  const replicas: Record<string, Replica> = {}

  const fill = (query: Database['query']) =>
    PATH_ROWS.split('--> statement-breakpoint').reduce(
      async (before, statement) => {
        await before
        await query(statement)
      },
      query('SET search_path = public, pg_catalog').then(() => {}),
    )
  beforeAll(async () => {
    system = await startSystem({
      app: {
        sync: pathSync,
        syncModule: new URL('../testing/audiences/path-app.ts', import.meta.url),
        migrations: PATH_MIGRATIONS,
      },
      seed: (env) => withDatabase(env, ({ query }) => fill(query)),
    })
    database = await system.openDatabase()
    await database.query('SET search_path = public, pg_catalog')
    for (const org of ['a', 'b']) {
      const token = () => system.token({ userId: `of-${org}`, audiences: [`org:${org}`] })
      replicas[org] = await openReplica({
        url: system.url,
        user: `of-${org}`,
        token,
        sync: pathSync,
        storage: 'memory://',
      })
      await replicas[org].ready
    }
  })
  afterAll(async () => {
    for (const replica of Object.values(replicas)) await replica.close()
    await database?.close()
    await system?.dispose()
  })
  beforeEach(async () => {
    await database.query('TRUNCATE project, issue, comment, page')
    await fill(database.query)
    await compare()
  })

  const of = (org: string): Replica => {
    const found = replicas[org]
    if (!found) throw new Error(`No replica of ${org}.`)
    return found
  }
  const COMPUTED: Record<string, string> = {
    project: 'org',
    issue: `CASE WHEN deleted_at IS NULL THEN (SELECT org FROM project p WHERE p.id = project_id) END`,
    comment: `(SELECT CASE WHEN i.deleted_at IS NULL THEN (SELECT org FROM project p WHERE p.id = i.project_id) END FROM issue i WHERE i.id = issue_id)`,
    page: `CASE WHEN state = 'public' THEN org END`,
  }
  /** Compares each replica with what the path says, computed anew. */
  async function compare() {
    for (const org of Object.keys(replicas)) {
      await of(org).settled()
      for (const name of TABLES) {
        const wanted = await database.query(`SELECT id::text FROM ${name} WHERE ${COMPUTED[name]} = $1 ORDER BY id`, [
          org,
        ])
        const { rows } = await of(org).db.query(`SELECT id::text FROM ${name} ORDER BY id`)
        expect([name, org, rows]).toEqual([name, org, wanted])
      }
    }
  }
  const local = async (org: string, name: string) => {
    const { rows } = await of(org).db.query<{ id: number; tidemark_audience: string | null }>(
      `SELECT id, tidemark_audience FROM ${name} ORDER BY id`,
    )
    return Object.fromEntries(rows.map(({ id, tidemark_audience: audience }) => [id, audience]))
  }
  /** Ends with the error by which the server, or the replica, refused. */
  const refusedBy = async (work: Promise<{ confirmed: Promise<unknown> }>) => {
    const error = await work.then(
      ({ confirmed }) =>
        confirmed.then(
          () => null,
          (one: unknown) => one,
        ),
      (one: unknown) => one,
    )
    return error as { rejection?: unknown; code?: string } | null
  }

  it('AUD-R2 FLD-145 what others write moves rows with their parents, and hides and shows them', async () => {
    await database.query(`UPDATE project SET org = 'b' WHERE id = 1`)
    await compare()
    await database.query(`UPDATE issue SET deleted_at = now() WHERE id IN (11, 21)`)
    await compare()
    await database.query(`UPDATE issue SET deleted_at = NULL; UPDATE page SET state = 'public'`.split(';')[0] ?? '')
    await database.query(`UPDATE page SET state = 'public' WHERE id = 2`)
    await database.query(`UPDATE project SET org = 'a' WHERE id = 3`)
    await compare()
    expect(await local('b', 'comment')).toEqual({ 111: 'b', 121: 'b', 211: 'b' })
  })

  it('AUD-R6 FLD-148 a replica gives its rows the audience of the parent that it holds, and the server’s stands', async () => {
    const { confirmed } = await of('a').transaction(async (tx) => {
      await tx.query(`INSERT INTO issue (id, project_id, title) VALUES (13, 1, 'mine')`)
      await tx.query(`INSERT INTO comment (id, issue_id, body) VALUES (131, 13, 'mine')`)
      await tx.query(`INSERT INTO page (id, org, state) VALUES (4, 'a', 'public')`)
    })
    expect(await local('a', 'issue')).toMatchObject({ 13: 'a' })
    expect(await local('a', 'comment')).toMatchObject({ 131: 'a' })
    expect(await local('a', 'page')).toMatchObject({ 4: 'a' })
    await confirmed
    await compare()
    expect(await local('a', 'comment')).toMatchObject({ 131: 'a' })
    await of('a').db.query(`UPDATE comment SET body = 'again' WHERE id = 131`)
    await of('a').db.query(`UPDATE comment SET issue_id = 11 WHERE id = 131`)
    await compare()
    expect(await database.query(`SELECT issue_id::text AS issue, body FROM comment WHERE id = 131`)).toEqual([
      { issue: '11', body: 'again' },
    ])
  })

  it('AUD-R6 FLD-148 a row that its own write hides stays until the server has it, and then is gone with its children', async () => {
    await of('a').goOffline()
    await of('a').db.query(`UPDATE issue SET deleted_at = '2026-01-01' WHERE id = 11`)
    await of('a').db.query(`UPDATE page SET state = 'draft' WHERE id = 1`)
    expect(await local('a', 'issue')).toEqual({ 11: null })
    expect(await local('a', 'comment')).toEqual({ 111: null })
    await of('a').goOnline()
    await compare()
    expect(await local('a', 'issue')).toEqual({})
    expect(of('a').failures).toEqual([])
    expect((await database.query(`SELECT state FROM page WHERE id = 1`))[0]?.state).toBe('draft')
    await database.query('UPDATE issue SET deleted_at = NULL WHERE id = 11')
    await compare()
  })

  it('AUD-R7 nobody writes a row that he would not see, here or there', async () => {
    const insert = (text: string) => refusedBy(of('a').transaction((tx) => tx.query(text)))
    for (const text of [
      `INSERT INTO comment (id, issue_id) VALUES (900, 21)`,
      `INSERT INTO comment (id) VALUES (900)`,
      `INSERT INTO page (id, org, state) VALUES (900, 'a', 'draft')`,
    ])
      expect(await insert(text), text).toMatchObject({ code: '42501' })
    const moved = await refusedBy(
      of('a').transaction((tx) => tx.query(`UPDATE comment SET issue_id = 21 WHERE id = 111`)),
    )
    expect(moved).toMatchObject({ rejection: { kind: 'forbidden' } })
    const given = await refusedBy(
      of('a').transaction((tx) => tx.query(`UPDATE page SET org = 'b', state = 'draft' WHERE id = 1`)),
    )
    expect(given).toMatchObject({ rejection: { kind: 'forbidden' } })
    await compare()
    expect(await database.query(`SELECT issue_id::text AS issue FROM comment WHERE id = 111`)).toEqual([
      { issue: '11' },
    ])
  })

  it('AUD-R6 work on a row whose parent moved meanwhile is refused, and the row goes', async () => {
    await of('a').goOffline()
    const { confirmed } = await of('a').transaction((tx) => tx.query(`UPDATE comment SET body = 'late' WHERE id = 111`))
    const added = await of('a').transaction((tx) => tx.query(`INSERT INTO comment (id, issue_id) VALUES (112, 11)`))
    const ended = Promise.allSettled([confirmed, added.confirmed])
    await database.query(`UPDATE project SET org = 'b' WHERE id = 1`)
    await of('a').goOnline()
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await compare()
    expect(await database.query(`SELECT body FROM comment WHERE issue_id = 11`)).toEqual([{ body: 'c' }])
  })
})
