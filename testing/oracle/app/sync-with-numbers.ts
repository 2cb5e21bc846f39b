import { defineSync } from '../../../db/index.ts'
import { numberTables, tables } from './tables.ts'

export const sync = defineSync({ tables: { ...tables, ...numberTables } })
