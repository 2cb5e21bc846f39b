import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test, vi } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { type AppEntities, loadEntities } from '../build/load-entities.ts'
import { applyFiles } from '../migrations/apply-migrations.ts'
import { compareFacts } from './compare-facts.ts'
import { makeEntityTables } from './entity-tables.ts'
import { withScratch } from './scratch.ts'
import { shownTable } from './step.ts'
import { readFacts, type SchemaFacts } from './table-facts.ts'

const TRACKER = fileURLToPath(new URL('../../examples/tracker', import.meta.url))

let app: AppEntities
let migrated: SchemaFacts
let wanted: SchemaFacts
beforeAll(async () => {
  vi.spyOn(console, 'log').mockImplementation(() => {})
  app = await loadEntities(TRACKER)
  await withScratch(servers().embedded.adminUrl, async (now, other) => {
    await applyFiles(now.query, `${TRACKER}/migrations`)
    migrated = await readFacts(now.query)
    wanted = await makeEntityTables(app, other, migrated.extensions)
  })
  vi.restoreAllMocks()
})

test('CLI-R20 the tracker’s migrations make what its entities say: nothing is missing, and nothing is left over', () => {
  const none = { labels: [], steps: [], questions: [], notes: [] }
  const choices = { renames: [], drops: [], keeps: [] }
  expect(compareFacts(migrated, wanted, choices)).toEqual(none)
  expect(migrated.tables.map(shownTable)).toEqual(wanted.tables.map(shownTable))
  expect(wanted.tables.map(shownTable)).toHaveLength(10)
  expect(migrated.enums).toEqual(wanted.enums)
})

test('DEF-R6 each of the tracker’s tables counts versions, but for those whose rows have none', () => {
  const without = migrated.tables.filter(({ versionTrigger }) => versionTrigger === null)
  expect(without.map(shownTable)).toEqual(['activity', 'issue_label'])
})
