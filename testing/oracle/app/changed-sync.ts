import type { Sync } from '../../../db/index.ts'
import { changedTables } from './tables.ts'

/** What the run's second definition syncs: one table and one column more, one column less. */
export function changedSync(sync: Sync): Sync {
  return { ...sync, tables: { ...sync.tables, ...changedTables } }
}

/** What the migrations do that go with it, there and back. */
export const CHANGE_SCHEMA = `ALTER TABLE public.setting ADD COLUMN remark text DEFAULT 'none'`
export const RESTORE_SCHEMA = 'ALTER TABLE public.setting DROP COLUMN remark'
