import type { Command } from '../command.ts'

export const migrationGenerate: Command = {
  name: 'migration:generate',
  summary: "Write the migration that brings the app's tables to what its TypeORM entities say.",
  details: [
    'It applies the migrations to an empty database, lets TypeORM make the tables of the entities in another, and writes what makes the one\n' +
      'the other, with what each statement does to your rows. It tries what it writes. Both databases are dropped afterwards.',
    'Nothing is guessed: where a column may have been renamed it asks for --rename, --drop or --keep, each of which takes several with commas.',
  ],
  argument: { name: 'name', help: 'what the migration does, such as add-due-date', required: true },
  options: [
    { name: 'folder', value: '<folder>', help: "the app's folder; default: the current one" },
    {
      name: 'database-url',
      value: '<url>',
      env: 'SCRATCH_DATABASE_URL',
      help: 'a server on which to make the two databases; default: the embedded Postgres',
    },
    {
      name: 'rename',
      value: '<table.old:new>',
      help: 'this column became that one and keeps its data; also of tables, old:new',
    },
    { name: 'drop', value: '<table.name>', help: 'this column goes with its data, or this constraint or index' },
    { name: 'keep', value: '<table.name>', help: 'this column stays, though no entity has it' },
  ],
  run: async (invocation) => await (await import('../generate/run-generate.ts')).runGenerate(invocation),
}
