import { defineSync } from '../../../db/index.ts'
import { membership, tables } from './tables.ts'

export const sync = defineSync({ tables, watch: [{ table: membership, user: membership.userId }] })
