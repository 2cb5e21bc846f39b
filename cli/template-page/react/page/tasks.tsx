import { useLiveQuery, useReplica, useSyncStatus } from 'tidemark/react'

type Task = { id: string; title: string; done: boolean }

export function Tasks() {
  const { db, goOffline, goOnline } = useReplica()
  const { phase, pending, ready } = useSyncStatus()
  const { rows, error } = useLiveQuery<Task>('SELECT id, title, done FROM task ORDER BY title, id')
  const isOffline = phase === 'offline'
  const add = async (form: FormData) => {
    const insert = `INSERT INTO task (id, team, title, done) VALUES ($1, 'red', $2, false)`
    await db.query(insert, [crypto.randomUUID(), form.get('title')])
  }
  const setDone = (id: string, done: boolean) => db.query('UPDATE task SET done = $2 WHERE id = $1', [id, done])
  return (
    <main>
      <header>
        <h1>Tasks</h1>
        <span role="status">{pending > 0 ? `${pending} to send` : phase}</span>
        <button type="button" aria-pressed={isOffline} onClick={isOffline ? () => goOnline() : goOffline}>
          Offline
        </button>
      </header>
      <form action={add}>
        <input name="title" aria-label="New task" placeholder="New task" required />
        <button type="submit" disabled={!ready}>
          Add
        </button>
      </form>
      {error && <p role="alert">{error.message}</p>}
      <ul>
        {rows?.map(({ id, title, done }) => (
          <li key={id} className={done ? 'done' : undefined}>
            <label>
              <input type="checkbox" checked={done} onChange={() => void setDone(id, !done)} /> {title}
            </label>
          </li>
        ))}
      </ul>
    </main>
  )
}
