import type { QueryOptions, Results, Transaction } from '@electric-sql/pglite'
import type { Database } from './database.ts'
import { noteNotices } from './rules/error-notices.ts'
import { textParsers } from './text-parsers.ts'
import type { QueryDetails, TextResult } from './text-result.ts'

export type Runner = Pick<Transaction, 'query' | 'exec'>

/** Runs a statement, and answers its result as text. */
export async function queryAsText(
  db: Pick<Database, 'parsers'>,
  runner: Runner,
  text: string,
  params: readonly unknown[],
  details: QueryDetails,
): Promise<TextResult> {
  const { options, notices } = optionsOf(db, details)
  const running = runner.query<(string | null)[]>(text, [...params], options)
  return asText(await withNotices(running, notices), notices)
}

export async function execAsText(
  db: Pick<Database, 'parsers'>,
  runner: Runner,
  text: string,
  details: QueryDetails,
): Promise<TextResult[]> {
  const { options, notices } = optionsOf(db, details)
  // Which statement a notice came with is not known, and it is told once.
  const results = await withNotices(runner.exec(text, options), notices)
  return results.map((result, index) => asText(result as Results<(string | null)[]>, index === 0 ? notices : []))
}

/** Where a statement fails, its notices go with the error. */
async function withNotices<Result>(running: Promise<Result>, notices: readonly object[]): Promise<Result> {
  try {
    return await running
  } catch (error) {
    noteNotices(error, notices)
    throw error
  }
}

const asItIs = (text: string) => text

function optionsOf(db: Pick<Database, 'parsers'>, { wantsNotices, asText = [], ...given }: QueryDetails) {
  const notices: object[] = []
  const options: QueryOptions = { ...given, rowMode: 'array', parsers: textParsers(db) }
  if (asText.length > 0) options.serializers = Object.fromEntries(asText.map((type) => [type, asItIs]))
  if (wantsNotices) options.onNotice = (notice) => void notices.push({ ...notice })
  return { options, notices }
}

function asText(result: Results<(string | null)[]>, notices: readonly object[]): TextResult {
  const { fields, rows, affectedRows, command, rowCount } = result
  const { blob } = result as { readonly blob?: Blob }
  return {
    fields,
    rows,
    affectedRows: affectedRows ?? null,
    command: command ?? null,
    rowCount: rowCount ?? null,
    blob: blob ?? null,
    notices,
  }
}
