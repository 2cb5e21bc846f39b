import { afterAll, expect, test } from 'vitest'
import { makeApp } from '../../testing/cli/make-app.ts'
import { readAppMigrations } from './app-migrations.ts'
import { readMigrationFiles } from './migration-file.ts'

const apps: (() => void)[] = []
afterAll(() => {
  for (const remove of apps) remove()
})

function folderOf(files: Readonly<Record<string, string>>): string {
  const app = makeApp(files)
  apps.push(app.remove)
  return app.folder
}

test.each([
  ['1732000000000-AddRank.js', 'module.exports = class AddRank { async up(queryRunner) {} }'],
  ['20241119_rank.mjs', 'export const up = async (db) => {}'],
  ['1732000000000-Two.ts', 'export class A { up() {} down() {} }\nexport class B { up() {} down() {} }'],
])(
  'MIG-15 CLI-R4 a migration by code of another kind is refused and says where its SQL goes, rather than passed over: %s',
  async (name, text) => {
    const folder = folderOf({ '0001_task.sql': 'SELECT 1', [name]: text })
    await expect(readAppMigrations(folder)).rejects.toThrow(
      new RegExp(`^${name} is a migration by code, and not one class with up\\(\\) and down\\(\\)`),
    )
  },
)

test('MIG-15 CLI-R4 a folder that holds a migration is refused', () => {
  const folder = folderOf({ '20241119_rank/migration.sql': 'SELECT 1' })
  expect(() => readMigrationFiles(folder)).toThrow('20241119_rank/migration.sql would not run')
})

test('MIG-15 other files beside migrations are nobody’s migration', async () => {
  const folder = folderOf({
    '0001_task.sql': 'SELECT 1',
    'README.md': 'up(',
    'seed.ts': 'export async function setup() {}',
    'meta/0000_snapshot.json': '{}',
  })
  expect((await readAppMigrations(folder)).map(({ name }) => name)).toEqual(['0001_task.sql'])
})

const journalOf = (...tags: string[]) =>
  JSON.stringify({ version: '7', entries: tags.map((tag, idx) => ({ idx, tag })) })

test('MIG-15 files of drizzle-kit and others run together where the order of names is that of its journal', () => {
  const folder = folderOf({
    '0000_task.sql': 'SELECT 1',
    '0001_rank.sql': 'SELECT 1',
    '0002_by_hand.sql': 'SELECT 1',
    'meta/_journal.json': journalOf('0000_task', '0001_rank'),
  })
  expect(readMigrationFiles(folder)).toHaveLength(3)
})

test.each([
  [journalOf('0000_task', '0001_gone'), '0001_gone.sql is in drizzle-kit'],
  [journalOf('wild_task', '0000_task'), '0000_task.sql comes after wild_task.sql in drizzle-kit'],
  ['<<<<<<< HEAD', 'meta/_journal.json cannot be read'],
])('MIG-15 CLI-R4 a journal of drizzle-kit that the files contradict is refused: %s', (journal, said) => {
  const folder = folderOf({ '0000_task.sql': 'SELECT 1', 'wild_task.sql': 'SELECT 1', 'meta/_journal.json': journal })
  expect(() => readMigrationFiles(folder)).toThrow(said)
})
