import type { Command } from '../command.ts'

export const sql: Command = {
  name: 'sql',
  summary: 'Run SQL on the database of tidemark dev, or on another.',
  details: [
    'Without a statement it reads them from the terminal, each up to its semicolon, or all at once from a pipe.',
    'Statements given together are one transaction, unless they say otherwise. Exit code 1 when one fails.',
  ],
  argument: { name: 'statement', help: 'what to run; several are divided by semicolons', required: false },
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database; default: that of tidemark dev' },
    { name: 'data-dir', value: '<path>', help: 'data folder of tidemark dev; default: .tidemark' },
    { name: 'json', help: 'print rows for programs, as an array of objects for each statement' },
  ],
  run: async (invocation) => await (await import('../sql/run-sql.ts')).runSql(invocation),
}
