import type { Command } from '../command.ts'

export const build: Command = {
  name: 'build',
  summary: 'Make the synced tables of an app from its TypeORM entities.',
  details: [
    'Reads entities.ts, which exports each entity, and writes drizzle tables, types of rows and the tables of the sync definition.\n' +
      'It needs no database. What it writes is for sync.ts, and has no TypeORM in it.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    { name: 'out', value: '<file>', help: 'the module to write, from the folder; default sync-tables.ts' },
    { name: 'check', help: 'write nothing; exit with 1 where the module is not up to date' },
  ],
  run: async (invocation) => await (await import('../build/run-build.ts')).runBuild(invocation),
}
