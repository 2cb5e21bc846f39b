import { type Command, OWNERS_DATABASE } from '../command.ts'

export const migrationRevert: Command = {
  name: 'migration:revert',
  summary: 'Take back the last migration by the .down.sql beside it.',
  details: [
    '0003_add-rank.sql is taken back by 0003_add-rank.down.sql, in one transaction with its record and the sync definition that follows.\n' +
      'Replicas follow as after any migration. It is pending afterwards.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [OWNERS_DATABASE],
  run: async (invocation) => await (await import('../migrations/run-revert.ts')).runRevert(invocation),
}
