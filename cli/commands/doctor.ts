import type { Command } from '../command.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check whether a database has what Tidemark needs, and say how to mend what it lacks.',
  details: ['It changes nothing. Exit code 1 when something fails; warnings alone leave it 0.'],
  argument: {
    name: 'folder',
    help: "the app's folder, to hold its sync definition against the database; default: the current one, if it is an app",
    required: false,
  },
  options: [
    { name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database; default: that of tidemark dev' },
  ],
  run: async (invocation) => await (await import('../doctor/run-doctor-command.ts')).runDoctorCommand(invocation),
}
