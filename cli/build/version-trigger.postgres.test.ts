import { DataSource, type EntityTarget, type ObjectLiteral, OptimisticLockVersionMismatchError } from 'typeorm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeEntityApp, TRACKER_ENTITIES } from '../../testing/entities/entity-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { loadEntities } from './load-entities.ts'
import { dataSourceOptions } from './read-metadata.ts'
import { hasVersionTrigger, VERSION_FUNCTION_SQL, versionTriggerSql } from './version-trigger.ts'

type Kept = {
  id: string
  orgId: string
  title: string
  settings: ObjectLiteral | null
  project: ObjectLiteral
  version: number
  updatedAt: Date
}

const ORG = '00000000-0000-4000-8000-000000000001'
const LONG_AGO = '2001-01-01 00:00:00+00'

describe.each(['embedded', 'system'] as const)('version and updated_at on %s Postgres', (server) => {
  const app = makeEntityApp(TRACKER_ENTITIES)
  let database: EmptyDatabase
  let source: DataSource
  let issues: EntityTarget<Kept>
  let project: ObjectLiteral

  beforeAll(async () => {
    database = await createEmptyDatabase(servers()[server])
    const entities = await loadEntities(app.folder)
    source = new DataSource({ ...dataSourceOptions(entities), url: database.url, synchronize: true })
    await source.initialize()
    await source.query(VERSION_FUNCTION_SQL)
    for (const metadata of source.entityMetadatas.filter(hasVersionTrigger))
      await source.query(versionTriggerSql(metadata))
    issues = source.getMetadata('Issue').target as EntityTarget<Kept>
    project = await source.getRepository('Project').save({ orgId: ORG, name: 'Fieldnote' })
  })
  afterAll(async () => {
    await source?.destroy()
    await database?.drop()
    app.remove()
  })

  /** Makes an issue that was last changed long ago. */
  async function anIssue(): Promise<Kept> {
    const saved = await source.getRepository(issues).save({ orgId: ORG, title: 'One', settings: { a: 1 }, project })
    await sql('ALTER TABLE issue DISABLE TRIGGER version_counted')
    await sql(`UPDATE issue SET updated_at = '${LONG_AGO}' WHERE id = '${saved.id}'`)
    await sql('ALTER TABLE issue ENABLE TRIGGER version_counted')
    return stored(saved.id)
  }
  const sql = (text: string) => source.query(text)
  const stored = (id: string) => source.getRepository(issues).findOneByOrFail({ id })
  const isNew = (date: Date) => date.getFullYear() > 2001

  it('DEF-R6 a row begins with version 1, by TypeORM and by SQL', async () => {
    expect((await anIssue()).version).toBe(1)
    const [row] = await sql(
      `INSERT INTO issue (org_id, title, project_id) VALUES ('${ORG}', 'By SQL', '${project.id}') RETURNING version`,
    )
    expect(row.version).toBe(1)
  })

  it('DEF-R6 what TypeORM counts itself is counted once, and its entity knows the result', async () => {
    const issue = await anIssue()
    issue.title = 'Two'
    const saved = await source.getRepository(issues).save(issue)
    expect([saved.version, isNew(saved.updatedAt)]).toEqual([2, true])
    await source.getRepository(issues).update({ id: issue.id }, { title: 'Three' })
    const after = await stored(issue.id)
    expect([after.version, after.title]).toEqual([3, 'Three'])
    expect(after.updatedAt.getTime()).toBeGreaterThanOrEqual(saved.updatedAt.getTime())
  })

  it('DEF-R6 an upsert, which TypeORM does not count, is counted', async () => {
    const issue = await anIssue()
    await source.getRepository(issues).upsert({ id: issue.id, orgId: ORG, title: 'Again', project }, ['id'])
    const after = await stored(issue.id)
    expect([after.title, after.version, isNew(after.updatedAt)]).toEqual(['Again', 2, true])
  })

  it('DEF-R6 plain SQL is counted, each statement that changes the row once', async () => {
    const issue = await anIssue()
    await sql(`UPDATE issue SET title = 'By SQL' WHERE id = '${issue.id}'`)
    const once = await stored(issue.id)
    expect([once.version, isNew(once.updatedAt)]).toEqual([2, true])
    await sql(`UPDATE issue SET settings = '{"a": 2}' WHERE id = '${issue.id}'`)
    expect((await stored(issue.id)).version).toBe(3)
  })

  it('DEF-R6 a statement that changes nothing counts nothing, with json and a generated column in the row', async () => {
    const issue = await anIssue()
    await sql(`UPDATE issue SET title = title, settings = settings WHERE id = '${issue.id}'`)
    expect(await stored(issue.id)).toEqual(issue)
    await sql(`UPDATE project SET name = name WHERE id = '${project.id}'`)
    const [row] = await sql(`SELECT version FROM project WHERE id = '${project.id}'`)
    expect(row.version).toBe(1)
  })

  it('DEF-R6 no writer turns the version back or ahead; a time that it writes stays', async () => {
    const issue = await anIssue()
    await sql(
      `UPDATE issue SET title = 'Forged', version = 2147483647, updated_at = '2002-02-02 00:00:00+00' WHERE id = '${issue.id}'`,
    )
    const after = await stored(issue.id)
    expect([after.version, after.updatedAt.getUTCFullYear()]).toEqual([2, 2002])
    await sql(`UPDATE issue SET title = 'Back', version = 1 WHERE id = '${issue.id}'`)
    expect((await stored(issue.id)).version).toBe(3)
  })

  it('DEF-R6 an entity saved over a change that came after it was read turns neither version nor time back', async () => {
    const { id } = await anIssue()
    const [first, second] = [await stored(id), await stored(id)]
    first.title = 'First'
    const { updatedAt } = await source.getRepository(issues).save(first)
    second.title = 'Second'
    await source.getRepository(issues).save(second)
    const after = await stored(id)
    expect([after.title, after.version]).toEqual(['Second', 3])
    expect(after.updatedAt.getTime()).toBeGreaterThanOrEqual(updatedAt.getTime())
  })

  it('DEF-R6 AUD-R2 a row that moves with its parent is not counted', async () => {
    const issue = await anIssue()
    await sql('ALTER TABLE issue ADD COLUMN tidemark_audience uuid')
    const trigger = versionTriggerSql(source.getMetadata('Issue'))
    await sql(trigger.replace('version_counted', 'version_of_kept').replace(/\)$/, ", 'tidemark_audience')"))
    await sql('ALTER TABLE issue DISABLE TRIGGER version_counted')
    await sql(`UPDATE issue SET tidemark_audience = gen_random_uuid() WHERE id = '${issue.id}'`)
    expect((await stored(issue.id)).version).toBe(1)
    await sql(`UPDATE issue SET title = 'Two' WHERE id = '${issue.id}'`)
    expect((await stored(issue.id)).version).toBe(2)
    await sql('DROP TRIGGER version_of_kept ON issue; ALTER TABLE issue ENABLE TRIGGER version_counted')
    await sql('ALTER TABLE issue DROP COLUMN tidemark_audience')
  })

  it('DEF-R6 optimistic locking of TypeORM sees what SQL wrote', async () => {
    const issue = await anIssue()
    await sql(`UPDATE issue SET title = 'By another' WHERE id = '${issue.id}'`)
    const locked = source
      .getRepository(issues)
      .findOne({ where: { id: issue.id }, lock: { mode: 'optimistic', version: issue.version } })
    await expect(locked).rejects.toThrow(OptimisticLockVersionMismatchError)
  })
})
