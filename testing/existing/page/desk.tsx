import { count, eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pglite'
import { useMemo } from 'react'
import { visibleTables } from 'tidemark/db'
import { useLiveQuery, useReplica } from 'tidemark/react'
import { sync } from '../sync.ts'

const { agent, message, ticket } = visibleTables(sync)

/** Tickets with their messages, by typed queries alone; a column that is hidden is in none of them. */
export function Desk() {
  const replica = useReplica<typeof sync>()
  const db = useMemo(() => drizzle(replica.db), [replica])
  const agents = useLiveQuery(db.select().from(agent))
  const tickets = useLiveQuery(
    db
      .select({ ticket, messages: count(message.messageId) })
      .from(ticket)
      .leftJoin(message, eq(message.ticketId, ticket.ticketId))
      .groupBy(ticket.ticketId)
      .orderBy(ticket.ticketId),
  )
  async function add() {
    const values = { teamId: 1, title: 'Made offline', labels: ['a', 'b c'], facts: { n: 1 }, minutes: 30 }
    const [made] = await db.insert(ticket).values(values).returning({ id: ticket.ticketId })
    await db.insert(message).values({ ticketId: made?.id ?? 0, body: 'first' })
  }
  return (
    <section>
      <button type="button" onClick={add}>
        Add
      </button>
      <em>{agents.rows?.map((one) => Object.keys(one).join()).join(' ')}</em>
      {tickets.rows?.map(({ ticket: { ticketId, title, hours, labels, facts, state }, messages }) => (
        <li key={ticketId}>{JSON.stringify([ticketId, title, hours, labels, facts, state, messages])}</li>
      ))}
    </section>
  )
}
