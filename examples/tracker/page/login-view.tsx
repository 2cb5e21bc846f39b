import { useEffect, useState } from 'react'
import { Avatar } from './avatar.tsx'
import { Notice } from './notice.tsx'
import { prepareTracker } from './open-tracker.ts'
import { fetchLoginUsers, type LoginUser, wantedUser } from './session.ts'
import { Wordmark } from './wordmark.tsx'

type Loaded = { users: LoginUser[] } | { error: string } | null

export function LoginView({ onChoose }: { onChoose: (user: LoginUser) => void }) {
  const [loaded, setLoaded] = useState<Loaded>(null)
  const [attempt, setAttempt] = useState(0)

  useEffect(prepareTracker, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: another attempt fetches again.
  useEffect(() => {
    let isCurrent = true
    setLoaded(null)
    fetchLoginUsers()
      .then((users) => {
        if (!isCurrent) return
        const wanted = users.find(({ id }) => id === wantedUser())
        if (wanted) onChoose(wanted)
        else setLoaded({ users })
      })
      .catch((error: Error) => isCurrent && setLoaded({ error: error.message }))
    return () => {
      isCurrent = false
    }
  }, [attempt, onChoose])

  if (loaded && 'error' in loaded) {
    return (
      <Notice
        title="The server cannot be reached"
        action={{ label: 'Try again', onClick: () => setAttempt(attempt + 1) }}
      >
        {loaded.error}
      </Notice>
    )
  }
  return (
    <main className="centred">
      <section className="card login">
        <Wordmark />
        <h1>Who are you today?</h1>
        <p className="muted">Everyone holds a Postgres replica of exactly the organisations they belong to.</p>
        {loaded === null ? <p className="muted">Loading…</p> : <UserGroups users={loaded.users} onChoose={onChoose} />}
        <p className="login-pair">
          <a className="link" href="/?pair">
            Two replicas side by side
          </a>
        </p>
      </section>
    </main>
  )
}

function UserGroups({ users, onChoose }: { users: readonly LoginUser[]; onChoose: (user: LoginUser) => void }) {
  const groups = Map.groupBy(users, (user) => user.organizations.join(' and '))
  return [...groups].map(([organizations, members]) => (
    <div key={organizations} className="login-group">
      <h2>{organizations}</h2>
      <ul>
        {members.map((user) => (
          <li key={user.id}>
            <button type="button" className="login-user" onClick={() => onChoose(user)}>
              <Avatar name={user.name} />
              <span>{user.name}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  ))
}
