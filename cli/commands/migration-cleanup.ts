import type { Command } from '../command.ts'

export const migrationCleanup: Command = {
  name: 'migration:cleanup',
  summary: 'Remove a migration that has not run, with all that belongs to it.',
  details: [
    'Its file goes, what takes it back, a compiled copy, and its entry and snapshot in the journal of drizzle-kit. One that ran in this database\n' +
      'is refused: take it back first (migration:revert). Ask the database that is furthest on.',
  ],
  argument: { name: 'name', help: 'its file, such as 0003_add-rank.sql or 0003_add-rank', required: true },
  options: [
    { name: 'folder', value: '<folder>', help: "the app's folder; default: the current one" },
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database in which it must not have run' },
    { name: 'dry-run', help: 'print what would be removed' },
  ],
  run: async (invocation) => await (await import('../migrations/run-cleanup.ts')).runCleanup(invocation),
}
