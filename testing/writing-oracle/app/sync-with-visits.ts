import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { table } from '../../../db/index.ts'
import { sync as withoutVisits } from './sync.ts'

const visit = pgTable('visit', { id: uuid('id'), month: integer('month'), orgId: uuid('org_id'), word: text('word') })

/** The definition with a partitioned table too, about which wal2json reports nothing. */
export const sync = {
  ...withoutVisits,
  tables: {
    ...withoutVisits.tables,
    visit: table(visit, { audience: { column: visit.orgId, prefix: 'org' }, write: 'all' }),
  },
}
