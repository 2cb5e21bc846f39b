import type { Command } from '../command.ts'

export const migrate: Command = {
  name: 'migrate',
  summary: "Bring a database up to date: Tidemark's tables, the app's migrations, the sync definition.",
  details: [
    'Each file runs in one transaction, once. Running it again does nothing; two at once wait for each other.\n' +
      'On Neon give the direct connection string, without -pooler.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database, as owner of its tables' },
  ],
  run: async (invocation) => await (await import('../migrations/run-migrate.ts')).runMigrate(invocation),
}
