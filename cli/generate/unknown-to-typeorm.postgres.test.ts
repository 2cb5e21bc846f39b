import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ENTITY_IMPORTS, makeEntityApp } from '../../testing/entities/entity-app.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { runGenerate } from './run-generate.ts'

const TASKS = `${ENTITY_IMPORTS}
@Entity('task') @Unique(['orgId', 'id']) @Synced({ audience: byOrg })
@SqlIndex('task_recent', '(org_id, updated_at DESC)')
@SqlIndex('task_title', '(lower(title)) WHERE parent_id IS NULL', { unique: true })
export class Task extends BaseEntity {
  @Column('uuid', { name: 'org_id' }) orgId!: string
  @Column('text') title!: string
  @Column('uuid', { name: 'parent_id', nullable: true }) parentId!: string | null
  @ManyToOne(() => Task, { onDelete: 'SET NULL' })
  @JoinColumn([{ name: 'org_id', referencedColumnName: 'orgId' }, { name: 'parent_id', referencedColumnName: 'id' }])
  parent!: Task | null
}`

const app = makeEntityApp(TASKS)
const file = (name: string) => readFileSync(join(app.folder, 'migrations', name), 'utf8')
let said: string[] = []
beforeAll(() => {
  vi.spyOn(console, 'log').mockImplementation((text) => void said.push(text))
})
afterAll(() => {
  vi.restoreAllMocks()
  app.remove()
})

async function generate(name: string, options: Readonly<Record<string, string>> = {}): Promise<string> {
  said = []
  const values = { folder: app.folder, 'database-url': servers().embedded.adminUrl, ...options }
  expect(await runGenerate({ argument: name, values, switches: new Set() })).toBe(0)
  return said.join('\n')
}

test('CLI-R20 an index in the words of SQL is made, and a reference loses only what may be NULL', async () => {
  await generate('task')
  const text = file('0001_task.sql')
  expect(text).toContain('CREATE INDEX task_recent ON public.task USING btree (org_id, updated_at DESC)')
  expect(text).toContain(
    'CREATE UNIQUE INDEX task_title ON public.task USING btree (lower(title)) WHERE (parent_id IS NULL)',
  )
  expect(text).toMatch(/FOREIGN KEY \(\w+, \w+\) REFERENCES public.task\(\w+, \w+\) ON DELETE SET NULL \(parent_id\)/)
  expect(await generate('again')).toBe('The migrations make what the entities say: nothing to generate.')
})

test('CLI-R20 a foreign key is the same in any order of its columns, and another where they pair otherwise', async () => {
  const made = file('0001_task.sql')
  const pairs = /FOREIGN KEY \((\w+), (\w+)\) REFERENCES public.task\((\w+), (\w+)\)/
  app.write({
    'migrations/0001_task.sql': made.replace(pairs, 'FOREIGN KEY ($2, $1) REFERENCES public.task($4, $3)'),
  })
  expect(file('0001_task.sql')).not.toBe(made)
  expect(await generate('again')).toBe('The migrations make what the entities say: nothing to generate.')
  app.write({
    'migrations/0001_task.sql': made.replace(pairs, 'FOREIGN KEY ($1, $2) REFERENCES public.task($4, $3)'),
  })
  expect(await generate('pairs')).toContain('Adds foreign key')
  expect(readdirSync(join(app.folder, 'migrations'))).toEqual(['0001_task.sql', '0002_pairs.sql'])
})

test('CLI-R21 an index that its entity has no longer stays until it is dropped by name', async () => {
  app.write({ 'entities.ts': TASKS.replace(/@SqlIndex\('task_recent'.*\n/, '') })
  expect(await generate('fewer')).toContain('Index task_recent of task stays, though no entity has it')
  expect(await generate('dropped', { drop: 'task.task_recent' })).toContain('Drops index task_recent of task')
})
