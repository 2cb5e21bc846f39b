import type { Command } from '../command.ts'

export const init: Command = {
  name: 'init',
  summary: 'Make a small app: schema, sync definition, Worker and a replica for Node.',
  details: [],
  argument: { name: 'folder', help: 'a new or empty folder', required: true },
  options: [],
  run: async (invocation) => (await import('../init/run-init.ts')).runInit(invocation),
}
