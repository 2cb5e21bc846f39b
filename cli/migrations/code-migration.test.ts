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

test('MIG-15 CLI-R52 the extension that TypeORM makes as it connects is made where a class needs it, and says so nowhere', async () => {
  const made = 'await queryRunner.query(`CREATE TABLE "task" ("id" uuid NOT NULL DEFAULT uuid_generate_v4())`)'
  const extension = 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"'
  const { statements, parameters } = await read(made)
  expect(statements).toEqual([extension, expect.stringContaining('CREATE TABLE')])
  expect(parameters).toEqual([[], []])
  const itself = `await queryRunner.query('${extension}'); ${made}`
  expect((await read(itself)).statements).toHaveLength(2)
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
  ['try { await queryRunner.createTable({} as any) } catch {}', /uses queryRunner.createTable/],
  ['try { const [row] = await queryRunner.query("SELECT 1"); void row } catch {}', /reads what a query answers/],
  ['const rows = await queryRunner.query("SELECT 1"); if (Object.keys(rows).length > 0) return', /reads what a query/],
  ['const rows = { ...(await queryRunner.query("SELECT 1")) }; void rows', /reads what a query answers/],
  ['if (0 in (await queryRunner.query("SELECT 1"))) return', /reads what a query answers/],
  [
    '["a", "b"].forEach(async (name) => { for (let n = 0; n < 9; n++) await queryRunner.query("SELECT " + name + n) })',
    /AddRank.ts does not wait for all of its queries/,
  ],
  ['queryRunner.query("SELECT :a", { a: 1 } as any)', /names parameters: number them/],
  [
    'await queryRunner.query("CREATE FUNCTION one() RETURNS int BEGIN ATOMIC SELECT 1; END"); await queryRunner.query("COMMIT")',
    /holds COMMIT\. Remove it/,
  ],
])('MIG-15 CLI-R29 what a record cannot be of is refused, with what to do: %s', async (up, said) => {
  await expect(read(up)).rejects.toMatchObject({ kind: 'bad-input', message: expect.stringMatching(said) })
})

test('MIG-15 CLI-R29 values reach Postgres as the driver of TypeORM writes them; a statement without text is none', async () => {
  const up =
    'queryRunner.query("SELECT $1, $2, $3, $4", [[1, null, "a\\"b"], [[1n], [2]], new Uint8Array([1, 255]), undefined]); ' +
    'await queryRunner.query(" "); await queryRunner.query("SELECT $1", [[]])'
  expect(await read(up)).toMatchObject({
    statements: ['SELECT $1, $2, $3, $4', 'SELECT $1'],
    parameters: [['{"1",NULL,"a\\"b"}', '{{"1"},{"2"}}', '\\x01ff', null], ['{}']],
  })
})

test('MIG-15 CLI-R29 what would be passed over, or run twice, is refused: an inherited up(), a compiled copy', async () => {
  const inherited = folderOf({
    '1732000000000-Next.ts': 'export { Next } from "./next/next.ts"',
    'next/next.ts': 'export class Next { up(runner: any) { return runner.query("SELECT 3") } down() {} }',
  })
  expect(await readAppMigrations(inherited)).toMatchObject([{ statements: ['SELECT 3'] }])
  const twice = folderOf({
    [NAME]: classOf(''),
    [NAME.replace('.ts', '.js')]: classOf('').replace(/: \w+(<void>)?/g, ''),
  })
  await expect(readAppMigrations(twice)).rejects.toMatchObject({
    kind: 'bad-input',
    message: expect.stringMatching(/1732000000000-AddRank\.js and 1732000000000-AddRank\.ts are one migration twice/),
  })
  const throwing = folderOf({
    [NAME]: 'export class A { constructor() { throw new Error("no") } up(r: any) {} down() {} }',
  })
  await expect(readAppMigrations(throwing)).rejects.toMatchObject({ kind: 'bad-input' })
})

test('MIG-15 CLI-R29 a word on pages holds where it is indented, and with line ends of Windows', async () => {
  const file = await read('// tidemark: breaking\r\n  await queryRunner.query(`SELECT\r\n1`)')
  expect(file).toMatchObject({ compatibility: 'breaking', statements: ['SELECT\n1'] })
})
