import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Replica } from '../client/index.ts'
import { openReplicaOn } from '../client/open-replica.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { sync } from '../testing/values/sync.ts'
import type { Database } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/values/sync.ts', import.meta.url),
  migrations: new URL('../testing/values/migrations/', import.meta.url),
}

type Writer = Replica<typeof sync>

// The embedded server is read by pgoutput, the distribution's by wal2json.
describe.each(['embedded', 'system'] as const)('values that only the server makes, on the %s Postgres', (postgres) => {
  let system: System
  let database: Database

  beforeAll(async () => {
    system = await startSystem({ app, postgres })
    database = await system.openDatabase()
  })
  afterAll(async () => {
    await database?.close()
    await system?.dispose()
  })

  async function open(org: string): Promise<Writer> {
    const token = () => system.token({ userId: 'ann', audiences: [`org:${org}`] })
    const replica = await openReplicaOn(
      { url: system.url, user: 'ann', token, sync, storage: 'memory://' },
      openPreparedDatabase,
    )
    onTestFinished(() => replica.close())
    await replica.ready
    await replica.settled()
    return replica
  }

  const one = async (replica: Writer, name: string, id: string) =>
    (await replica.db.query<Record<string, unknown>>(`SELECT * FROM ${name} WHERE id = $1`, [id])).rows[0]

  /** What the replica holds of a table is what Postgres holds. */
  async function expectEqual(replica: Writer, name: string, org: string): Promise<void> {
    await replica.settled()
    const rows = `SELECT to_json(t)::text AS row FROM public.${name} t WHERE org_id = $1 ORDER BY id`
    const { rows: held } = await replica.db.query(rows, [org])
    expect(held).toEqual(await database.query(rows, [org]))
    expect(replica.status).toMatchObject({ pending: 0, failed: 0 })
  }

  it('FLD-50 VAL-R1 what triggers fill in may be left out in the page, and comes from the server', async () => {
    const ann = await open('film')
    ann.goOffline()
    const [plain, given, several] = [randomUUID(), randomUUID(), randomUUID()]
    await ann.db.query(`INSERT INTO film (id, org_id, title) VALUES ($1, 'film', 'The Third Man')`, [plain])
    await ann.db.query(`INSERT INTO film (id, org_id, title, slug) VALUES ($1, 'film', 'M', 'em')`, [given])
    await ann.db.query(
      `INSERT INTO film (id, org_id, title, slug, state, number) VALUES ($1, 'film', 'Ran', DEFAULT, NULL, DEFAULT),
        ('${randomUUID()}', 'film', 'Stalker', 'stalker', DEFAULT, DEFAULT)`,
      [several],
    )
    expect(await one(ann, 'film', plain)).toMatchObject({ slug: null, words: null, state: 'open', number: null })
    ann.goOnline()
    await expectEqual(ann, 'film', 'film')
    expect(await one(ann, 'film', plain)).toMatchObject({ slug: 'the-third-man', words: "'man':3 'the':1 'third':2" })
    expect(await one(ann, 'film', given)).toMatchObject({ slug: 'em', state: 'open' })
    expect(await one(ann, 'film', several)).toMatchObject({ slug: 'ran', state: 'unknown' })
    await ann.db.query(`UPDATE film SET title = 'Kagemusha', slug = NULL WHERE id = $1`, [several])
    await expectEqual(ann, 'film', 'film')
    expect(await one(ann, 'film', several)).toMatchObject({ slug: 'kagemusha', words: "'kagemusha':1" })
  })

  it('FLD-51 VAL-R2 what a domain fills in is never sent as NULL', async () => {
    const ann = await open('part')
    const id = randomUUID()
    await ann.db.query(`INSERT INTO part (id, org_id, title) VALUES ($1, 'part', 'bolt')`, [id])
    expect(await one(ann, 'part', id)).toMatchObject({ code: 'n/a', strict: 'none', made: null })
    await ann.db.query(`INSERT INTO part (id, org_id, code) VALUES ('${randomUUID()}', 'part', NULL)`)
    await expectEqual(ann, 'part', 'part')
    expect(await one(ann, 'part', id)).toMatchObject({ code: 'n/a', made: expect.stringMatching(/^[0-9a-f]{12}$/) })
    const nulls = await database.query(`SELECT id FROM public.part WHERE code IS NULL`)
    expect(nulls).toHaveLength(1)
  })
})
