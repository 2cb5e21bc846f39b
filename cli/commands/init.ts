import type { Command } from '../command.ts'

export const init: Command = {
  name: 'init',
  summary:
    'Make a small app: schema, sync definition, Worker and a replica for Node, or a page; or one of a database that is there.',
  details: [
    'With --database-url it reads the tables of that database and writes them as modules, with a proposal of who sees what, a report on what\n' +
      'has to be decided, and policies as SQL that nobody has run. It changes nothing in the database, and overwrites no file.',
  ],
  argument: { name: 'folder', help: 'a new or empty folder; with --database-url also that of an app', required: true },
  options: [
    { name: 'template', value: '<react|vanilla|node>', help: 'what to begin with; default node' },
    { name: 'database-url', value: '<url>', help: 'the database of an existing app, as owner of its tables' },
  ],
  run: async (invocation) =>
    invocation.values['database-url'] === undefined
      ? (await import('../init/run-init.ts')).runInit(invocation)
      : await (await import('../introspect/run-introspect.ts')).runIntrospect(invocation),
}
