import type { Replica } from '../../client/replica-api.ts'
import type { Random } from '../oracle/random.ts'
import type { folderSync } from '../writing/folder-sync.ts'

/** A word of the writing side; by `id` and `draft` it says that something is durable. */
export type Word =
  | {
      readonly t: 'opened'
      readonly ids: readonly string[]
      readonly drafts: readonly number[]
      readonly rebuilt: string | null
    }
  | { readonly t: 'mutation'; readonly id: string }
  | { readonly t: 'draft'; readonly draft: number }
  | {
      readonly t: 'settled'
      readonly statuses: readonly (readonly [id: string, status: string])[]
      readonly failures: number
      readonly notes: readonly Readonly<Record<string, string | null>>[]
    }

type Writing = Replica<typeof folderSync>

/** Titles that begin with this are refused by the server. */
export const REFUSED = 'refuse'

/** Says what a replica that was just opened knows, and makes the app's own table where it is not there. */
export async function sayOpened(replica: Writing, say: (word: Word) => void): Promise<void> {
  await replica.db.exec('CREATE TABLE IF NOT EXISTS draft (draft int PRIMARY KEY)')
  const ids = await replica.db.query<{ id: string }>('SELECT id FROM tidemark.mutation_status')
  const drafts = await replica.db.query<{ draft: number }>('SELECT draft FROM draft')
  say({
    t: 'opened',
    ids: ids.rows.map(({ id }) => id),
    drafts: drafts.rows.map(({ draft }) => draft),
    rebuilt: replica.status.rebuilt,
  })
}

/** Waits until everything is settled, and says how it ended. */
export async function saySettled(replica: Writing, say: (word: Word) => void): Promise<void> {
  await replica.ready
  await replica.settled()
  type Status = { readonly id: string; readonly status: string }
  const statuses = await replica.db.query<Status>('SELECT id, status FROM tidemark.mutation_status')
  const notes = await replica.db.query<Record<string, string | null>>(
    'SELECT id, folder, title, slug, count::text FROM note ORDER BY id COLLATE "C"',
  )
  say({
    t: 'settled',
    statuses: statuses.rows.map(({ id, status }) => [id, status]),
    failures: replica.failures.length,
    notes: notes.rows,
  })
}

/** Writes on and on, and says each write once it was answered; `run` tells this one's rows from those of others. */
export async function writeOn(
  replica: Writing,
  { random, run, say }: { readonly random: Random; readonly run: number; readonly say: (word: Word) => void },
): Promise<never> {
  await replica.ready
  const mine: string[] = []
  const inTransaction = async (statement: string, values: unknown[]) => {
    const { id } = await replica.transaction((tx) => tx.query(statement, values))
    if (id !== null) say({ t: 'mutation', id })
  }
  for (let count = 0; ; count++) {
    const label = `${run}-${count}`
    const kind = random.weighted({ action: 3, title: 3, refused: 2, insert: 2, change: 2, remove: 1, draft: 2 })
    const [first = label] = mine
    if (kind === 'action') say({ t: 'mutation', id: (await replica.actions.addOne({ id: '1' })).id })
    if (kind === 'title') await inTransaction(`UPDATE note SET title = $1 WHERE id = '1'`, [label])
    if (kind === 'refused') await inTransaction(`UPDATE note SET title = $1 WHERE id = '2'`, [`${REFUSED} ${label}`])
    if (kind === 'insert') {
      await inTransaction(`INSERT INTO note (id, org, title, count) VALUES ($1, 'a', $2, 0)`, [
        label,
        'x'.repeat(random.below(3_000)),
      ])
      mine.push(label)
    }
    if (kind === 'change') await inTransaction('UPDATE note SET slug = $1 WHERE id = $2', [label, first])
    if (kind === 'remove') await inTransaction('DELETE FROM note WHERE id = $1', [mine.shift() ?? first])
    if (kind === 'draft') {
      const draft = run * 1_000_000 + count
      await replica.db.query('INSERT INTO draft VALUES ($1)', [draft])
      say({ t: 'draft', draft })
    }
    // A database in the process answers without ever ending the event loop's turn, and sockets need a turn too.
    await new Promise((resolve) => setTimeout(resolve, random.chance(0.1) ? random.below(100) : 0))
  }
}
