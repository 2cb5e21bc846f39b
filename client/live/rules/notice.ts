/** What a commit notifies of: a table that it touched, and of some columns hashes of the values touched; or the schema. */
export interface Notice {
  /** The number of the transaction: later ones have greater numbers. */
  readonly xact: number
  /** The table's oid; null where the schema changed. */
  readonly table: number | null
  /** By column the hashes of old and new values; null where there were too many. */
  readonly keys: Readonly<Record<string, readonly number[] | null>>
}

/** A condition that every row must fulfil: a column has one value, given by its hash. */
export interface KeyFilter {
  readonly column: string
  readonly hash: number
}

export function readNotice(payload: string): Notice {
  const {
    xact,
    table = null,
    keys = {},
  } = JSON.parse(payload) as {
    readonly xact: number | string
    readonly table?: number | string | null
    readonly keys?: Notice['keys']
  }
  return { xact: Number(xact), table: table === null ? null : Number(table), keys }
}

/**
 * Answers whether rows that a query with these filters reads may have been touched. Rule LIV-R3.
 *
 * A row of before or of after that fulfils all filters has each column's value in that column's list.
 */
export function isTouched({ keys }: Pick<Notice, 'keys'>, filters: readonly KeyFilter[]): boolean {
  return filters.every(({ column, hash }) => keys[column]?.includes(hash) ?? true)
}
