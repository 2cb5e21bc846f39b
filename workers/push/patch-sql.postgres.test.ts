import { beforeAll, describe, expect, it } from 'vitest'
import { readDefinitionInForce } from '../../db/index.ts'
import { type TableDefinition, travellingColumns } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { ORG_A } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { deleteSql, lockSql, readingSql, seenSql, updateSql } from './rules/patch-sql.ts'

describe('statements of patches', () => {
  const fixture = usePushFixture(servers().embedded)
  let task: TableDefinition
  beforeAll(async () => {
    const definition = await readDefinitionInForce(fixture.database.query)
    const found = definition?.definition.tables.find(({ id }) => id === 'public.task')
    if (!found) throw new Error('no task')
    task = found
    await fixture.database.query(
      `INSERT INTO public.task (id, org_id, title) SELECT gen_random_uuid(), '${ORG_A}', 'one of many' FROM generate_series(1, 3000)`,
    )
    await fixture.database.query('ANALYZE public.task')
  })

  it('PSH-R4 PSH-R5 look for one row by its key, however small the table is', async () => {
    const columns = travellingColumns(task)
    const title = columns.filter(({ name }) => name === 'title')
    const given = JSON.stringify([
      { k: { id: '00000000-0000-4000-8000-000000000001' }, d: { title: 'x' }, b: { title: 'y' } },
    ])
    const statements = [
      { text: updateSql(task, title, title, new Set(), [], 1), parameters: [given, '{}'] },
      { text: deleteSql(task, 1), parameters: [given, '{}'] },
      { text: lockSql(task, title, new Set(), []), parameters: [given, '{}'] },
      { text: seenSql(task, 1), parameters: [given, '{}'] },
      { text: readingSql([{ table: task, columns, rows: 1 }]), parameters: [`[${given}]`] },
    ]
    for (const { text, parameters } of statements) {
      const plan = await fixture.database.query(`EXPLAIN ${text.replaceAll('$1', '$1::jsonb')}`, parameters)
      const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
      expect(lines).toContain('Index Scan')
      expect(lines).not.toContain('Seq Scan on task')
    }
  })
})
