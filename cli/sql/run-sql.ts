import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import { TidemarkError, toTidemarkError } from '../../protocol/errors.ts'
import { DATA_FOLDER, servedDatabaseUrl } from '../app/served-database.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase } from '../database.ts'
import { splitStatements } from '../migrations/split-statements.ts'
import { formatResult, toObjects } from './format-result.ts'
import { openSqlSession, type SqlSession } from './sql-session.ts'

/** Runs statements on a database and prints what they answer. Rule CLI-R37. */
export async function runSql(invocation: Invocation): Promise<number> {
  const access = await accessDatabase(databaseUrlOf(invocation))
  try {
    const session = await openSqlSession(access)
    try {
      const print = invocation.switches.has('json') ? printJson : printTables
      if (invocation.argument !== undefined) await print(session, invocation.argument)
      else if (process.stdin.isTTY) await converse(session, access.shown)
      else await print(session, await text(process.stdin))
      return 0
    } finally {
      await session.close()
    }
  } finally {
    await access.close()
  }
}

function databaseUrlOf({ values }: Invocation): string {
  const folder = resolve(values['data-dir'] ?? DATA_FOLDER)
  const url = values['database-url'] ?? servedDatabaseUrl(folder)
  if (url !== null) return url
  throw new TidemarkError(
    'bad-input',
    `No database given, and tidemark dev has not served one from ${folder}. Run this in your app's folder after tidemark dev, ` +
      `name its data folder (--data-dir ${join('<app>', DATA_FOLDER)}), or pass --database-url.`,
  )
}

async function printTables(session: SqlSession, statements: string): Promise<void> {
  for (const result of await session.run(statements)) console.log(formatResult(result))
}

async function printJson(session: SqlSession, statements: string): Promise<void> {
  for (const result of await session.run(statements)) console.log(JSON.stringify(toObjects(result)))
}

/** Reads statements from the terminal until its end; one that fails ends nothing. */
async function converse(session: SqlSession, shown: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout, prompt: 'sql> ' })
  console.log(`${shown}\nA semicolon and Enter run what you wrote; Ctrl-D ends this.`)
  terminal.prompt()
  let written = ''
  for await (const line of terminal) {
    written = `${written}${line}\n`.trimStart()
    if (endsStatement(written)) {
      await printTables(session, written).catch((error: unknown) => console.error(toTidemarkError(error).message))
      written = ''
    }
    terminal.setPrompt(written === '' ? 'sql> ' : '  -> ')
    terminal.prompt()
  }
}

/** Within a quote or a comment a semicolon ends nothing. */
function endsStatement(written: string): boolean {
  return written.trimEnd().endsWith(';') && splitStatements(written) !== null
}
