import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { runCommand } from '../../testing/cli/run-command.ts'
import { ENTITY_IMPORTS, makeEntityApp, TRACKER_ENTITIES } from '../../testing/entities/entity-app.ts'
import { loadEntities } from './load-entities.ts'
import { checkEntities, describeTables, runBuild } from './run-build.ts'

// Each test bundles, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Builds entities in this process: what the command would write. The file is long because most of it is entities. */
async function textOf(entities: string): Promise<string> {
  const app = makeEntityApp(entities)
  try {
    return describeTables(await checkEntities(await loadEntities(app.folder))).text
  } finally {
    app.remove()
  }
}

test('CLI-R17 build writes the tables that travel, again the same, and --check tells when they are old', async () => {
  const app = makeEntityApp(TRACKER_ENTITIES)
  const path = (name: string) => join(app.folder, name)
  const told = vi.spyOn(console, 'log').mockImplementation(() => {})
  const build = async (values: Readonly<Record<string, string>>, ...switches: string[]) =>
    runBuild({ argument: app.folder, values, switches: new Set(switches) })
  try {
    await expect(build({}, 'check')).rejects.toThrow('sync-tables.ts is missing: run tidemark build')
    expect(await runCommand(['build', app.folder])).toMatchObject({ code: 0, stderr: '' })
    const text = readFileSync(path('sync-tables.ts'), 'utf8')
    expect(text).toContain('// Made by `tidemark build` from entities.ts.')
    expect(text).toContain(
      "issue: table(issue, { audience: { column: issue.orgId, prefix: 'org' }, write: 'all', conflict: 'last-write-wins' })",
    )
    expect(text).toContain(
      "project: table(project, { audience: { column: project.orgId, prefix: 'org' }, priority: 10, history: 'keys' })",
    )
    expect(text).toContain("projectId: pg.uuid('project_id').notNull()")
    expect(text).not.toContain('secret')
    expect(await build({}, 'check')).toBe(0)
    expect(told).toHaveBeenLastCalledWith(expect.stringContaining('is up to date: 2 of 2 entities synced.'))

    app.write({ 'entities.ts': TRACKER_ENTITIES.replace("'text') title", "'varchar') title") })
    const old = await runCommand(['build', app.folder, '--check'])
    expect(old.code).toBe(1)
    expect(old.stderr).toContain('sync-tables.ts is not what the entities say: run tidemark build')
    expect(readFileSync(path('sync-tables.ts'), 'utf8')).toBe(text)
    await build({ out: 'made.ts' })
    expect(readFileSync(path('made.ts'), 'utf8')).toContain("title: pg.varchar('title')")
    rmSync(path('entities.ts'))
    await expect(build({})).rejects.toThrow('There is no entities.ts')
  } finally {
    told.mockRestore()
    app.remove()
  }
})

test('CLI-R17 the order in which entities are exported makes no difference', async () => {
  const swapped = TRACKER_ENTITIES.replaceAll('export class', 'class').concat('export { Issue, Project }')
  const other = TRACKER_ENTITIES.replaceAll('export class', 'class').concat('export { Project, Issue }')
  expect(await textOf(swapped)).toBe(await textOf(other))
})

test('CLI-R17 names are those of the naming strategy that the module exports', async () => {
  const text = await textOf(`${ENTITY_IMPORTS}
import { DefaultNamingStrategy } from 'typeorm'
class Snakes extends DefaultNamingStrategy {
  columnName(property: string, given: string | undefined) {
    return given ?? property.replaceAll(/[A-Z]/g, (letter) => \`_\${letter.toLowerCase()}\`)
  }
}
export const namingStrategy = new Snakes()
@Entity() @Synced({ audience: { column: 'ownerId', prefix: 'user' } })
export class Draft extends BaseEntity { @Column('uuid') ownerId!: string }`)
  expect(text).toContain("ownerId: pg.uuid('owner_id')")
  expect(text).toContain("audience: { column: draft.ownerId, prefix: 'user' }")
  expect(text).toContain("updatedAt: pg.timestamp('updated_at'")
})

test('CLI-R17 each kind of column becomes its drizzle column', async () => {
  const text = await textOf(`${ENTITY_IMPORTS}
class Address { @Column('text') street!: string }
@Entity('case', { schema: 'crm' })
@Synced({ audience: 'all', hidden: ['address.street'] })
export class Case {
  @PrimaryColumn('integer') number!: number
  @PrimaryColumn('char', { length: 2 }) country!: string
  @Column('bigint', { default: () => '0' }) size!: string
  @Column('numeric', { precision: 10, scale: 2, nullable: true }) price!: string
  @Column('numeric') exact!: string
  @Column('varchar', { length: 40, default: "it''s \\\${x}" }) name!: string
  @Column('timestamp', { precision: 3 }) at!: Date
  @Column('time with time zone') daily!: string
  @Column('bytea') bytes!: Buffer
  @Column('int4range') span!: string
  @Column('simple-json') simple!: unknown
  @Column('enum', { enum: ['a', 'b'], array: true }) kinds!: string[]
  @Column(() => Address) address!: Address
  @Column(() => Address, { prefix: 'work' }) workplace!: Address
}`)
  expect(text).toContain("import { sql } from 'drizzle-orm'")
  const body = text.slice(text.indexOf('export const'), text.indexOf('/** The tables'))
  expect(body).toBe(`export const byteaColumn = pg.customType<{ data: Uint8Array }>({ dataType: () => 'bytea' })

export const int4rangeColumn = pg.customType<{ data: string }>({ dataType: () => 'int4range' })

export const crmSchema = pg.pgSchema('crm')

export const caseKindsEnum = crmSchema.enum('case_kinds_enum', ['a', 'b'])
export type CaseKindsEnum = (typeof caseKindsEnum.enumValues)[number]

export const caseTable = crmSchema.table('case', {
  number: pg.integer('number').notNull(),
  country: pg.char('country', { length: 2 }).notNull(),
  size: pg.bigint('size', { mode: 'bigint' }).notNull().default(sql\`0\`),
  price: pg.numeric('price', { precision: 10, scale: 2 }),
  exact: pg.numeric('exact').notNull(),
  name: pg.varchar('name', { length: 40 }).notNull().default(sql\`'it''s \\\${x}'\`),
  at: pg.timestamp('at', { precision: 3 }).notNull(),
  daily: pg.time('daily', { withTimezone: true }).notNull(),
  bytes: byteaColumn('bytes').notNull(),
  span: int4rangeColumn('span').notNull(),
  simple: pg.text('simple').notNull(),
  kinds: caseKindsEnum('kinds').array().notNull(),
  workplaceStreet: pg.text('workStreet').notNull(),
}, (row) => [pg.primaryKey({ columns: [row.number, row.country] })])
export type CaseRow = typeof caseTable.$inferSelect
export type NewCaseRow = typeof caseTable.$inferInsert

`)
})

test('CLI-R17 an enum named like a table or a row of one has a name of its own in the module', async () => {
  const text = await textOf(`${ENTITY_IMPORTS}
@Entity() @Synced({ audience: 'all' })
export class Issue {
  @PrimaryColumn('uuid') id!: string
  @Column('enum', { enum: ['a'], enumName: 'issue' }) kind!: string
  @Column('enum', { enum: ['b'], enumName: 'issue_row' }) row!: string
  @Column('enum', { enum: ['b'], enumName: 'issue_row' }) again!: string
}`)
  expect(text).toContain("export const issueEnum = pg.pgEnum('issue', ['a'])\nexport type IssueEnum = ")
  expect(text).toContain("export const issueRowEnum = pg.pgEnum('issue_row', ['b'])\nexport type IssueRowEnum = ")
  expect(text.match(/export type IssueRow /g)).toHaveLength(1)
})

test('CLI-R17 entities and module compile, and its rows have the types of their columns', async () => {
  const app = makeEntityApp(TRACKER_ENTITIES)
  try {
    app.write({
      'sync-tables.ts': describeTables(await checkEntities(await loadEntities(app.folder))).text,
      'sync.ts': `import { defineSync } from 'tidemark/db'
import { type IssueRow, type IssueState, type NewIssueRow, tables } from './sync-tables.ts'
export const sync = defineSync({ tables })
const made: NewIssueRow = { orgId: 'a', title: 'b', projectId: 'c' }
export const read = (row: IssueRow): [IssueState & ('open' | 'done'), string[], number, number, Date] =>
  [row.state, row.labels, row.size, row.version, made.updatedAt ?? row.updatedAt]
// @ts-expect-error: hidden columns are in no type.
export const leak = (row: IssueRow) => row.secret
`,
      'tsconfig.json': JSON.stringify({
        extends: join(ROOT, 'tsconfig/base.json'),
        compilerOptions: {
          module: 'ESNext',
          moduleResolution: 'Bundler',
          paths: {
            'tidemark/db': [join(ROOT, 'db/index.ts')],
            typeorm: [join(ROOT, 'node_modules/typeorm/index.d.ts')],
            'drizzle-orm': [join(ROOT, 'node_modules/drizzle-orm/index.d.ts')],
            'drizzle-orm/*': [join(ROOT, 'node_modules/drizzle-orm/*/index.d.ts')],
          },
          types: [],
          // The fixture imports every decorator.
          noUnusedLocals: false,
          rewriteRelativeImportExtensions: false,
          experimentalDecorators: true,
        },
        files: ['sync.ts', 'entities.ts', join(ROOT, 'tsconfig/portable-globals.d.ts')],
      }),
    })
    const compiled = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', app.folder, '--pretty', 'false'], {
      encoding: 'utf8',
    })
    expect(compiled.stdout).toBe('')
    expect(compiled.status).toBe(0)
  } finally {
    app.remove()
  }
})

test('CLI-R17 AUD-R1 an audience by a relation and a condition are written as the definition has them', async () => {
  const text = await textOf(`${ENTITY_IMPORTS}
@Entity() @Synced({ audience: byOrg, when: 'closed IS NULL' })
export class Issue extends BaseEntity { @Column('uuid') orgId!: string; @Column('date', { nullable: true }) closed!: string | null }
@Entity() @Synced({ audience: { via: 'issue' } })
export class Remark extends BaseEntity { @Column('text') body!: string; @ManyToOne(() => Issue) issue!: Issue }`)
  expect(text).toContain(
    "issue: table(issue, { audience: { column: issue.orgId, prefix: 'org' }, when: sql`closed IS NULL` })",
  )
  expect(text).toContain('remark: table(remark, { audience: { via: remark.issueId, of: issue } })')
})

const KEY = "@PrimaryColumn('uuid') id!: string"
const ORG = "@Column('uuid') orgId!: string"
const synced = (name: string, body: string, options = 'audience: byOrg') =>
  `@Entity() @Synced({ ${options} }) export class ${name} { ${KEY}; ${ORG}; ${body} }\n`

test.each([
  [
    'an audience column that does not exist',
    synced('Issue', '', "audience: { column: 'orgid', prefix: 'org' } as never"),
    'Issue has no column orgid, which it names as its audience: did you mean orgId?',
  ],
  [
    'an audience by what is no relation',
    synced('Issue', '', "audience: { via: 'orgId' }"),
    'Issue has no relation orgId of its own, from which it takes its audience: give it a @ManyToOne to where it belongs.',
  ],
  [
    'an audience by an entity that is not synced',
    `${synced('Issue', '@ManyToOne(() => User) author!: User', "audience: { via: 'author' }, external: ['author']")}@Entity() export class User { ${KEY} }`,
    'Issue.author gives it the audience of User, which is not synced: give that @Synced.',
  ],
  [
    'a hidden column that does not exist, a hidden audience, a hidden key',
    synced('Issue', '', "audience: byOrg, hidden: ['nothing', 'orgId', 'id'] as never"),
    [
      'Issue.orgId is its audience, which every replica knows: take it out of hidden.',
      'Issue has no column nothing, which it names as a hidden column: use one of id, orgId.',
      'Issue.id is part of the key: take it out of hidden.',
    ],
  ],
  [
    'a key that clients cannot make',
    `@Entity() @Synced({ audience: byOrg, write: 'all' }) export class Issue { @PrimaryGeneratedColumn('rowid') id!: string; ${ORG} }`,
    "Issue.id is made by the server, and replicas must make keys themselves: make it @PrimaryGeneratedColumn('uuid') or 'identity', extend BaseEntity, or set write to 'actions'.",
  ],
  [
    'a type that no replica holds',
    synced('Issue', "@Column('xml') doc!: string; @Column('citext') mail!: string"),
    [
      'Issue.doc is of type xml, which no replica can hold: hide it or change its type.',
      'Issue.mail is of type citext, which no replica can hold: hide it or change its type.',
    ],
  ],
  [
    'a column that the app keeps out of its own queries',
    synced('Issue', "@Column('text', { select: false }) password!: string"),
    'Issue.password has select: false and would travel to every replica of its audience: hide it, or take select: false away.',
  ],
  [
    'two entities of one name',
    `${synced('Issue', '')}const other = () => { ${synced('Issue', '').replace('@Entity()', "@Entity('other')").replace('export class', 'class')}; return Issue }\nexport const Other = other()`,
    'Several synced entities are named Issue: rename all but one.',
  ],
  [
    'a column without a type',
    synced('Issue', '@Column() title!: string'),
    "Issue.title has no type: write it into the decorator, as in @Column('text').",
  ],
  [
    'a reference to an entity that is not synced',
    `${synced('Issue', '@ManyToOne(() => User) author!: User')}@Entity() export class User { ${KEY} }`,
    'Issue.author refers to User, which is not synced: give User @Synced, hide author, or name it under external.',
  ],
  [
    'a relation through a table without an entity',
    synced('Issue', '@ManyToMany(() => Label) @JoinTable() labels!: Label[]') + synced('Label', ''),
    'Issue.labels lies in a table without an entity, which cannot be synced: make an entity of it with a relation to Issue and one to Label, or name it under external.',
  ],
  [
    'an inverse that is missing',
    synced('Project', '@OneToMany(() => Issue, (issue) => (issue as any).projekt) issues!: Issue[]') +
      synced('Issue', ''),
    'Project.issues names an inverse that is no relation of Issue: give Issue a relation to Project, and name its property here.',
  ],
  [
    'an inverse that leads elsewhere',
    synced('Project', '@OneToMany(() => Issue, (issue) => issue.label as never) issues!: Issue[]') +
      synced('Label', '') +
      synced('Issue', '@ManyToOne(() => Label) label!: Label'),
    'Project.issues names Issue.label as its inverse, which leads to Label: name a relation to Project.',
  ],
  [
    'a reference of another type than its key',
    synced('Project', '') +
      synced(
        'Issue',
        "@Column('text') projectId!: string; @ManyToOne(() => Project) @JoinColumn({ name: 'projectId' }) project!: Project",
      ),
    'Issue.projectId is of type text and refers to Project.id of type uuid: give both one type.',
  ],
  [
    'rows that need each other',
    synced('Team', '@ManyToOne(() => Person, { nullable: false }) lead!: Person') +
      synced('Person', '@ManyToOne(() => Team, { nullable: false }) team!: Team'),
    'Person.team and Team.lead need each other, so that no first row can be written: make Person.team nullable.',
  ],
  [
    'a row that needs another of its table',
    synced('Task', '@ManyToOne(() => Task, { nullable: false }) parent!: Task'),
    'Task.parent needs a row of its own table, so that no first row can be written: make Task.parent nullable.',
  ],
  [
    'a table without a key',
    `@Entity() @Synced({ audience: byOrg }) export class Issue { ${ORG} }`,
    /TypeORM refuses the entities: Entity "Issue" does not have a primary column/,
  ],
  [
    'no entity that is synced',
    `@Entity() export class Issue { ${KEY} }`,
    /No entity is synced: give at least one @Synced/,
  ],
  ['no entity at all', 'export class Issue {}', /exports no entity: give at least one class the decorator @Entity/],
])('CLI-R18 build refuses %s', async (_, entities, message) => {
  const expected = Array.isArray(message) ? message.join('\n') : message
  const refused = await textOf(`${ENTITY_IMPORTS}${entities}`).then(
    () => 'nothing was refused',
    (error: Error) => error.message,
  )
  if (expected instanceof RegExp) expect(refused).toMatch(expected)
  else expect(refused).toBe(expected)
})

test('CLI-R18 what is hidden or called external may lead to entities that are not synced', async () => {
  const options = "audience: byOrg, hidden: ['owner'], external: ['author', 'labels']"
  const text = await textOf(
    ENTITY_IMPORTS +
      synced(
        'Issue',
        '@ManyToOne(() => User) author!: User; @ManyToOne(() => User) owner!: User; @ManyToMany(() => User) @JoinTable() labels!: User[]',
        options,
      ) +
      `@Entity() export class User { ${KEY} }`,
  )
  expect(text).toContain('authorId')
  expect(text).not.toContain('owner')
})
