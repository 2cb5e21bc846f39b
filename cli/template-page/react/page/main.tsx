import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { ReplicaProvider } from 'tidemark/react'
import { sync } from '../sync.ts'
import { Tasks } from './tasks.tsx'
import './style.css'

const worker = () => new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module' })

function App() {
  const [user, setUser] = useState(localStorage.getItem('user'))
  if (user === null) {
    const logIn = (form: FormData) => {
      localStorage.setItem('user', String(form.get('name')))
      setUser(localStorage.getItem('user'))
    }
    return (
      <form action={logIn}>
        <input name="name" aria-label="Your name" placeholder="Your name" required />
        <button type="submit">Log in</button>
      </form>
    )
  }
  const token = async () => (await fetch('/login', { method: 'POST', body: user })).text()
  const options = { url: location.origin, user, token, sync, worker }
  return (
    <ReplicaProvider options={options} fallback={({ error }) => <p>{error?.message ?? 'Opening…'}</p>}>
      <Tasks />
    </ReplicaProvider>
  )
}

const root = createRoot(document.getElementById('root') ?? document.body)
root.render(<StrictMode children={<App />} />)
