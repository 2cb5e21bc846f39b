import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from '../store/database.ts'
import { type Parsers, parseRow } from '../store/rules/parse-rows.ts'
import type { RawRow, ResultField } from '../store/text-result.ts'
import type { DrizzleQuery } from './live-rows.ts'

/** Makes rows of Postgres' text. */
export type MapRows = (rows: readonly RawRow[], fields: readonly ResultField[]) => Promise<unknown[]> | unknown[]

/** What drizzle prepares a query to: it asks its client for the rows, and makes of them what the app selected. */
interface PreparedQuery {
  readonly client: Pick<Database, 'query'>
  readonly fields?: readonly { readonly path: readonly string[]; readonly field: unknown }[]
  execute(): Promise<unknown>
}

/** Answers drizzle's own way to make rows of a query, and a text that says what they look like. */
export function drizzleMapping(query: DrizzleQuery<unknown>, parsers: Parsers): { map: MapRows; shape: string } {
  const prepared = (query as Partial<{ _prepare(): PreparedQuery }>)._prepare?.()
  if (typeof prepared?.execute !== 'function' || !('client' in prepared)) {
    const message = 'This drizzle query is none of a replica: make it with drizzle(replica.db), or give SQL.'
    throw new TidemarkError('bad-input', message)
  }
  return { map: (rows, fields) => mapWith(prepared, rows, fields, parsers), shape: shapeOf(prepared) }
}

/** Runs drizzle's query on a client that has the rows already. */
async function mapWith(
  prepared: PreparedQuery,
  rows: readonly RawRow[],
  fields: readonly ResultField[],
  parsers: Parsers,
): Promise<unknown[]> {
  if (rows.length === 0) return []
  const query = async (_text: string, _params: unknown, options: { readonly parsers?: Parsers } = {}) => {
    const both = { ...parsers, ...options.parsers }
    return { rows: rows.map((row) => parseRow(row, fields, both)), fields }
  }
  const own: PreparedQuery = Object.create(prepared, { client: { value: { query } } })
  const mapped = await own.execute()
  // `findFirst` answers its one row, or none.
  if (Array.isArray(mapped)) return mapped
  return mapped === undefined ? [] : [mapped]
}

/** Queries of one text may be told to look different: by their paths, and by what decodes their columns. */
function shapeOf({ fields }: PreparedQuery): string {
  if (!fields) return 'drizzle'
  return JSON.stringify(['drizzle', ...fields.map(({ path, field }) => [path, decoderName(field)])])
}

function decoderName(field: unknown): string {
  const { columnType, decoder, sql } = field as {
    readonly columnType?: string
    readonly decoder?: Decoder
    readonly sql?: { readonly decoder?: Decoder }
  }
  return columnType ?? String((decoder ?? sql?.decoder)?.mapFromDriverValue)
}

interface Decoder {
  readonly mapFromDriverValue?: unknown
}
