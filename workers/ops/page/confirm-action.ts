import type { OperatorAction } from '../../operations-contract.ts'
import { operate } from './api.ts'
import { h } from './dom.ts'

/** What each action does, as it is asked before. */
const QUESTIONS: Readonly<
  Record<OperatorAction['kind'], { readonly title: string; readonly text: string; readonly verb: string }>
> = {
  'pause-capture': {
    title: 'Pause capture?',
    text: 'Changes stay in the database’s log and reach nobody until capture goes on. It goes on by itself after this time, or before the slot holds back too much.',
    verb: 'Pause',
  },
  'resume-capture': {
    title: 'Resume capture?',
    text: 'What was committed meanwhile is captured and delivered.',
    verb: 'Resume',
  },
  'rebuild-slot': {
    title: 'Rebuild the slot?',
    text: 'A new history begins under a new slot, and every client loads everything anew. What clients have not sent stays. Do this where the slot itself is broken.',
    verb: 'Rebuild',
  },
  'drop-snapshot': {
    title: 'Drop this snapshot?',
    text: 'Downloads under way end well; the next client that needs it has it built anew.',
    verb: 'Drop',
  },
  'rehydrate-client': {
    title: 'Have this client load everything anew?',
    text: 'It drops the rows that it holds and loads them again. What it has not sent stays in its outbox.',
    verb: 'Load anew',
  },
  'disconnect-client': {
    title: 'Disconnect this client?',
    text: 'Its connection is closed. It connects again by itself, after a short pause.',
    verb: 'Disconnect',
  },
}

const PAUSES: readonly (readonly [minutes: number, label: string])[] = [
  [15, '15 minutes'],
  [60, '1 hour'],
  [240, '4 hours'],
  [1_440, '24 hours'],
]

/** Asks before an action, does it, and shows what it did. `onDone` is called once it was answered. */
export function confirmAction(action: OperatorAction, onDone: () => void): void {
  const { title, text, verb } = QUESTIONS[action.kind]
  const id = crypto.randomUUID()
  const pauses = h(
    'select',
    { name: 'minutes' },
    ...PAUSES.map(([minutes, label]) => h('option', { value: String(minutes), selected: minutes === 60 }, label)),
  )
  const said = h('p', { class: 'said', role: 'status' })
  const go = h('button', { type: 'submit', class: 'strong' }, verb)
  const cancel = h('button', { type: 'button', click: () => dialog.close() }, 'Cancel')
  const target = 'client' in action ? action.client : 'audience' in action ? action.audience : null
  const form = h(
    'form',
    { method: 'dialog' },
    h('h2', {}, title),
    target === null ? null : h('p', {}, h('code', {}, target)),
    h('p', {}, text),
    action.kind === 'pause-capture' ? h('label', {}, 'For ', pauses) : null,
    said,
    h('div', { class: 'buttons' }, cancel, go),
  )
  const dialog = h('dialog', {}, form)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    go.disabled = true
    said.textContent = 'Asked for …'
    const asked = action.kind === 'pause-capture' ? { ...action, minutes: Number(pauses.value) } : action
    operate(asked, id)
      .then(({ outcome, said: text }) => {
        said.textContent = `${outcome}: ${text}`
        cancel.textContent = 'Close'
        go.remove()
        onDone()
      })
      .catch((error: Error) => {
        said.textContent = error.message
        go.disabled = false
      })
  })
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
