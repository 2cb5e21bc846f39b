import type { Random } from '../oracle/random.ts'
import type { Statement } from '../oracle/workload-statements.ts'

/** So many of the newest tickets are looked among for one to change. */
const NEWEST = 6

/** Changes tickets and what hangs on them, whose keys a sequence gives; as a replica or anybody does. */
export function changeTickets(random: Random, org: string, word: string): Statement {
  const newest = `(SELECT id FROM ticket WHERE org_id = $1::uuid ORDER BY id DESC OFFSET ${random.below(NEWEST)} LIMIT 1)`
  const kind = random.weighted({ write: 10, answer: 8, mark: 5, remove: 2, unanswer: 1 })
  switch (kind) {
    case 'write':
      return { text: 'INSERT INTO ticket (org_id, word) VALUES ($1, $2)', params: [org, word] }
    case 'answer':
      return {
        text: `INSERT INTO answer (org_id, ticket_id, word) SELECT org_id, id, word FROM ticket WHERE id = ${newest}`,
        params: [org],
      }
    case 'mark':
      return { text: `UPDATE ticket SET mark = $2 WHERE id = ${newest}`, params: [org, word] }
    case 'remove':
      return { text: `DELETE FROM ticket WHERE id = ${newest}`, params: [org] }
    case 'unanswer':
      return {
        text: `DELETE FROM answer WHERE id = (SELECT min(id) FROM answer WHERE ticket_id = ${newest})`,
        params: [org],
      }
  }
}

/** Makes a ticket under a key that nobody drew, most likely one that a replica is about to use. */
export function takeKeyByHand(random: Random, org: string, word: string): Statement {
  return {
    text: `INSERT INTO ticket (id, org_id, word) SELECT coalesce(max(id), 0) + $1, $2, $3 FROM ticket ON CONFLICT DO NOTHING`,
    params: [`${1 + random.below(3)}`, org, word],
  }
}

/** What a database put back to before knows of the keys that were leased since: nothing, and its sequences give them again. */
export const LEASES_FORGOTTEN: readonly string[] = [
  'DELETE FROM tidemark.key_lease',
  ...['ticket', 'answer'].map(
    (name) =>
      `SELECT setval(pg_get_serial_sequence('public.${name}', 'id'), (SELECT coalesce(max(id), 1) FROM public.${name}))`,
  ),
]
