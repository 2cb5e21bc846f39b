import { openReplica } from 'tidemark/client'
import { sync } from '../sync.ts'
import './style.css'

type Task = { id: string; title: string; done: boolean }

const root = document.getElementById('root') ?? document.body

function logIn(): void {
  root.innerHTML = `
    <form>
      <input name="name" aria-label="Your name" placeholder="Your name" required />
      <button>Log in</button>
    </form>`
  root.querySelector('form')?.addEventListener('submit', (event) => {
    event.preventDefault()
    const name = String(new FormData(event.target as HTMLFormElement).get('name'))
    localStorage.setItem('user', name)
    void show(name)
  })
}

async function show(user: string): Promise<void> {
  root.innerHTML = `
    <header><h1>Tasks</h1><span role="status"></span><button aria-pressed="false">Offline</button></header>
    <form><input name="title" aria-label="New task" placeholder="New task" required /><button disabled>Add</button></form>
    <ul></ul>`
  const find = (selector: string) => root.querySelector(selector) as HTMLElement
  const token = async () => (await fetch('/login', { method: 'POST', body: user })).text()
  const worker = () => new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module' })
  const replica = await openReplica({ url: window.location.origin, user, token, sync, worker })

  const isOffline = () => replica.status.phase === 'offline'
  replica.subscribe(({ phase, pending, ready }) => {
    find('[role=status]').textContent = pending > 0 ? `${pending} to send` : phase
    find('header button').setAttribute('aria-pressed', String(isOffline()))
    find('form button').toggleAttribute('disabled', !ready)
  })
  find('header button').addEventListener('click', () => (isOffline() ? replica.goOnline() : replica.goOffline()))
  find('form').addEventListener('submit', (event) => {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const title = new FormData(form).get('title')
    const insert = `INSERT INTO task (id, team, title, done) VALUES ($1, 'red', $2, false)`
    void replica.db.query(insert, [crypto.randomUUID(), title]).then(() => form.reset())
  })
  const tasks = replica.live<Task>('SELECT id, title, done FROM task ORDER BY title, id')
  tasks.subscribe(() => find('ul').replaceChildren(...(tasks.getSnapshot().rows ?? []).map(itemOf)))

  function itemOf({ id, title, done }: Task): HTMLElement {
    const item = document.createElement('li')
    const label = item.appendChild(document.createElement('label'))
    const box = label.appendChild(document.createElement('input'))
    Object.assign(box, { type: 'checkbox', checked: done })
    label.append(` ${title}`)
    item.classList.toggle('done', done)
    box.addEventListener('change', () => {
      void replica.db.query('UPDATE task SET done = $2 WHERE id = $1', [id, !done])
    })
    return item
  }
}

const user = localStorage.getItem('user')
if (user === null) logIn()
else void show(user)
