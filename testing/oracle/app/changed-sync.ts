import type { Sync } from '../../../db/index.ts'
import { changedTables } from './tables.ts'

/** Answers the run's second definition, which syncs one table and one column more, and one column less. */
export function changedSync(sync: Sync): Sync {
  return { ...sync, tables: { ...sync.tables, ...changedTables } }
}

/** The statements of the migrations that go with the second definition, there and back. */
export const CHANGE_SCHEMA = `ALTER TABLE public.setting ADD COLUMN remark text DEFAULT 'none'`
export const RESTORE_SCHEMA = 'ALTER TABLE public.setting DROP COLUMN remark'
