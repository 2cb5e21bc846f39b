import { afterAll, beforeAll, expect, test } from 'vitest'
import { useEmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { applyMigrations } from '../migrations/apply-migrations.ts'
import { loadSync } from './load-module.ts'
import { seedApp } from './seed-app.ts'

const app = makeApp()
const database = useEmptyDatabase(servers().embedded)
beforeAll(async () => {
  const sync = await loadSync(`${app.folder}/sync.ts`)
  await withDatabase(env(), (open) => applyMigrations(open, `${app.folder}/migrations`, sync))
})
afterAll(() => app.remove())
const env = () => ({ DATABASE_URL: database.url, DATABASE_PROXY: servers().embedded.proxy })
const seed = (name: string) => withDatabase(env(), (open) => seedApp(open, `${app.folder}/${name}`))
const count = async () => (await database.query('SELECT count(*)::text AS rows FROM public.note'))[0]?.rows
const INSERT = "INSERT INTO note VALUES (gen_random_uuid(), 'red', 'hello')"

test('CLI-R6 a seed that fails leaves nothing behind; rows that are there keep it from running', async () => {
  app.write({ 'broken.sql': `${INSERT}; SELECT nope`, 'seed.sql': INSERT })
  await expect(seed('broken.sql')).rejects.toThrow(
    'broken.sql failed and left nothing behind: column "nope" does not exist',
  )
  expect(await count()).toBe('0')
  await database.query(INSERT.replace('note', 'public.note'))
  expect(await seed('seed.sql')).toBe('tables hold rows')
  expect(await count()).toBe('1')
})

test('OPS-05 CLI-R6 a seed module runs once, though its rows are deleted later', async () => {
  await database.query('DELETE FROM public.note')
  app.write({
    'seed.ts': `export default async (query: (text: string) => Promise<unknown>) => { await query(\`${INSERT}\`) }`,
  })
  expect(await seed('seed.ts')).toBe('seeded')
  expect(await count()).toBe('1')
  await database.query('DELETE FROM public.note')
  expect(await seed('seed.ts')).toBe('seeded before')
  expect(await count()).toBe('0')
})

test('CLI-R6 a seed module without a default function is refused', async () => {
  app.write({ 'nothing.ts': 'export const seed = 1' })
  await expect(seed('nothing.ts')).rejects.toThrow('must export default async function (query)')
})
