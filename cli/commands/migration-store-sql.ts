import type { Command } from '../command.ts'

export const migrationStoreSql: Command = {
  name: 'migration:store-sql',
  summary: "Store a file of SQL from anywhere as the app's next migration, once it was tried.",
  details: [
    'It is tried over the migrations before it, in an empty database that is dropped afterwards; with a .down.sql beside it, so is that, and\n' +
      'both are stored. What is stored already is not stored again. Nothing runs in your own database: that is migration:run.',
  ],
  argument: { name: 'path', help: 'the file, such as ~/Downloads/add-rank.sql', required: true },
  options: [
    { name: 'folder', value: '<folder>', help: "the app's folder; default: the current one" },
    { name: 'name', value: '<name>', help: "what the migration does; default: the file's own name" },
    {
      name: 'database-url',
      value: '<url>',
      env: 'SCRATCH_DATABASE_URL',
      help: 'a server on which to make the database; default: the embedded Postgres',
    },
    { name: 'dry-run', help: 'try it, and print what would be stored' },
  ],
  run: async (invocation) => await (await import('../generate/run-store-sql.ts')).runStoreSql(invocation),
}
