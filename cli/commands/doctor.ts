import type { Command } from '../command.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check whether a database has what Tidemark needs, and say how to mend what it lacks.',
  details: ['Exit code 1 when something fails; warnings alone leave it 0.'],
  argument: null,
  options: [{ name: 'database-url', value: '<url>', env: 'DATABASE_URL', help: 'the database' }],
  run: async (invocation) => await (await import('../doctor/run-doctor-command.ts')).runDoctorCommand(invocation),
}
