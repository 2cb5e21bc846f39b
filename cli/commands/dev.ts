import type { Command } from '../command.ts'
import { DEFAULT_PORT, DEFAULT_POSTGRES_PORT } from '../dev/default-ports.ts'

export const dev: Command = {
  name: 'dev',
  summary: 'Run an app on this machine: Postgres, migrations, seed, Worker and page.',
  details: [
    'What it needs to remember (rows, secrets, Durable Objects) stays in .tidemark of the app; the next start goes on from there.',
    'Each save is applied at once. A mistake ends nothing: it is printed, the last state that worked is served on, and the next save is tried.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    { name: 'port', value: '<port>', env: 'PORT', help: `of the page; 0 takes any free one; default ${DEFAULT_PORT}` },
    {
      name: 'postgres-port',
      value: '<port>',
      env: 'POSTGRES_PORT',
      help: `of the embedded Postgres; 0 takes any free one; default ${DEFAULT_POSTGRES_PORT}`,
    },
    { name: 'data-dir', value: '<folder>', env: 'DATA_DIR', help: 'where everything is kept; default <app>/.tidemark' },
    {
      name: 'database-url',
      value: '<url>',
      env: 'DATABASE_URL',
      help: 'use this database instead of an embedded one; its wal_level must be logical',
    },
    { name: 'reset', help: 'forget the kept rows, objects and logs first; a --database-url keeps its rows' },
  ],
  run: async (invocation) => await (await import('../dev/run-dev.ts')).runDev(invocation),
}
