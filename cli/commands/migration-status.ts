import { type Command, OWNERS_DATABASE } from '../command.ts'

export const migrationStatus: Command = {
  name: 'migration:status',
  summary: 'Show what ran, what is pending, the definition in force, and what others altered.',
  details: ['It changes nothing. Its exit code is 0 where there is nothing to do, and else 1.'],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [OWNERS_DATABASE, { name: 'json', help: 'print it for programs' }],
  run: async (invocation) => await (await import('../migrations/run-status.ts')).runStatus(invocation),
}
