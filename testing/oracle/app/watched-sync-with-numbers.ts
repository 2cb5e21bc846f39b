import { defineSync } from '../../../db/index.ts'
import { membership, numberTables, tables } from './tables.ts'

export const sync = defineSync({
  tables: { ...tables, ...numberTables },
  watch: [{ table: membership, user: membership.userId }],
})
