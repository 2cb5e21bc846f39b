import { defineSync } from '../../../db/index.ts'
import { tables } from './tables.ts'

export const sync = defineSync({ tables })
