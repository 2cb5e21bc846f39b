import { type Command, OWNERS_DATABASE } from '../command.ts'

export const migrationRun: Command = {
  name: 'migration:run',
  summary: "Bring a database up to date: Tidemark's tables, the app's migrations, the sync definition.",
  details: [
    'Each file runs in one transaction, once. Running it again does nothing; two at once wait for each other.\n' +
      'On Neon give the direct connection string, without -pooler.',
    'It prints what replicas do with each table that changes: change it in place, or load it anew.',
  ],
  argument: { name: 'folder', help: "the app's folder; default: the current one", required: false },
  options: [
    OWNERS_DATABASE,
    {
      name: 'dry-run',
      help: 'do it in a transaction that is rolled back, and print the SQL and what replicas would do',
    },
    {
      name: 'writers-wait',
      value: '<seconds>',
      help: 'the longest that anyone who writes may have to wait, else the file is taken back; default 30, 0 for no bound',
    },
    {
      name: 'baseline',
      help: 'run no file: mark those that ran before Tidemark came, where the database shows that they did',
    },
    { name: 'until', value: '<file>', help: 'the last file that --baseline marks; default: all' },
    { name: 'unchecked', help: 'let --baseline mark them whatever the database shows' },
  ],
  run: async (invocation) => {
    const { refuseWithoutBaseline, runBaseline } = await import('../baseline/run-baseline.ts')
    if (invocation.switches.has('baseline')) return await runBaseline(invocation)
    refuseWithoutBaseline(invocation)
    return await (await import('../migrations/run-migrate.ts')).runMigrate(invocation)
  },
}

export const migrate: Command = { ...migrationRun, name: 'migrate', summary: 'Short for migration:run.' }
