import type { Command } from '../command.ts'

export const remove: Command = {
  name: 'remove',
  summary: 'Take what Tidemark put into a database out of it again.',
  details: [
    'Audience columns that Tidemark keeps, with their triggers, foreign keys and indexes; the publication, the slot and the schema\n' +
      'tidemark, with all history. It prints what it would take, and takes it with --yes. Stop the Worker first: what replicas have\n' +
      'not sent by then stays in them.',
  ],
  argument: null,
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database, as owner of its tables' },
    {
      name: 'unused',
      help: 'only audience columns that the definition in force does not read; everything else goes on',
    },
    { name: 'yes', help: 'do it, rather than print what would be done' },
    { name: 'dry-run', help: 'print what would be done, whatever else is said' },
  ],
  run: async (invocation) => await (await import('../remove/run-remove.ts')).runRemove(invocation),
}
