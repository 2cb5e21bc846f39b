import type { TrackerReplica } from './tracker-replica.ts'

export async function editComment({ db }: TrackerReplica, id: string, body: string): Promise<void> {
  await db.query('UPDATE comment SET body = $2, edited_at = now() WHERE id = $1', [id, body])
}

export async function deleteComment({ db }: TrackerReplica, id: string): Promise<void> {
  await db.query('DELETE FROM comment WHERE id = $1', [id])
}

export async function addNote({ db }: TrackerReplica, userId: string, issueId: string, body: string): Promise<void> {
  await db.query(
    `INSERT INTO note (id, user_id, org_id, issue_id, body, created_at)
     SELECT $1, $2, org_id, id, $4, now() FROM issue WHERE id = $3`,
    [crypto.randomUUID(), userId, issueId, body],
  )
}

export async function editNote({ db }: TrackerReplica, id: string, body: string): Promise<void> {
  await db.query('UPDATE note SET body = $2 WHERE id = $1', [id, body])
}

export async function deleteNote({ db }: TrackerReplica, id: string): Promise<void> {
  await db.query('DELETE FROM note WHERE id = $1', [id])
}
