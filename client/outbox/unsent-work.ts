import { mutationId, type PatchRow } from '../../protocol/index.ts'
import type { MutationRecord } from '../mutations/mutation.ts'
import { actionOf } from '../mutations/mutation-records.ts'
import type { Copy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { readUnsent } from '../store/rows/record-rows.ts'
import { readWritesOf } from '../store/rows/write-rows.ts'

/** A mutation that waits for the server or for the app. */
export interface UnsentMutation extends Pick<MutationRecord, 'id' | 'kind' | 'action' | 'at' | 'rejection' | 'writes'> {
  readonly status: 'pending' | 'sent' | 'failed'
  /** The rows of a patch as they are sent; null for an action, and for a patch of which they are not made yet. */
  readonly patch: readonly PatchRow[] | null
}

/** Unsent work as JSON has it, oldest first; values are Postgres text. It holds what the user wrote, and no token. */
export interface UnsentExport {
  readonly format: 1
  /** ISO 8601. */
  readonly at: string
  readonly user: string
  readonly client: string
  /** The definition and place of the rows that are shown; null where none are. */
  readonly shown: {
    readonly version: number
    readonly hash: string
    readonly epoch: string
    readonly lsn: string
  } | null
  /** The number of all that is unsent. */
  readonly unsent: number
  /** As many of them as fit within the bounds, and always one where there is any. */
  readonly mutations: readonly UnsentMutation[]
}

/** The largest number of characters that one export carries, above which mutations are left out. */
const EXPORT_CHARS = 4 * 1024 * 1024

/** Reads what waits for the server or for the app, up to `limit` mutations. */
export async function exportUnsent(
  db: Database,
  about: { readonly user: string; readonly clientId: string; readonly shown: Copy | null; readonly limit: number },
): Promise<UnsentExport> {
  const { user, clientId, shown, limit } = about
  const { unsent, mutations } = await db.transaction(async (tx) => {
    const { unsent, records } = await readUnsent(tx, { limit, chars: EXPORT_CHARS })
    const counters = records.map(({ counter }) => counter)
    const writes = Map.groupBy(await readWritesOf(tx, counters), ({ counter }) => counter)
    const mutations = records.map(({ counter, name, args, ...rest }): UnsentMutation => {
      const own = writes.get(counter) ?? []
      return {
        id: mutationId(clientId, counter),
        action: actionOf({ name, args }),
        ...rest,
        writes: own.map(({ table, op, before, after }) => ({ table, op, before, after })),
      }
    })
    return { unsent, mutations }
  })
  return {
    format: 1,
    at: new Date().toISOString(),
    user,
    client: clientId,
    shown: shown && {
      version: shown.definition.version,
      hash: shown.definition.hash,
      epoch: shown.epoch,
      lsn: shown.cursor,
    },
    unsent,
    mutations,
  }
}
