import { type Bundles, formatPgLsn, type Lsn, NO_BUNDLES, parsePgLsn } from '../../protocol/index.ts'
import type { RightsChange } from '../contracts.ts'
import { becomeClient, type ClientIdentity, type Database } from '../database/index.ts'
import { encodeKept, type PlacedChange } from '../encoded-change.ts'

export interface HistoryRange {
  readonly epoch: string
  /** The changes after this one are read. */
  readonly from: Lsn
  readonly to: Lsn
  /** Changes to leave out at the beginning, counted over what the reader sees. */
  readonly skip: number
  /** Mutations at or below it are left out. */
  readonly mutationsAfter: Lsn
}

/** `ended`: another epoch is current. `pruned`: history no longer reaches back to `from`. `done`: read as far as wanted. */
export type HistoryOutcome = 'ended' | 'pruned' | 'done'

/** A definition that came into force within a range. */
export interface DefinitionNote {
  readonly version: number
  readonly hash: string
  readonly bundles?: Bundles
}

const PAGE = { maxRows: 2_000, targetChars: 1024 * 1024 }

/**
 * Reads what an identity sees of `(from, to]` in commit order, page by page, as role tidemark_client.
 *
 * `take` gets each page and says whether to go on; memory is bounded by a page whatever the size of a transaction.
 * The epoch and its floor are read in the same snapshot, so nothing is pruned unnoticed. Throws `unavailable`.
 */
export async function readHistory(
  database: Database,
  identity: ClientIdentity,
  range: HistoryRange,
  onPage: (page: readonly PlacedChange[]) => boolean | Promise<boolean>,
): Promise<{
  readonly outcome: HistoryOutcome
  readonly definition: DefinitionNote | null
  /** The users whose rights may have changed in the range; `all` where it cannot be read. */
  readonly rights: RightsChange | null
}> {
  return database.transaction(
    async (transaction) => {
      const [epoch] = await transaction.query(
        'SELECT id, floor_lsn::text AS floor FROM tidemark.epoch WHERE ended_at IS NULL',
      )
      if (epoch?.id !== range.epoch) return { outcome: 'ended', definition: null, rights: 'all' }
      if (range.from < parsePgLsn(epoch.floor ?? '0/0')) return { outcome: 'pruned', definition: null, rights: 'all' }
      const bounds = [range.epoch, formatPgLsn(range.from), formatPgLsn(range.to)]
      // This comes before `becomeClient`, because a client's role may not see whose rights change.
      const rights = await transaction.query(
        `SELECT data::text AS data FROM tidemark.change_history
         WHERE epoch = $1 AND audience IS NULL AND operation = 'rights' AND lsn > $2::pg_lsn AND lsn <= $3::pg_lsn`,
        bounds,
      )
      await becomeClient(transaction.query, identity)
      const [definition] = await transaction.query(
        `SELECT data::text AS data FROM tidemark.change_history
         WHERE epoch = $1 AND audience IS NULL AND operation = 'definition' AND lsn > $2::pg_lsn AND lsn <= $3::pg_lsn
         ORDER BY lsn DESC, seq DESC LIMIT 1`,
        bounds,
      )
      // ORDER BY qualifies the names: a bare one would mean the selected text, whose order is not that of LSNs.
      const pages = transaction.pages(
        `SELECT lsn::text, xid::text, to_char(committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           operation, table_name, audience, row_key::text, data::text
         FROM tidemark.change_history
         WHERE epoch = $1 AND lsn > $2::pg_lsn AND lsn <= $3::pg_lsn
           AND (audience = ANY ((SELECT array_agg(value) FROM jsonb_array_elements_text($4::jsonb) AS value)::text[])
             OR (audience IS NULL AND operation IN ('truncate', 'definition')))
           AND (operation <> 'mutation' OR lsn > $6::pg_lsn)
         ORDER BY change_history.lsn, change_history.seq OFFSET $5::bigint`,
        [...bounds, JSON.stringify(identity.audiences), range.skip, formatPgLsn(range.mutationsAfter)],
        PAGE,
      )
      for await (const page of pages) {
        if (!(await onPage(page.flatMap(placedChanges)))) break
      }
      return {
        outcome: 'done',
        definition: definition?.data ? toDefinitionNote(definition.data) : null,
        rights: toRights(rights),
      }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

function toRights(rows: readonly Record<string, string | null>[]): RightsChange | null {
  if (rows.length === 0) return null
  const users = new Set<string>()
  for (const row of rows) {
    const named = (JSON.parse(row.data ?? '{}') as { users?: string[] | null }).users
    if (!named) return 'all'
    for (const user of named) users.add(user)
  }
  return [...users]
}

function toDefinitionNote(data: string): DefinitionNote {
  const {
    version,
    hash,
    bundles = NO_BUNDLES,
  } = JSON.parse(data) as {
    version: string | number
    hash: string
    bundles?: Bundles
  }
  return { version: Number(version), hash, bundles }
}

/** Encodes a row of a page; leaves out a row that nobody is told, as the statement does already. */
function placedChanges([lsn, xid, at, operation, table, audience, key, data]: readonly (
  | string
  | null
)[]): PlacedChange[] {
  const told = encodeKept({
    operation: operation ?? '',
    table: table ?? '',
    key: key ?? null,
    data: data ?? null,
    audience: audience ?? null,
  })
  return told === null ? [] : [{ ...told, lsn: parsePgLsn(lsn ?? ''), xid: xid ?? '', at: at ?? '' }]
}
