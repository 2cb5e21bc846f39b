import type { Command } from '../command.ts'

export const migrationRun: Command = {
  name: 'migration:run',
  summary: "Bring a database up to date: Tidemark's tables, the app's migrations, the sync definition.",
  details: [
    'Each file runs in one transaction, once. Running it again does nothing; two at once wait for each other.\n' +
      'On Neon give the direct connection string, without -pooler.',
    'It prints what replicas do with each table that changes: change it in place, or load it anew.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database, as owner of its tables' },
    {
      name: 'dry-run',
      help: 'do it in a transaction that is rolled back, and print the SQL and what replicas would do',
    },
  ],
  run: async (invocation) => await (await import('../migrations/run-migrate.ts')).runMigrate(invocation),
}

export const migrate: Command = { ...migrationRun, name: 'migrate', summary: 'Short for migration:run.' }
