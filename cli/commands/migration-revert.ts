import type { Command } from '../command.ts'

export const migrationRevert: Command = {
  name: 'migration:revert',
  summary: 'Take back the last migration by the .down.sql beside it.',
  details: [
    '0003_add-rank.sql is taken back by 0003_add-rank.down.sql, in one transaction with its record and the sync definition that follows.\n' +
      'Replicas follow as after any migration. It is pending afterwards.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database, as owner of its tables' },
  ],
  run: async (invocation) => await (await import('../migrations/run-revert.ts')).runRevert(invocation),
}
