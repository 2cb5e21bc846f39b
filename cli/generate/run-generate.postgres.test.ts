import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createEmptyDatabase, type EmptyDatabase } from '../../testing/cli/create-empty-database.ts'
import { ENTITY_IMPORTS, makeEntityApp } from '../../testing/entities/entity-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { readMigrationFiles } from '../migrations/migration-file.ts'
import { runCreate } from './run-create.ts'
import { runGenerate } from './run-generate.ts'

const BEFORE = `${ENTITY_IMPORTS}
@Entity() @Synced({ audience: byOrg })
export class Issue extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('text') title!: string
  @Column('text', { nullable: true }) old!: string | null
  @Column('integer', { default: 0 }) points!: number
  @Column('varchar', { length: 5, default: 'new' }) code!: string
  @Column('enum', { enum: ['open', 'done'], enumName: 'issue_state', default: 'open' }) state!: string
  @Column('numeric', { precision: 10, scale: 2, default: 0 }) cost!: string
  @Column('text', { nullable: true }) note!: string | null
}
`
const AFTER = BEFORE.replace("'text') title", "'text') name")
  .replace("@Column('text', { nullable: true }) old!: string | null", '')
  .replace("'integer', { default: 0 }", "'bigint', { default: 7 }")
  .replace('length: 5', 'length: 50')
  .replace("enum: ['open', 'done']", "enum: ['draft', 'open', 'review', 'done']")
  .replace("default: 'open'", "default: 'review'")
  .replace("'text', { nullable: true }) note!: string | null", "'text') note!: string")
  .concat(`
@Entity({ schema: 'crm' }) @Synced({ audience: byOrg })
export class Comment extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('text', { unique: true }) slug!: string
  @Column('integer', { generated: 'increment' }) count!: number
  @ManyToOne(() => Issue, { nullable: false, onDelete: 'CASCADE' }) @JoinColumn({ name: 'issue_id' }) issue!: Issue
  @ManyToMany(() => Issue) @JoinTable() mentions!: Issue[]
}
`)
  .replace(
    '@Synced({ audience: byOrg })\nexport class Comment',
    "@Synced({ audience: byOrg, external: ['mentions'] })\nexport class Comment",
  )

const app = makeEntityApp(BEFORE)
const migrations = join(app.folder, 'migrations')
let database: EmptyDatabase
let said: string[] = []
beforeAll(async () => {
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(text))
  database = await createEmptyDatabase(servers().embedded)
})
afterAll(async () => {
  vi.restoreAllMocks()
  await database.drop()
  app.remove()
})

async function generate(name: string, options: Readonly<Record<string, string>> = {}): Promise<string> {
  said = []
  const values = { folder: app.folder, 'database-url': servers().embedded.adminUrl, ...options }
  expect(await runGenerate({ argument: name, values, switches: new Set() })).toBe(0)
  return said.join('\n')
}
const read = (name: string) => readFileSync(join(migrations, name), 'utf8')
/** Applies one file in a transaction, as migrate does. */
const apply = (name: string) =>
  withDatabase({ DATABASE_URL: database.url, DATABASE_PROXY: servers().embedded.proxy }, (open) =>
    open.transaction(async ({ query }) => {
      const file = readMigrationFiles(migrations).find((candidate) => candidate.name === name)
      await query('SET LOCAL search_path TO DEFAULT')
      for (const statement of file?.statements ?? []) await query(statement)
    }),
  )

test('CLI-R20 the first migration makes the tables, and afterwards there is nothing to generate', async () => {
  expect(await generate('first')).toContain('0001_first.sql')
  expect(await generate('again')).toBe('The migrations make what the entities say: nothing to generate.')
  expect(readdirSync(migrations)).toEqual(['0001_first.sql'])
  await apply('0001_first.sql')
  await database.query(
    `INSERT INTO public.issue (org_id, title, old, points, code) VALUES (gen_random_uuid(), 'One', 'gone', 5, 'abcde')`,
  )
})

test('CLI-R21 what could be a rename is asked for, and nothing is written', async () => {
  app.write({ 'entities.ts': AFTER })
  await expect(generate('change')).rejects.toThrow(
    'Table issue has title, old, which its entity lacks, and lacks name. Say what became of each: ' +
      '--rename issue.title:name keeps its data under the new name, --drop issue.title loses it, --keep issue.title leaves it there.',
  )
  await expect(generate('change', { rename: 'issue.nope:name' })).rejects.toThrow('names no table and no column')
  await expect(generate('change', { rename: 'issue.title' })).rejects.toThrow('is not of the form issue.title:name')
  expect(readdirSync(migrations)).toEqual(['0001_first.sql'])
})

test('CLI-R20 CLI-R21 decided, it keeps the data or says that it does not, with new labels in a file before', async () => {
  await generate('change', { rename: 'issue.title:name', drop: 'issue.old' })
  expect(readdirSync(migrations)).toEqual(['0001_first.sql', '0002_change.sql', '0003_change.sql'])
  expect(read('0002_change.sql')).toContain(
    `ALTER TYPE public.issue_state ADD VALUE 'draft' BEFORE 'open';\n--> statement-breakpoint`,
  )
  const text = read('0003_change.sql')
  for (const comment of [
    '-- Renames column issue.title to name; its data stays.',
    '-- Drops column old of issue: ITS DATA IS LOST, as --drop issue.old said.',
    '-- Makes column points of issue bigint from integer: every value stays what it is.',
    '-- Requires column note of issue. FAILS, and changes nothing, where a row holds NULL: fill those first.',
  ])
    expect(text).toContain(comment)
  await apply('0002_change.sql')
  // The generated file says that it fails here; whoever runs it fills the column first.
  await expect(apply('0003_change.sql')).rejects.toThrow()
  await database.query(`UPDATE public.issue SET note = ''`)
  await apply('0003_change.sql')
  expect(await database.query('SELECT name, points, code, state, version FROM public.issue')).toEqual([
    { name: 'One', points: '5', code: 'abcde', state: 'open', version: '2' },
  ])
  const [made] = await database.query(
    `INSERT INTO public.issue (org_id, name, note) VALUES (gen_random_uuid(), 'Two', '') RETURNING id, state, points`,
  )
  expect(made).toMatchObject({ state: 'review', points: '7' })
  await database.query(
    `INSERT INTO crm.comment (org_id, slug, issue_id) VALUES (gen_random_uuid(), 'a', '${made?.id}')`,
  )
  expect(await generate('again')).toContain('nothing to generate')
})

test('CLI-R21 a narrower type, a column, index or constraint that no entity has: said, not done', async () => {
  app.write({
    'migrations/0004_by-hand.sql':
      'ALTER TABLE issue ADD COLUMN search tsvector; CREATE INDEX issue_points ON issue (points); ALTER TABLE issue ADD CHECK (points >= 0);',
    'entities.ts': AFTER.replace('length: 50', 'length: 3').replace(
      "'numeric', { precision: 10, scale: 2, ",
      "'integer', { ",
    ),
  })
  const output = await generate('narrow')
  expect(output).toContain('Column search of issue stays, though no entity has it')
  expect(output).toContain('Index issue_points of issue stays')
  expect(output).toContain('Check issue_points_check of issue stays')
  const text = read('0005_narrow.sql')
  expect(text).toContain('VALUES THAT DO NOT FIT ARE ROUNDED OR MAKE IT FAIL')
  expect(text).not.toContain('DROP COLUMN')
  // A cast that is written out would cut the text without a word.
  expect(text).not.toContain('USING')
  const dropped = await generate('clean', { drop: 'issue.search,issue.issue_points,issue.issue_points_check' })
  expect(dropped).toContain('Drops column search of issue: ITS DATA IS LOST')
  expect(dropped).toContain('Drops index issue_points')
  expect(dropped).toContain('Drops check issue_points_check')
})

test('CLI-R21 labels that go and another primary key are left to a hand', async () => {
  app.write({ 'entities.ts': BEFORE.replace("@Column('text') title", "@PrimaryColumn('text') name") })
  await expect(generate('key', { drop: 'issue.search' })).rejects.toThrow(
    /Enum type public.issue_state has the labels draft, open[\s\S]*The primary key of table issue is another/,
  )
})

test('CLI-R21 a table is renamed only when that is said, and a column without an entity can be kept', async () => {
  const renamed = BEFORE.replace('@Entity() @Synced', "@Entity('task') @Synced").replace(
    "'text') title",
    "'text') label",
  )
  const other = makeEntityApp(renamed, { 'migrations/0001_first.sql': read('0001_first.sql') })
  const from = async (options: Readonly<Record<string, string>>) =>
    generate('task', { folder: other.folder, ...options })
  try {
    const asNew = await from({})
    expect(asNew).toContain('Makes table task.')
    expect(asNew).toContain('Tables without an entity stay as they are: issue. If one of them became task,')
    rmSync(join(other.folder, 'migrations/0002_task.sql'))
    await from({ rename: 'issue:task', keep: 'task.title' })
    const text = readFileSync(join(other.folder, 'migrations/0002_task.sql'), 'utf8')
    expect(text).toContain('ALTER TABLE "public"."issue" RENAME TO "task";')
    expect(text).toContain('ADD COLUMN "label" text NOT NULL')
    expect(text).toContain('FAILS, and changes nothing, where the table holds rows')
    expect(text).not.toContain('CREATE')
    expect(text).not.toContain('DROP')
  } finally {
    other.remove()
  }
})

test('CLI-R20 a hidden column may have a type of an extension that the migrations install', async () => {
  const entities = `${ENTITY_IMPORTS}
@Entity() @Synced({ audience: byOrg, hidden: ['mail'] })
export class Person extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('citext') mail!: string
}`
  const other = makeEntityApp(entities, { 'migrations/0001_citext.sql': 'CREATE EXTENSION citext;' })
  try {
    await generate('person', { folder: other.folder, 'database-url': servers().system.adminUrl })
    expect(readFileSync(join(other.folder, 'migrations/0002_person.sql'), 'utf8')).toContain(
      '"mail" public.citext NOT NULL',
    )
  } finally {
    other.remove()
  }
})

test('CLI-R52 CLI-R53 the classes of an existing TypeORM project make what its entities say', async () => {
  const entities = `${ENTITY_IMPORTS}
@Entity() @Synced({ audience: byOrg, write: 'all' })
export class Ticket {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid', { name: 'org_id' }) orgId!: string
}`
  const first = `import { MigrationInterface, QueryRunner } from "typeorm";
export class First1700000000000 implements MigrationInterface {
    public async up(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(\`CREATE TABLE "ticket" ("id" uuid NOT NULL DEFAULT uuid_generate_v4(), "org_id" uuid NOT NULL, CONSTRAINT "PK_ticket" PRIMARY KEY ("id"))\`);
    }
    public async down(queryRunner: QueryRunner): Promise<void> {
        await queryRunner.query(\`DROP TABLE "ticket"\`);
    }
}`
  const project = makeEntityApp(entities, { 'migrations/1700000000000-First.ts': first })
  try {
    expect(await generate('next', { folder: project.folder })).toContain('nothing to generate')
    project.write({
      'entities.ts': entities.replace(
        'orgId!: string',
        "orgId!: string\n  @Column('text', { nullable: true }) note!: string | null",
      ),
    })
    expect(await generate('note', { folder: project.folder })).toContain('migrations/1700000000001_note.sql')
  } finally {
    project.remove()
  }
})

test('CLI-R22 CLI-R27 create writes an empty file after the last, and names that are none are refused', () => {
  said = []
  expect(runCreate({ argument: 'move-labels', values: { folder: app.folder }, switches: new Set() })).toBe(0)
  expect(readdirSync(migrations).at(-1)).toBe('0007_move-labels.sql')
  const create = (argument: string) => runCreate({ argument, values: { folder: app.folder }, switches: new Set() })
  expect(() => create('../up')).toThrow('cannot name a file')
  runCreate({ argument: 'both', values: { folder: app.folder }, switches: new Set(['down']) })
  expect(readdirSync(migrations).slice(-2)).toEqual(['0008_both.down.sql', '0008_both.sql'])
  rmSync(migrations, { recursive: true })
  mkdirSync(migrations)
  app.write({ 'migrations/init.sql': '' })
  expect(() => create('next')).toThrow('has no number to count on from')
})

test('CLI-R20 the databases it makes are gone', async () => {
  const admin = { DATABASE_URL: servers().embedded.adminUrl, DATABASE_PROXY: servers().embedded.proxy }
  const left = await withDatabase(admin, ({ query }) =>
    query(`SELECT datname FROM pg_database WHERE datname LIKE 'tidemark_scratch%'`),
  )
  expect(left).toEqual([])
})
