import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeApp } from '../../testing/cli/make-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { runStoreSql } from './run-store-sql.ts'

const app = makeApp({
  'migrations/0001_item.sql': 'CREATE TABLE item (id text PRIMARY KEY);',
  'elsewhere/17 add rank.sql': 'ALTER TABLE item ADD rank int;\n',
  'elsewhere/17 add rank.down.sql': 'ALTER TABLE item DROP rank;\n',
  'elsewhere/wrong.sql': 'ALTER TABLE item ADD size no_such_type;',
  'elsewhere/wrong-back.sql': 'ALTER TABLE item ADD size int;',
  'elsewhere/wrong-back.down.sql': 'ALTER TABLE item DROP no_such_column;',
  'elsewhere/own.sql': 'BEGIN; ALTER TABLE item ADD size int; COMMIT;',
  'elsewhere/none.sql': '-- nothing\n',
  'elsewhere/none.txt': '',
})
let said: string[] = []
beforeEach(() => {
  said = []
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(text))
})
afterEach(() => void vi.restoreAllMocks())
afterAll(() => app.remove())

const store = (file: string, more: Readonly<Record<string, string>> = {}, ...switches: string[]) =>
  runStoreSql({
    argument: join(app.folder, 'elsewhere', file),
    values: { folder: app.folder, 'database-url': servers().embedded.adminUrl, ...more },
    switches: new Set(switches),
  })
const stored = () => readdirSync(join(app.folder, 'migrations')).sort()

test('MIG-17 CLI-R30 a dry run tries it, says what would be stored, and stores nothing', async () => {
  expect(await store('17 add rank.sql', {}, 'dry-run')).toBe(0)
  expect(said.join('\n')).toMatch(/Would write .*0002_add-rank\.sql:\n {2}ALTER TABLE item ADD rank int;/)
  expect(said.at(-1)).toBe('Nothing was stored.')
  expect(stored()).toEqual(['0001_item.sql'])
})

test('MIG-17 CLI-R30 a file from anywhere is stored as the next one, as it is and with what takes it back, once', async () => {
  expect(await store('17 add rank.sql')).toBe(0)
  expect(stored()).toEqual(['0001_item.sql', '0002_add-rank.down.sql', '0002_add-rank.sql'])
  expect(readFileSync(join(app.folder, 'migrations/0002_add-rank.sql'), 'utf8')).toBe(
    'ALTER TABLE item ADD rank int;\n',
  )
  said = []
  expect(await store('17 add rank.sql', { name: 'again' })).toBe(0)
  expect(said).toEqual(['0002_add-rank.sql holds this already: nothing to store.'])
})

test.each([
  ['wrong.sql', {}, /0003_wrong\.sql failed and left nothing behind: .*no_such_type/],
  ['wrong-back.sql', {}, /0003_wrong-back\.down\.sql failed and left nothing behind: .*no_such_column/],
  ['own.sql', {}, /holds BEGIN\. Remove it/],
  ['none.sql', {}, /holds no statement/],
  ['none.txt', {}, /give a file that ends in \.sql/],
  ['17 add rank.down.sql', {}, /give a file that ends in \.sql/],
  ['absent.sql', {}, /There is no file .*absent\.sql/],
  ['wrong.sql', { name: 'no name!' }, /no name! cannot name a file/],
])('MIG-17 CLI-R30 %s is refused with what is wrong, and nothing is stored', async (file, more, message) => {
  const before = stored()
  await expect(store(file, more)).rejects.toThrow(message)
  expect(stored()).toEqual(before)
})
