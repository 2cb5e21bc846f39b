import { refuse } from 'tidemark/db'
import type { SyncWorkerOptions } from 'tidemark/workers'
import type { actions } from './actions/index.ts'

/** The server's own part of an action, beside the function that both sides run. */
export const serverActions: NonNullable<SyncWorkerOptions<typeof actions>['actions']> = {
  // Numbers are given out one at a time, however many ask at once.
  createIssue: async (run, { args, sql }) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${args.projectId}, 0))`
    await run()
  },
  moveIssue: async (run, { args, sql }) => {
    await sql`SELECT pg_advisory_xact_lock(hashtextextended(${args.projectId}, 0))`
    await run()
  },
  // A house rule that replicas need not know.
  assignIssue: async (run, { args, sql }) => {
    const [guest] = await sql`SELECT display_name FROM membership WHERE id = ${args.assigneeId} AND role = 'guest'`
    if (guest) refuse('guest', `${guest.display_name} is a guest: guests are assigned nothing.`)
    await run()
  },
}
