import { useEffect, useState } from 'react'
import { Choice } from './choice.tsx'
import { fetchLoginUsers, type LoginUser } from './session.ts'
import { Wordmark } from './wordmark.tsx'

const DEVICES = ['left', 'right'] as const
type Device = (typeof DEVICES)[number]

/** Two replicas side by side, each with its own storage, socket and switch: two people, or one with two devices. */
export function PairView() {
  const [users, setUsers] = useState<readonly LoginUser[]>([])
  const [error, setError] = useState<string | null>(null)
  const [chosen, setChosen] = useState<Partial<Record<Device, string>>>({})
  useEffect(() => {
    let isCurrent = true
    fetchLoginUsers()
      .then((loaded) => isCurrent && setUsers(loaded))
      .catch((reason: Error) => isCurrent && setError(reason.message))
    return () => {
      isCurrent = false
    }
  }, [])
  return (
    <div className="pair">
      <header>
        <Wordmark />
        <p className="muted">
          Two replicas. Take one offline, edit in both, and let it come back. Other fields merge; of the same field you
          are asked.
        </p>
        <a className="link" href="/">
          One replica
        </a>
      </header>
      {error !== null && (
        <p className="blank" role="alert">
          {error}
        </p>
      )}
      {error === null && users.length === 0 && <p className="blank waiting">Loading…</p>}
      {users.length > 0 && (
        <main>
          {DEVICES.map((device, index) => {
            const user = users.find(({ id }) => id === chosen[device]) ?? users[index]
            return (
              user && (
                <section key={device} aria-label={`${device} replica`}>
                  <Choice
                    label={`Who is on the ${device}`}
                    value={user.id}
                    onChange={(id) => setChosen({ ...chosen, [device]: id })}
                  >
                    {users.map(({ id, name, organizations }) => (
                      <option key={id} value={id}>
                        {name} – {organizations.join(', ')}
                      </option>
                    ))}
                  </Choice>
                  <iframe key={user.id} name={device} title={`${device} replica`} src={frameUrl(device, user)} />
                </section>
              )
            )
          })}
        </main>
      )}
    </div>
  )
}

function frameUrl(device: Device, user: LoginUser): string {
  return `/?${new URLSearchParams({ device, as: user.id })}`
}
