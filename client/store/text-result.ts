/** A row as Postgres' text, by column. */
export type RawRow = readonly (string | null)[]

/** A column of a result, and the oid of its type. */
export interface ResultField {
  readonly name: string
  readonly dataTypeID: number
}

/** A result whose values are Postgres' text. */
export interface TextResult {
  readonly fields: readonly ResultField[]
  readonly rows: readonly RawRow[]
  readonly affectedRows: number | null
  readonly command: string | null
  readonly rowCount: number | null
  readonly blob: Blob | null
  readonly notices: readonly object[]
}

/** A query's options, as far as they are data. */
export interface QueryDetails {
  readonly paramTypes?: number[]
  readonly blob?: Blob
  readonly wantsNotices: boolean
  /** The types of parameters that are Postgres' text by now. */
  readonly asText?: readonly number[]
}

/** What a statement takes and answers: the oids of its parameters, and its columns. */
export interface TextDescription {
  readonly params: readonly number[]
  readonly fields: readonly ResultField[]
}
