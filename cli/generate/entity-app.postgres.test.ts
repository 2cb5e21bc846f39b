import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { runCommand } from '../../testing/cli/run-command.ts'
import { makeEntityApp, TRACKER_ENTITIES } from '../../testing/entities/entity-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { openPushFixture, type PushFixture } from '../../testing/push/push-fixture.ts'
import { insertOf, TestClient, updateOf } from '../../testing/push/test-client.ts'
import { loadSync } from '../app/load-module.ts'

const pathOf = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
const DB = pathOf('../../db/index.ts')
const app = makeEntityApp(TRACKER_ENTITIES, {
  'sync.ts': `import { z } from '${fileURLToPath(import.meta.resolve('zod'))}'
import { action, defineSync } from '${DB}'
import { tables } from './sync-tables.ts'
export const sync = defineSync({ tables, actions: {
  retitle: action(z.object({ id: z.uuid(), title: z.string() }), async ({ sql }, { id, title }) => {
    await sql\`UPDATE issue SET title = \${title} WHERE id = \${id}\`
  }),
} })
`,
})
let database: EmptyDatabase
let fixture: PushFixture
beforeAll(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  database = await createEmptyDatabase(servers().embedded)
  expect(await runCommand(['build', app.folder])).toMatchObject({ code: 0, stderr: '' })
  // The app has no packages, so that it imports by path.
  const tables = readFileSync(join(app.folder, 'sync-tables.ts'), 'utf8')
    .replace("'drizzle-orm'", `'${fileURLToPath(import.meta.resolve('drizzle-orm'))}'`)
    .replace("'drizzle-orm/pg-core'", `'${fileURLToPath(import.meta.resolve('drizzle-orm/pg-core'))}'`)
    .replace("'tidemark/db'", `'${DB}'`)
  app.write({ 'sync-tables.ts': tables })
})
afterAll(async () => {
  vi.restoreAllMocks()
  await fixture?.drop()
  await database.drop()
  app.remove()
})

test('CLI-R17 CLI-R20 entities become tables and a definition in force, by the embedded Postgres', async () => {
  const made = await runCommand(['migration:generate', 'first', '--folder', app.folder])
  expect(made).toMatchObject({ code: 0, stderr: '' })
  const migrated = await runCommand(['migrate', app.folder], { DATABASE_URL: database.url })
  expect(migrated).toMatchObject({ code: 0, stderr: '' })
  expect(migrated.stdout).toContain('Applied 0001_first.sql')
  const [inForce] = await database.query(
    'SELECT definition::text AS definition FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1',
  )
  const { tables } = JSON.parse(inForce?.definition ?? '{}')
  expect(tables.map(({ id, priority, write }: Record<string, unknown>) => [id, priority, write])).toEqual([
    ['public.project', 10, undefined],
    ['public.issue', 100, 'all'],
  ])
  expect(inForce?.definition).toContain('updated_at')
  expect(inForce?.definition).not.toContain('secret')
})

test('DEF-R6 what a replica writes, as a patch or an action, is counted by the server', async () => {
  const schema = readFileSync(join(app.folder, 'migrations/0001_first.sql'), 'utf8')
  const sync = await loadSync(join(app.folder, 'sync.ts'))
  fixture = await openPushFixture(servers().system, { schema, sync })
  const client = new TestClient(fixture.send)
  const [project] = await fixture.database.query(
    `INSERT INTO project (org_id, name) VALUES ('${ORG_A}', 'Fieldnote') RETURNING id`,
  )
  const id = randomUUID()
  const row = { id, org_id: ORG_A, title: 'One', state: 'open', labels: '{}', project_id: project?.id ?? null }
  expect(await client.decide(client.patch([insertOf('public.issue', row)]))).toEqual(['committed'])
  expect(await fixture.row('issue', id)).toMatchObject({ title: 'One', version: '1' })
  await client.decide(client.patch([updateOf('public.issue', id, { title: ['Two', 'One'] })]))
  expect(await fixture.row('issue', id)).toMatchObject({ title: 'Two', version: '2' })
  await client.decide(client.action('retitle', { id, title: 'Three' }))
  const after = await fixture.row('issue', id)
  expect(after).toMatchObject({ title: 'Three', version: '3' })
  expect(after?.updated_at).not.toBe(after?.created_at)
})
