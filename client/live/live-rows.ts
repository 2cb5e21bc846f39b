/** What a live query shows: a snapshot that never changes, and is replaced by another one. */
export interface LiveRows<Row> {
  /** Null until the first answer. Rows that stayed as they were are the same objects as before. */
  readonly rows: readonly Row[] | null
  /** The fault of the last run; null when it went well. The rows of before stand beside it. */
  readonly error: Error | null
  /** How many answers there were. */
  readonly runs: number
}

/** A live query of a replica: it runs while it has subscribers, and once for all that ask the same. */
export interface LiveStore<Row> {
  /** Answers the same object until something changes. */
  getSnapshot(): LiveRows<Row>
  /** Calls back after each change of the snapshot; answers the function that ends it. */
  subscribe(listener: () => void): () => void
  /** Resolves when everything committed before the call is shown, or a fault is; at once where nobody is subscribed. */
  refresh(): Promise<void>
}

/** SQL with its parameters, `$1` first. */
export interface SqlQuery {
  readonly sql: string
  readonly params?: readonly unknown[]
}

/** A query of drizzle's, as `db.select().from(table)` or `db.query.table.findMany()` answer it. */
export interface DrizzleQuery<Result> extends PromiseLike<Result> {
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] }
}

export type LiveQuery<Result = unknown> = string | SqlQuery | DrizzleQuery<Result>

/** The rows of what a drizzle query answers: of a list its items, of one row or none that row. */
export type RowOf<Result> = Result extends readonly (infer Row)[] ? Row : NonNullable<Result>

/** Makes live queries; equal ones are the same store. */
export interface Live {
  <Result>(query: DrizzleQuery<Result>): LiveStore<RowOf<Result>>
  <Row = Record<string, unknown>>(query: string | SqlQuery): LiveStore<Row>
}
