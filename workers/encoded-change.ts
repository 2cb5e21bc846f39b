import { type Lsn, TidemarkError } from '../protocol/index.ts'

/** A change as it travels: made once, and shared by deliveries, the log of a SyncDO and every frame. */
export interface EncodedChange {
  /** Null: everyone is told. A client's own audience is told its mutation, which comes first in its transaction. */
  readonly audience: string | null
  /** JSON text without a newline. */
  readonly text: string
}

/** A committed transaction, as far as its reader is told of it, changes in commit order. */
export interface EncodedTransaction {
  readonly lsn: Lsn
  readonly xid: string
  /** The time of its commit: ISO 8601, UTC. */
  readonly at: string
  readonly changes: readonly EncodedChange[]
}

/** A change beside the place of its transaction. */
export interface PlacedChange extends EncodedChange, Omit<EncodedTransaction, 'changes'> {}

/** A change as `change_history` holds it; JSON as text. */
export interface KeptChange {
  readonly table: string
  readonly operation: string
  readonly key: string | null
  readonly data: string | null
  readonly audience: string | null
}

/**
 * The text of a change, joined from what history holds and never parsed: capture and readers of history tell the same.
 *
 * Null where nobody is told: a row without an audience, rights. Throws `corrupt` where history holds something else.
 */
export function encodeKept({ table, operation, key, data, audience }: KeptChange): EncodedChange | null {
  // Joined, not concatenated: a text that is a tree would be made flat once more when it is sent.
  const told = (letter: string, ...parts: readonly string[]): string =>
    ['{"o":"', letter, '","t":', JSON.stringify(table), ...parts, '}'].join('')
  const toAudience = (letter: string, ...parts: readonly string[]): EncodedChange | null =>
    audience === null ? null : { audience, text: told(letter, ',"a":', JSON.stringify(audience), ...parts) }
  const present = (json: string | null): string => {
    if (json === null) throw corrupt(operation, table)
    return json
  }
  switch (operation) {
    case 'insert':
      return toAudience('i', ',"d":', present(data))
    case 'update':
      return toAudience('u', ',"k":', present(key), ',"d":', present(data))
    case 'delete':
      return toAudience('d', ',"k":', present(key))
    case 'truncate':
      return { audience: null, text: told('t') }
    case 'mutation':
      return audience === null ? null : { audience, text: present(data) }
    case 'definition':
      return { audience: null, text: ['{"o":"v","k":', present(key), '}'].join('') }
    case 'rights':
      return null
    default:
      throw corrupt(operation, table)
  }
}

const corrupt = (operation: string, table: string) =>
  new TidemarkError(
    'corrupt',
    `History holds a change of ${table} that this version cannot tell (${operation}): deploy the newest version.`,
  )
