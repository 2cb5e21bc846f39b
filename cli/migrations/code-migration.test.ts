import { afterAll, expect, test } from 'vitest'
import { makeApp } from '../../testing/cli/make-app.ts'
import { readAppMigrations } from './app-migrations.ts'
import { readCodeMigration } from './code-migration.ts'

const apps: (() => void)[] = []
afterAll(() => {
  for (const remove of apps) remove()
})

function folderOf(files: Readonly<Record<string, string>>): string {
  const app = makeApp(files)
  apps.push(app.remove)
  return app.folder
}

const NAME = '1732000000000-AddRank.ts'
/** As TypeORM's own `migration:generate` writes a class, around this body of `up`. */
const classOf = (up: string, down = '') => `import { MigrationInterface, QueryRunner } from "typeorm";

export class AddRank1732000000000 implements MigrationInterface {
    name = 'AddRank1732000000000'

    public async up(queryRunner: QueryRunner): Promise<void> {
        ${up}
    }

    public async down(queryRunner: QueryRunner): Promise<void> {
        ${down}
    }
}
`
const read = (up: string, down?: string, direction?: 'up' | 'down') =>
  readCodeMigration(folderOf({ [NAME]: classOf(up, down) }), NAME, direction)

test('MIG-15 CLI-R29 a class of TypeORM is recorded without a database, parameters included, both ways', async () => {
  const up =
    'await queryRunner.query(`ALTER TABLE "task" ADD "rank" integer`); ' +
    'await queryRunner.query("UPDATE task SET rank = $1, made = $2, more = $3", [7, new Date(0), { a: [1] }]);'
  const down = 'await queryRunner.query(`ALTER TABLE "task" DROP COLUMN "rank"`)'
  expect(await read(up, down)).toMatchObject({
    name: NAME,
    statements: ['ALTER TABLE "task" ADD "rank" integer', 'UPDATE task SET rank = $1, made = $2, more = $3'],
    parameters: [[], [7, '1970-01-01T00:00:00.000Z', '{"a":[1]}']],
    compatibility: null,
  })
  expect((await read(up, down, 'down')).statements).toEqual(['ALTER TABLE "task" DROP COLUMN "rank"'])
})

test('MIG-15 CLI-R29 what TypeORM compiles to, and a class that is the default, are read too', async () => {
  const compiled = `const { MigrationInterface, QueryRunner } = require("typeorm");
module.exports = class AddRank1732000000000 {
  name = 'AddRank1732000000000'
  async up(queryRunner) { await queryRunner.query('SELECT 1') }
  async down(queryRunner) {}
}`
  const folder = folderOf({
    '1731000000000-First.js': compiled,
    '1732000000000-Second.ts': `// tidemark: breaking
export default class Second { up(runner: any) { return runner.query('SELECT 2') } down() {} }`,
    '0001_before.sql': 'SELECT 0',
  })
  expect(await readAppMigrations(folder)).toMatchObject([
    { name: '0001_before.sql', statements: ['SELECT 0'], compatibility: null },
    { name: '1731000000000-First.js', statements: ['SELECT 1'] },
    { name: '1732000000000-Second.ts', statements: ['SELECT 2'], compatibility: 'breaking' },
  ])
})

test.each([
  [
    'const rows = await queryRunner.query("SELECT 1"); if (rows.length > 0) return',
    /AddRank.ts reads what a query answers.*decide in SQL/,
  ],
  ['for (const row of await queryRunner.query("SELECT 1")) void row', /reads what a query answers/],
  ['const [row] = await queryRunner.query("SELECT 1"); void row', /reads what a query answers/],
  ['await queryRunner.addColumn("task", {} as any)', /uses queryRunner.addColumn, and only query\(\) can be recorded/],
  ['await queryRunner.manager.save({})', /uses queryRunner.manager/],
  ['throw new Error("not today")', /up\(\) of .*AddRank.ts failed before any database was asked: not today/],
  ['await queryRunner.query("COMMIT")', /holds COMMIT\. Remove it/],
  ['await queryRunner.query("SELECT :a", { a: 1 } as any)', /names parameters: number them/],
])('MIG-15 CLI-R29 what a record cannot be of is refused, with what to do: %s', async (up, said) => {
  await expect(read(up)).rejects.toMatchObject({ kind: 'bad-input', message: expect.stringMatching(said) })
})
