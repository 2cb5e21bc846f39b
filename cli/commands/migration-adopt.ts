import { type Command, OWNERS_DATABASE } from '../command.ts'

export const migrationAdopt: Command = {
  name: 'migration:adopt',
  summary: 'Put in force what follows from synced tables that others altered.',
  details: [
    'Replicas load those tables anew; one that can no longer be synced is left out. Where none was altered it does nothing.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    OWNERS_DATABASE,
    { name: 'dry-run', help: 'do it in a transaction that is rolled back, and print what replicas would do' },
  ],
  run: async (invocation) => await (await import('../migrations/run-adopt.ts')).runAdopt(invocation),
}
