import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Replica } from '../client/index.ts'
import { openReplicaOn } from '../client/open-replica.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { namesOf, rowsOf } from '../testing/values/every-type.ts'
import { SAMPLED, sync } from '../testing/values/sync.ts'
import type { Database } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/values/sync.ts', import.meta.url),
  migrations: new URL('../testing/values/migrations/', import.meta.url),
}

type Writer = Replica<typeof sync>

// Capture reads the embedded server by pgoutput, the distribution's by wal2json.
// What a decoder reads is tried with every decoder beside the capture, and values by both in the oracle.
describe.each(['system'] as const)('values that only the server makes, on the %s Postgres', (postgres) => {
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

  async function open(...orgs: string[]): Promise<Writer> {
    const token = () => system.token({ userId: 'ann', audiences: orgs.map((org) => `org:${org}`) })
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

  /** Expects that the replica holds the same rows of a table as Postgres. */
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

  it('FLD-55 VAL-R4 VAL-R5 what the server generates travels: read, inserted, updated, undone, and never written here', async () => {
    const [there, here] = [randomUUID(), randomUUID()]
    await database.query(
      `INSERT INTO public.page (id, org_id, body, long) SELECT $1::text::uuid, 'page', 'Hello There', string_agg(md5(i::text), '') FROM generate_series(1, 300) i`,
      [there],
    )
    const ann = await open('page')
    expect(await one(ann, 'page', there)).toMatchObject({ words: "'hello':1 'there':2", low: 'hello there!', size: 11 })
    ann.goOffline()
    await ann.db.query(`INSERT INTO page (id, org_id, body) VALUES ($1, 'page', 'Mine')`, [here])
    await ann.db.query(`UPDATE page SET body = 'Other' WHERE id = $1`, [there])
    expect(await one(ann, 'page', here)).toMatchObject({ words: null, low: null, size: 4 })
    expect(await one(ann, 'page', there)).toMatchObject({ low: 'hello there!', size: 5 })
    ann.goOnline()
    await expectEqual(ann, 'page', 'page')
    expect(await one(ann, 'page', here)).toMatchObject({ words: "'mine':1", low: 'mine!' })
    expect(await one(ann, 'page', there)).toMatchObject({ words: "'other':1", low: 'other!' })

    await expect(ann.db.query(`UPDATE page SET low = 'x' WHERE id = $1`, [here])).rejects.toMatchObject({
      code: '428C9',
    })
    await database.query(`UPDATE public.page SET body = NULL WHERE id = $1::text::uuid`, [here])
    await expectEqual(ann, 'page', 'page')
    expect(await one(ann, 'page', here)).toMatchObject({ words: '', low: '!', size: null })
    await ann.transaction((tx) => tx.query('DELETE FROM page WHERE id = $1', [there]))
    await expectEqual(ann, 'page', 'page')
    await ann.undo()
    await expectEqual(ann, 'page', 'page')
    expect(await one(ann, 'page', there)).toMatchObject({ low: 'other!' })
  })

  it('FLD-57 VAL-R7 whose a row is may be left to a trigger, which gives it to nobody whom its author is not among', async () => {
    const [own, foreign] = [randomUUID(), randomUUID()]
    const film = (id: string, org: string) =>
      database.query(`INSERT INTO public.film (id, org_id, title) VALUES ($1::text::uuid, $2, 'Film')`, [id, org])
    await film(own, 'clip')
    await film(foreign, 'clip-of-others')
    const ann = await open('clip')
    ann.goOffline()
    const [first, second, gone] = [randomUUID(), randomUUID(), randomUUID()]
    await ann.db.query(`INSERT INTO clip (id, film_id, note) VALUES ($1, $2, 'a'), ($3, $2, 'b')`, [first, own, gone])
    await ann.transaction((tx) => tx.query(`INSERT INTO clip (id, film_id) VALUES ($1, $2)`, [second, own]))
    await ann.transaction((tx) => tx.query(`UPDATE clip SET note = 'c' WHERE id = $1`, [second]))
    await ann.transaction((tx) => tx.query('DELETE FROM clip WHERE id = $1', [gone]))
    expect(await one(ann, 'clip', first)).toMatchObject({ org_id: null, note: 'a' })
    ann.goOnline()
    await expectEqual(ann, 'clip', 'clip')
    expect(await one(ann, 'clip', second)).toMatchObject({ org_id: 'clip', note: 'c' })
    const { confirmed } = await ann.transaction((tx) =>
      tx.query('INSERT INTO clip (id, film_id) VALUES ($1, $2)', [randomUUID(), foreign]),
    )
    await expect(confirmed).rejects.toMatchObject({ rejection: { kind: 'forbidden' } })
    expect(await database.query(`SELECT id FROM public.clip WHERE org_id = 'clip-of-others'`)).toEqual([])
    await expect(
      ann.db.query(`INSERT INTO clip (id, org_id, film_id) VALUES ($1, 'clip-of-others', $2)`, [randomUUID(), own]),
    ).rejects.toMatchObject({ code: '42501' })
  })

  it('OPS-08 CHK-R8 rows of every type, loaded and streamed, and all that was written above differ nowhere from the server\u2019s', async () => {
    const used = namesOf(SAMPLED)
    const insert = async (from: number) => {
      for (const [index, values] of rowsOf(SAMPLED).entries())
        await database.query(
          `INSERT INTO public.sample (id, org_id, ${used}) VALUES (${from + index}, 'sample', ${used.map((_, at) => `$${at + 1}`)})`,
          values,
        )
    }
    await insert(1)
    const ann = await open('film', 'clip', 'page', 'part', 'sample')
    await insert(11)
    await expectEqual(ann, 'sample', 'sample')
    const report = await ann.check()
    expect(report).toMatchObject({ differed: [], undecided: [] })
    const [count] = await database.query(
      `SELECT ((SELECT count(*) FROM public.film WHERE org_id IN ('film', 'clip')) + (SELECT count(*) FROM public.clip WHERE org_id = 'clip')
        + (SELECT count(*) FROM public.page) + (SELECT count(*) FROM public.part) + (SELECT count(*) FROM public.sample))::text AS rows`,
    )
    expect(report.rows).toBe(Number(count?.rows))
    // A value of each type that is another is found: none of them is left out of what is added up.
    for (const column of used) {
      await ann.db.transaction(async (tx) => {
        await tx.exec(
          `SET LOCAL session_replication_role = replica; UPDATE public.sample SET ${column} = NULL WHERE id = 11`,
        )
      })
    }
    expect(await ann.check()).toMatchObject({ differed: ['public.sample'], undecided: [] })
    await ann.settled()
    await expectEqual(ann, 'sample', 'sample')
  })
})
