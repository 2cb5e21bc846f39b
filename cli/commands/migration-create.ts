import type { Command } from '../command.ts'

export const migrationCreate: Command = {
  name: 'migration:create',
  summary: 'Write an empty migration, numbered after the last.',
  details: [],
  argument: { name: 'name', help: 'what the migration does, such as move-labels', required: true },
  options: [
    { name: 'folder', value: '<folder>', help: "the app's folder; default: the current one" },
    { name: 'down', help: 'write an empty .down.sql beside it too, for migration:revert' },
  ],
  run: async (invocation) => (await import('../generate/run-create.ts')).runCreate(invocation),
}
