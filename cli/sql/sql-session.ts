import { Client } from '@neondatabase/serverless'
import { z } from 'zod'
import { TidemarkError } from '../../protocol/errors.ts'
import { useProxy } from '../../workers/database/index.ts'
import type { DatabaseAccess } from '../database.ts'
import type { StatementResult } from './format-result.ts'

/** A connection on which a person's statements run, under the database's own settings. */
export interface SqlSession {
  /** Runs a text of one or more statements; answers one result for each. Throws `bad-input` with Postgres' own words, `unavailable` where it is gone. */
  run(text: string): Promise<StatementResult[]>
  close(): Promise<void>
}

const AS_TEXT = { getTypeParser: () => (text: string) => text }

const resultSchema = z.object({
  command: z.string().nullable(),
  rowCount: z.number().nullable(),
  fields: z.array(z.object({ name: z.string() })),
  rows: z.array(z.array(z.string().nullable())),
})
const resultsSchema = z.union([z.array(resultSchema), resultSchema.transform((result) => [result])])

/** Opens the connection. Throws `unavailable` where the database lets nobody in. */
export async function openSqlSession(access: DatabaseAccess): Promise<SqlSession> {
  const client = new Client({ connectionString: access.env.DATABASE_URL, application_name: 'tidemark-sql' })
  if (access.env.DATABASE_PROXY !== undefined) useProxy(client, access.env.DATABASE_PROXY)
  // A connection that breaks is told to the statement that waits for it.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new TidemarkError('unavailable', `Cannot open the database ${access.shown}: ${wordsOf(error)}`, {
      cause: error,
    })
  }
  return {
    async run(text) {
      try {
        const answer = await client.query({ text, rowMode: 'array', types: AS_TEXT })
        return resultsSchema.parse(answer).map(({ command, rowCount, fields, rows }) => ({
          command: command ?? '',
          count: rowCount,
          columns: fields.map(({ name }) => name),
          rows,
        }))
      } catch (error) {
        const isRefused = faultSchema.safeParse(error).data?.code !== undefined
        throw new TidemarkError(isRefused ? 'bad-input' : 'unavailable', wordsOf(error), { cause: error })
      }
    },
    close: () => client.end(),
  }
}

/** What Postgres refuses has a code; a connection that breaks has none. */
const faultSchema = z.object({
  message: z.string(),
  code: z.string().length(5).optional(),
  detail: z.string().optional(),
  hint: z.string().optional(),
})

/** Answers Postgres' message with its detail and hint. */
function wordsOf(error: unknown): string {
  const fault = faultSchema.safeParse(error)
  if (!fault.success) return String(error)
  const { message, detail, hint } = fault.data
  return [message, detail, hint && `Hint: ${hint}`].filter(Boolean).join('\n')
}
