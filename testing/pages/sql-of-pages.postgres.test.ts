import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../workers/database/index.ts'
import { readPage } from '../cli/read-guide.ts'
import { createDatabase, type TestDatabase } from '../postgres/create-database.ts'
import { servers } from '../postgres/servers.ts'
import { PAGES } from './write-modules.ts'

const SOME_ID = '00000000-0000-4000-8000-000000000001'
const EXAMPLE = fileURLToPath(new URL('../../examples/tracker/migrations/', import.meta.url))
const SCHEMA = readFileSync(new URL('./schema.sql', import.meta.url), 'utf8')

const read = (file: string) => readFileSync(join(EXAMPLE, file), 'utf8')
/** This one makes its table itself. */
const BEGINS_EMPTY = 'docs/getting-started.md'

/** README speaks of the example's tables, and a page's blocks go on from each other. */
const blocks = PAGES.map((page) => ({
  page,
  texts: readPage(page).filter(({ language }) => language === 'sql'),
})).filter(({ texts }) => texts.length > 0)

describe.each(blocks)('SQL of $page', ({ page, texts }) => {
  let owned: TestDatabase
  let database: Database
  beforeAll(async () => {
    owned = await createDatabase(servers().system)
    if (page === 'README.md') for (const file of globSync('*.sql', { cwd: EXAMPLE }).sort()) await owned.run(read(file))
    else if (page !== BEGINS_EMPTY) await owned.run(SCHEMA)
    database = await owned.open()
    await database.query('SET search_path = public')
  })
  afterAll(async () => {
    await database?.close()
    await owned?.drop()
  })

  it.each(texts)('CLI-R38 runs as it stands, from line $line', async ({ text }) => {
    const run = database.query(text.replaceAll('…', SOME_ID))
    await expect(run.then(() => 'done')).resolves.toBe('done')
  })
})
